"""Runs the commands in a skill's prompt, bounded in time and output. Arguments are variables, never text."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence

from claude_pool.domain.skills import ShellCommand

COMMAND_SECONDS = 10.0
ALL_SECONDS = 30.0
OUTPUT_BYTES = 64 * 1024

_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "USER", "LOGNAME", "XDG_CONFIG_HOME")


def environment_for(environ: Mapping[str, str], pass_env: Sequence[str]) -> dict[str, str]:
    """What commands see of `environ`: where programs and the home are, and what `pass_env` names."""
    return {name: environ[name] for name in (*_HANDED_ON, *pass_env) if name in environ}


async def run_commands(
    commands: Sequence[ShellCommand],
    environment: Mapping[str, str],
    working_dir: str | None,
    command_seconds: float = COMMAND_SECONDS,
    all_seconds: float = ALL_SECONDS,
) -> list[str]:
    """What each command prints, one after the other; for one that fails, a note in brackets that says how.

    Each may take `command_seconds`, all of them `all_seconds`; no process of theirs is left.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + all_seconds
    outputs: list[str] = []
    for command in commands:
        seconds = min(command_seconds, deadline - loop.time())
        outputs.append(await _run(command.line, environment, working_dir, seconds))
    return outputs


async def _run(line: str, environment: Mapping[str, str], working_dir: str | None, seconds: float) -> str:
    if seconds <= 0:
        return _note(line, "there was no time left for it")
    async with _pipe() as (output, end):
        try:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", line),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=end,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(environment),
                cwd=working_dir,
                start_new_session=True,
            )
        except OSError as error:
            return _note(line, error.strerror or str(error))
        finally:
            os.close(end)
        return await _result(line, process, output, seconds)


@contextlib.asynccontextmanager
async def _pipe() -> AsyncGenerator[tuple[asyncio.StreamReader, int]]:
    """Where a command prints to. Closed when we want no more, whoever still holds the other end."""
    mine, theirs = os.pipe()
    reader = asyncio.StreamReader()
    with open(mine, "rb", buffering=0) as source:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
        try:
            yield reader, theirs
        finally:
            transport.close()


async def _result(
    line: str, process: asyncio.subprocess.Process, output: asyncio.StreamReader, seconds: float
) -> str:
    try:
        async with asyncio.timeout(seconds):
            content, more = await _read(output)
            if more:
                return _text(content) + _note(line, f"it printed more than {OUTPUT_BYTES} bytes")
            code = await process.wait()
    except TimeoutError:
        return _note(line, f"it took longer than {seconds:g} seconds")
    finally:
        await _end(process)
    text = _text(content).rstrip("\n")
    return text if code == 0 else "\n".join(each for each in (text, _note(line, f"exit code {code}")) if each)


async def _read(output: asyncio.StreamReader) -> tuple[bytes, bool]:
    """What it prints until it ends, and whether that was more than is wanted."""
    content = b""
    while len(content) <= OUTPUT_BYTES and (chunk := await output.read(OUTPUT_BYTES)):
        content += chunk
    return content[:OUTPUT_BYTES], len(content) > OUTPUT_BYTES


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command and what it left running in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\0", "\ufffd")


def _note(line: str, problem: str) -> str:
    return f"[command failed: {line}: {problem}]"
