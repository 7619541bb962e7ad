"""Nothing outlives a pool: no process, and no call to the provider, whatever dies first.

`CLAUDE_POOL_TEST_TRIALS` sets how often each death is tried.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from claude_pool.adapters.claude import tree
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api
from claude_pool.domain.values import End

from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until, until_sync
from tests.unit.adapters.claude.bench import SLOT, Bench, fake_bench, real_bench

_ROOT = Path(__file__).resolve().parents[2]
_TRIALS = range(int(os.environ.get("CLAUDE_POOL_TEST_TRIALS", "2")))
_PATIENCE_SECONDS = 30.0

# An owner as a process of its own: it launches a slot, runs one turn, and does not look after anything.
_OWNER = """
import asyncio, json, os, sys
from pathlib import Path
from claude_pool.adapters.claude.driver import ClaudeDriver, DriverSettings
from claude_pool.adapters.claude.locate import inspect
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.domain.ports import Launch, Turn

async def main(pool, program, folder, prompt):
    environ, folder = dict(os.environ), Path(folder)
    settings = DriverSettings(
        cli=inspect(program, environ), pool=pool, environ=environ,
        runtime_dir=Path(os.environ["RUNTIME"]), transcripts_dir=folder / "transcripts", prices=price_list(),
    )
    driver = ClaudeDriver(settings)
    session = "0b0e2a5c-1111-4222-8333-444455556666"
    mode = "bypassPermissions"
    await driver.launch(Launch("slot-0", 1, session, str(folder), model="haiku", permission_mode=mode))
    await driver.run("slot-0", Turn("task-1.1", session, prompt, "haiku", None, mode), lambda *_: None)

asyncio.run(main(*sys.argv[1:]))
"""

_GRANDCHILDREN = (
    "(setsid sh -c 'trap : TERM INT HUP; while :; do sleep 1; done' > /dev/null 2>&1 < /dev/null &); "
    "setsid sleep 600 > /dev/null 2>&1 < /dev/null & touch {mark}; sleep 600"
)


def bash(command: str) -> str:
    """The directive for a Bash call."""
    return f"[[tool: Bash {json.dumps({'command': command})}]]"


def under(pool: str) -> set[int]:
    """The pids of all living processes of a pool, keepers included."""
    return {identity.pid for identity in tree.find(f"{pool}.")}


# ---------------------------------------------------------------------------- the owner dies

_SCENES = {
    "idle tools": bash(_GRANDCHILDREN),
    "a stream": "[[reply: one two three four five six]] [[slow: 1s x 60]]",
    "a spending loop": " ".join([bash("touch {mark}"), *[bash("sleep 0.2")] * 40]),
}


@pytest.mark.real
@pytest.mark.parametrize("scene", _SCENES)
@pytest.mark.parametrize("trial", _TRIALS)
def test_a_second_after_the_owners_death_nothing_runs_and_nothing_is_spent(
    tmp_path: Path, scene: str, trial: int
) -> None:
    pool = f"test-{uuid4()}-{trial}"
    mark = tmp_path / "mark"
    prompt = _SCENES[scene].replace("{mark}", str(mark))
    with running_api() as api, TemporaryDirectory(prefix="cp-") as runtime:
        owner = _start_owner(pool, tmp_path, prompt, api, runtime)
        try:
            ready = mark.exists if "mark" in _SCENES[scene] else lambda: _served(api)
            until_sync(ready, _PATIENCE_SECONDS)
            assert len(under(pool)) >= 2
            owner.kill()
            died = time.monotonic()
            until_sync(lambda: not under(pool), 1.0, "the end of all processes of the slot")
            until_sync(lambda: time.monotonic() - died >= 1.0)
            calls = len(api.calls)
            with pytest.raises(TimeoutError):
                until_sync(lambda: len(api.calls) > calls, 1.0)
        finally:
            owner.kill()
            owner.wait()
            tree.sweep(f"{pool}.")


def _start_owner(
    pool: str, folder: Path, prompt: str, api: ScriptedApi, runtime: str
) -> subprocess.Popen[bytes]:
    environment = {**cli_environment(folder / "home", api.url), "RUNTIME": runtime, "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-c", _OWNER, pool, str(bundled_cli()), str(folder), prompt]
    return subprocess.Popen(command, cwd=_ROOT, env=environment)


def _served(api: ScriptedApi) -> bool:
    return any(call.status == 200 for call in api.calls)


# ---------------------------------------------------------------------------- the keeper dies


@pytest.mark.real
@pytest.mark.parametrize("trial", _TRIALS)
def test_a_lost_keeper_fails_the_turn_and_takes_the_tree_with_it(tmp_path: Path, trial: int) -> None:
    async def scene() -> None:
        async with real_bench(tmp_path) as bench:
            await bench.launch(permission_mode="bypassPermissions")
            mark = tmp_path / f"mark-{trial}"
            turn = asyncio.create_task(bench.run(bash(_GRANDCHILDREN.replace("{mark}", str(mark)))))
            await until(mark.exists)
            os.kill(_keeper_of(bench), signal.SIGKILL)
            report = await turn
            assert (report.outcome.code, report.alive) == ("slot_failed", False)
            assert under(bench.settings.pool) == set()

    asyncio.run(scene())


def test_a_success_that_follows_the_loss_of_the_keeper_is_none(tmp_path: Path) -> None:
    async def scene() -> None:
        async with fake_bench(tmp_path, "noterm") as bench:
            await bench.launch(permission_mode="bypassPermissions")
            kill_keeper = "kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)"
            report = await bench.run(bash(kill_keeper))
            assert (report.outcome.code, report.alive) == ("slot_failed", False)
            assert under(bench.settings.pool) == set()

    asyncio.run(scene())


def test_a_lost_keeper_of_an_idle_slot_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        async with fake_bench(tmp_path) as bench:
            await bench.launch()
            os.kill(_keeper_of(bench), signal.SIGKILL)
            await until(lambda: bench.exits != [])
            assert not bench.exits[0].expected and "keeper was lost" in bench.exits[0].message
            assert under(bench.settings.pool) == set()

    asyncio.run(scene())


def test_leftovers_of_an_owner_and_its_keeper_are_swept_at_the_next_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with fake_bench(tmp_path) as bench:
            cookie = f"{bench.settings.pool}.slot-3.7"
            (bench.settings.runtime_dir / "3-7").mkdir()
            environment = {"CLAUDE_POOL_COOKIE": cookie, "PATH": "/usr/bin:/bin"}
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment) as leftover:
                assert await bench.driver.sweep_leftovers() == 1
                assert leftover.wait(10) == -signal.SIGKILL
            assert list(bench.settings.runtime_dir.iterdir()) == []

    asyncio.run(scene())


def _keeper_of(bench: Bench) -> int:
    [keeper] = [
        pid for pid in under(bench.settings.pool) if b"keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return keeper


# ---------------------------------------------------------------------------- the CLI dies


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_cli_that_somebody_else_ends_in_a_turn_is_no_success(tmp_path: Path, number: int) -> None:
    async def scene() -> None:
        async with real_bench(tmp_path) as bench:
            pid = await bench.launch(permission_mode="bypassPermissions")
            mark = tmp_path / "mark"
            turn = asyncio.create_task(bench.run(bash(_GRANDCHILDREN.replace("{mark}", str(mark)))))
            await until(mark.exists)
            os.kill(pid, number)
            report = await turn
            # on SIGINT it ends as if all were well, and on a busy machine before it has told what it did
            codes = {"slot_failed", "no_result"} if number == signal.SIGINT else {"slot_failed"}
            assert report.outcome.end is End.FAILED and report.outcome.code in codes
            await bench.driver.stop(SLOT)
            assert under(bench.settings.pool) == set()

    asyncio.run(scene())


# ---------------------------------------------------------------------------- what slots inherit


@pytest.mark.real
def test_a_slot_inherits_nothing_of_its_owner_but_its_pipes(tmp_path: Path) -> None:
    async def scene() -> None:
        async with real_bench(tmp_path) as bench:
            with (tmp_path / "owner.lock").open("w") as lock:
                os.set_inheritable(lock.fileno(), True)
                pid = await bench.launch()
                for process in (pid, _keeper_of(bench)):
                    assert str(tmp_path / "owner.lock") not in opened_by(process)

    asyncio.run(scene())


def opened_by(process: int) -> set[str]:
    """What the descriptors of a living process lead to; one may be closed while they are looked at."""
    found = set[str]()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(entry))
    return found


@pytest.mark.real
def test_no_secret_stands_in_a_command_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with real_bench(tmp_path) as bench:
            await bench.launch(append_system_prompt="the secret word is xyzzy")
            for pid in under(bench.settings.pool):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                assert b"xyzzy" not in words and b"sk-ant" not in words

    asyncio.run(scene())
