"""The slot driver on the Claude Code CLI: one warm process a slot, each under its own keeper."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool.domain.ports import (
    Launch,
    Launched,
    ProcessEnd,
    SlotFailure,
    Turn,
    TurnReport,
)
from claude_pool.domain.prices import PriceList
from claude_pool.domain.values import End, Outcome

from ..redaction import Secrets
from . import locate, tree
from .argv import SNAPSHOT_OPTION, LaunchFiles, build_argv
from .callbacks import Callbacks
from .environment import SlotEnvironment, slot_environment
from .locate import Cli
from .process import Spawn
from .slot import WarmSlot
from .slot_terms import SlotLimits

SOCKET_ROOM_BYTES = 85
"""A slot's private folder may be this long, so that sockets which the CLI opens in it fit in 107 bytes."""

_LONGEST_SLOT_FOLDER = len("/999999-999999")


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """What all slots of one owner share.

    `pool` names the pool in cookies and must be the same each time the same pool runs. `runtime_dir` is a
    short private folder for sockets, temporary files and options; `transcripts_dir` gets one file an
    attempt. `environ` is the environment to choose from; `pass_env` names more of it to hand on. `depth`
    counts pools inside pools, and `max_depth` is how far they may go. `trust_project` lets slots load the
    repository's settings, hooks and servers. `silence_ms` is what the turns of this owner have; the CLI's
    own patience follows it. `secrets` are kept out of what slots print; None: those of `environ`.
    """

    cli: Cli
    pool: str
    environ: Mapping[str, str]
    runtime_dir: Path
    transcripts_dir: Path
    prices: PriceList
    pass_env: tuple[str, ...] = ()
    depth: int = 1
    max_depth: int = 1
    trust_project: bool = False
    silence_ms: int = 300_000
    secrets: Secrets | None = None
    python: str = sys.executable
    limits: SlotLimits = field(default_factory=SlotLimits)


class ClaudeDriver(Callbacks):
    """Implements `SlotDriver` with the real CLI; see the port for the contracts."""

    def __init__(self, settings: DriverSettings) -> None:
        """Starts nothing.

        Raises:
            ValueError: `runtime_dir` is too long for the sockets in it, or `pool` is empty.
        """
        if not settings.pool:
            raise ValueError("the pool needs a name for its cookies")
        if len(str(settings.runtime_dir).encode()) + _LONGEST_SLOT_FOLDER > SOCKET_ROOM_BYTES:
            raise ValueError(f"{settings.runtime_dir} is too long for the sockets in it")
        super().__init__()
        self._settings = settings
        self._secrets = settings.secrets or Secrets(settings.environ, settings.pass_env)
        self._slots: dict[str, WarmSlot] = {}
        self._closed = False

    async def launch(self, launch: Launch) -> Launched:
        """Start the slot's process and wait until it answers; see the port."""
        await self.stop(launch.slot_id)
        knows_snapshot = launch.resume is not None and await asyncio.to_thread(self._knows_snapshot)
        if self._closed:
            raise SlotFailure("slot_failed", "The driver was closed.")
        started_ms = int(time.time() * 1000)
        cookie = f"{self._settings.pool}.{launch.slot_id}.{launch.number}"
        folder = self._settings.runtime_dir / f"{launch.slot_id.removeprefix('slot-')}-{launch.number}"
        try:
            _make_private(self._settings.runtime_dir)
            _make_private(self._settings.transcripts_dir)
            shutil.rmtree(folder, ignore_errors=True)  # an owner that died leaves its own behind
            _make_private(folder)
            spawn = self._spawn(launch, cookie, folder, knows_snapshot)
            slot = WarmSlot(
                launch,
                spawn,
                self._settings.transcripts_dir,
                self._settings.prices,
                self._settings.limits,
                self.listeners(launch.slot_id),
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise SlotFailure("slot_failed", f"The slot's folder could not be made: {error}.") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._slots[launch.slot_id] = slot
        slot.process.ended.add_done_callback(lambda ended: self._ended(slot, folder, ended.result()))
        try:
            await slot.start()
        except BaseException:
            self._slots.pop(launch.slot_id, None)
            await slot.kill()
            raise
        return Launched(slot.process.pid, slot.version or self._settings.cli.version, started_ms)

    async def run(self, slot_id: str, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """Send one prompt and wait for its own result; see the port."""
        slot = self._slots.get(slot_id)
        if slot is None:
            outcome = Outcome(End.FAILED, "slot_failed", f"{slot_id} has no process.", retryable=True)
            return TurnReport(outcome, turn.session, alive=False)
        return await slot.run(turn, on_spend)

    def fund(self, slot_id: str, attempt: str, budget: int) -> None:
        """Set the running turn's budget; see the port."""
        slot = self._slots.get(slot_id)
        if slot is not None:
            slot.fund(attempt, budget)

    async def interrupt(self, slot_id: str, attempt: str) -> None:
        """Stop the running turn of `attempt`; see the port."""
        slot = self._slots.get(slot_id)
        if slot is not None:
            await slot.interrupt(attempt)

    async def clear(self, slot_id: str) -> str:
        """Begin an empty conversation in the warm process; see the port."""
        slot = self._slots.get(slot_id)
        if slot is None:
            raise SlotFailure("slot_failed", f"{slot_id} has no process.")
        return await slot.clear()

    async def stop(self, slot_id: str) -> ProcessEnd:
        """End the slot's process and everything it started; see the port."""
        slot = self._slots.get(slot_id)
        if slot is None:
            return ProcessEnd(None, 0, expected=True)
        return await slot.stop()

    async def kill(self, slot_id: str) -> None:
        """Kill the slot's whole tree at once; see the port."""
        slot = self._slots.get(slot_id)
        if slot is not None:
            await slot.kill()

    async def sweep_leftovers(self) -> int:
        """End what an owner that was killed left behind: processes of this pool and their private folders.

        Only before the first launch. Returns how many processes it killed.
        """
        return await asyncio.to_thread(self._sweep)

    def _sweep(self) -> int:
        kills = tree.sweep(f"{self._settings.pool}.")
        with suppress(FileNotFoundError):
            for folder in self._settings.runtime_dir.iterdir():
                shutil.rmtree(folder, ignore_errors=True)
        return kills

    async def close(self) -> None:
        """Stop all slots at once; nothing can be launched any more."""
        self._closed = True
        await asyncio.gather(*(slot.stop() for slot in tuple(self._slots.values())))

    def _spawn(self, launch: Launch, cookie: str, folder: Path, can_drop_snapshot: bool) -> Spawn:
        settings = self._settings
        argv = build_argv(
            settings.cli.path,
            launch,
            LaunchFiles(folder),
            trust_project=settings.trust_project,
            can_drop_snapshot=can_drop_snapshot,
        )
        environment = slot_environment(
            settings.environ,
            SlotEnvironment(
                cookie,
                str(folder),
                settings.depth,
                settings.pass_env,
                settings.silence_ms,
                settings.max_depth,
            ),
        )
        return Spawn(
            launch.slot_id,
            cookie,
            argv,
            launch.cwd,
            environment,
            settings.python,
            self._secrets,
            settings.limits.processes,
        )

    def _knows_snapshot(self) -> bool:
        return SNAPSHOT_OPTION in locate.options(self._settings.cli, self._settings.environ)

    def _ended(self, slot: WarmSlot, folder: Path, end: ProcessEnd) -> None:
        slot_id = slot.launch.slot_id
        shutil.rmtree(folder, ignore_errors=True)
        if self._slots.get(slot_id) is slot:
            del self._slots[slot_id]
            if not slot.busy and not end.expected:
                self.exited(slot_id, end)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
