"""One CLI process under its keeper: the pipes, the orders to the keeper, and how it all ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from claude_pool.domain.ports import ProcessEnd, SlotFailure

from ..redaction import Secrets
from . import tree
from .redacting import Redacting
from .stream import LineSplitter, LineTooLong

_KEEPER = str(Path(__file__).with_name("keeper.py"))
_STDERR_RING = 64 * 2**10
_STDERR_TOLD = 4 * 2**10  # characters
_KILL_SECONDS = 5.0
_ORPHANS_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Spawn:
    """What to start. `name` and `cookie` mark the keeper and all that is under it; `python` runs it.

    `secrets` holds what must not get out of what it prints. More than `most_processes` at once are killed.
    """

    name: str
    cookie: str
    argv: Sequence[str]
    cwd: str
    environment: Mapping[str, str]
    python: str
    secrets: Secrets
    most_processes: int


class _Reader(asyncio.Protocol):
    """A pipe's read end: hands on what arrives and remembers its end."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        self.transport: asyncio.ReadTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.ended.done():
            self.ended.set_result(None)


class SlotProcess:
    """A running CLI. `pid` and `start` identify it; `ended` resolves when its tree is verified empty.

    `on_line` is called with every complete line of its standard output, in order, before `ended`.
    `on_flood` is called once where a line passes the limit; nothing is read after that. `on_crowd` is called
    where it has too many processes, which are being killed.
    """

    def __init__(
        self,
        spawn: Spawn,
        on_line: Callable[[bytes], None],
        on_flood: Callable[[], None],
        on_crowd: Callable[[], None],
    ) -> None:
        """Nothing runs before `start`."""
        self.pid = 0
        self.start_ticks = 0
        self.expected = False
        self.ended: asyncio.Future[ProcessEnd] = asyncio.get_running_loop().create_future()
        self._spawn = spawn
        self._on_line = on_line
        self._on_flood = on_flood
        self._on_crowd = on_crowd
        self.redacting = Redacting(spawn.secrets)
        self._lines = LineSplitter()
        self._status = LineSplitter()
        self._stderr = bytearray()
        self._exit_code: int | None = None
        self._kills = 0
        self._empty = False
        self._problem = ""
        self._flooded = False
        self._swept: asyncio.Future[None] | None = None
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._life = -1
        self._stdin: asyncio.WriteTransport | None = None
        self._readers: list[_Reader] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self, seconds: float) -> None:
        """Start the keeper and the CLI under it, within so many seconds.

        Raises:
            SlotFailure: one of them could not be started, or not in time; nothing is left.
        """
        stdin_r, stdin_w = os.pipe()
        stdout_r, stdout_w = os.pipe()
        stderr_r, stderr_w = os.pipe()
        life_r, self._life = os.pipe()
        status_r, status_w = os.pipe()
        command = [
            self._spawn.python,
            "-I",
            "-S",
            _KEEPER,
            "keeper",
            self._spawn.name,
            str(life_r),
            str(status_w),
            str(self._spawn.most_processes),
        ]
        try:
            self._keeper = subprocess.Popen(
                [*command, "--", *self._spawn.argv],
                stdin=stdin_r,
                stdout=stdout_w,
                stderr=stderr_w,
                pass_fds=(life_r, status_w),
                cwd=self._spawn.cwd,
                env=dict(self._spawn.environment),
                start_new_session=True,
            )
        except OSError as error:
            for descriptor in (stdin_w, stdout_r, stderr_r, self._life, status_r):
                os.close(descriptor)
            self._life = -1
            end = ProcessEnd(None, 0, self.expected, str(error))
            self.ended.set_result(end)
            raise SlotFailure(
                "slot_failed", f"The slot's keeper could not be started: {error}.", end
            ) from error
        finally:
            for descriptor in (stdin_r, stdout_w, stderr_w, life_r, status_w):
                os.close(descriptor)
        await self._connect(stdin_w, stdout_r, stderr_r, status_r)
        self._watch = asyncio.create_task(self._until_gone(), name=f"watch {self._spawn.name}")
        await first_of(self._answered, self.ended, timeout=seconds)
        if not self._answered.done() and not self.ended.done():
            end = await self.kill()
            problem = f"The slot's keeper did not start the CLI within {seconds:g} s."
            raise SlotFailure("timed_out_start", problem, end)
        if self._problem:
            end = await self.ended
            raise SlotFailure("slot_failed", f"The CLI could not be started: {self._problem}.", end)

    async def _connect(self, stdin: int, stdout: int, stderr: int, status: int) -> None:
        loop = asyncio.get_running_loop()
        for descriptor, receive in ((stdout, self._read), (stderr, self._hear), (status, self._learn)):
            reader = _Reader(receive)
            await loop.connect_read_pipe(partial(_same, reader), os.fdopen(descriptor, "rb", 0))
            self._readers.append(reader)
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(stdin, "wb", 0))
        self._stdin = transport

    def write(self, line: bytes) -> None:
        """Queue one line for the CLI. A process that is gone or does not read shows elsewhere."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(line + b"\n")

    def close_stdin(self) -> None:
        """Tell the CLI that nothing more will come: an idle one exits."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.close()

    def interrupt(self) -> None:
        """Send the CLI SIGINT."""
        self._order(b"i")

    def terminate(self) -> None:
        """Send the CLI SIGTERM."""
        self._order(b"t")

    def watch(self) -> None:
        """Count its processes from now until `sweep_orphans`."""
        self._order(b"w")

    async def sweep_orphans(self) -> None:
        """Kill what finished tools left running; the CLI and its own children stay."""
        if self.ended.done() or self._swept is not None:
            return
        self._swept = asyncio.get_running_loop().create_future()
        self._order(b"o")
        await first_of(self._swept, self.ended, timeout=_ORPHANS_SECONDS)
        self._swept = None

    async def kill(self) -> ProcessEnd:
        """Kill the whole tree now; returns when it is verified empty."""
        self._order(b"k")
        await first_of(self.ended, timeout=_KILL_SECONDS)
        if not self.ended.done() and self._keeper is not None:
            self._keeper.kill()  # a keeper that does not obey is as good as lost: the cookie sweep takes over
        return await asyncio.shield(self.ended)

    def stderr_tail(self) -> str:
        """The last words on standard error (at most 4096 characters) without values of credentials."""
        told = self._spawn.secrets.clean(self._stderr.decode("utf-8", "replace"))
        return told.strip()[-_STDERR_TOLD:]

    def _order(self, order: bytes) -> None:
        if self._life >= 0:
            with suppress(OSError):
                os.write(self._life, order)

    def _read(self, chunk: bytes) -> None:
        if self._flooded:
            return
        try:
            for line in self._lines.feed(chunk):
                for clean in self.redacting.feed(line):
                    self._on_line(clean)
        except LineTooLong:
            self._flooded = True
            self._on_flood()

    def _hear(self, chunk: bytes) -> None:
        self._stderr += chunk
        del self._stderr[:-_STDERR_RING]

    def _learn(self, chunk: bytes) -> None:
        for line in self._status.feed(chunk):
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "started":
                pid, _, ticks = rest.partition(" ")
                self.pid, self.start_ticks = int(pid), int(ticks)
            elif word == "failed":
                self._problem, self._empty = rest.partition(" ")[2] or rest, True
            elif word == "crowded":
                self._on_crowd()
            elif word == "exit":
                self._exit_code = int(rest.split()[0])
            elif word == "empty":
                self._kills, self._empty = int(rest.split()[1]), True
            elif word == "swept" and self._swept is not None and not self._swept.done():
                self._swept.set_result(None)
            if word in ("started", "failed") and not self._answered.done():
                self._answered.set_result(None)

    async def _until_gone(self) -> None:
        """Wait for the keeper's end, make sure that nothing is left, and tell."""
        stdout, stderr, status = self._readers
        await status.ended
        assert self._keeper is not None
        await asyncio.to_thread(self._keeper.wait)  # its pipes are closed: it is on its last instructions
        if not self._empty:
            self._kills += await asyncio.to_thread(tree.sweep, self._spawn.cookie)
            self._problem = self._problem or "its keeper was lost"
        await asyncio.wait({stdout.ended, stderr.ended}, timeout=_KILL_SECONDS)
        said = self._problem or self.stderr_tail()
        self.ended.set_result(ProcessEnd(self._exit_code, self._kills, self.expected, said))
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            if reader.transport is not None:
                reader.transport.close()
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.abort()
        os.close(self._life)
        self._life = -1


def _same(reader: _Reader) -> _Reader:
    return reader


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of `futures` is done, or for `timeout` seconds. Cancels none of them."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
