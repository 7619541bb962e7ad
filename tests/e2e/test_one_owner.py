"""A log has one owner, however many start at once and whatever an earlier one left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters import handover
from claude_pool.adapters.calling import VERSION, greeting
from claude_pool.adapters.client import Client
from claude_pool.adapters.config.settings import settle
from claude_pool.adapters.wiring import open_pool

from tests.support.commands import COMMAND, Shell, a_shell
from tests.support.past import facts, state_of
from tests.support.relays import relay, view
from tests.support.stand_in import gone, until

_OTHER_VERSION = (
    "import sys; from claude_pool.adapters.owner import connections, process; "
    "connections.VERSION = '9.9.9'; sys.exit(process.main())"
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with a_shell(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("at_once", "rounds"), [(6, 1), pytest.param(100, 3, marks=pytest.mark.slow, id="a hundred")]
)
def test_of_many_that_start_at_once_one_becomes_the_owner_and_all_are_answered(
    shell: Shell, at_once: int, rounds: int
) -> None:
    for number in range(rounds):
        started = [_submit(shell, f"[[reply: {number}]]") for _ in range(at_once)]
        told = [(*each.communicate(timeout=110), each.returncode) for each in started]
        assert [(code, err) for _, err, code in told if code] == []
        assert facts(shell, "pool.owner_started") == number + 1
        assert len({out.strip() for out, _, _ in told}) == at_once
        shell.kill_owner()


def _submit(shell: Shell, prompt: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(COMMAND), "submit", prompt], cwd=shell.folder, env=shell.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_what_a_killed_owner_leaves_lying_needs_no_hand(shell: Shell) -> None:
    shell.run("submit", "[[reply: one]]")
    shell.kill_owner()
    until(lambda: gone(int((shell.state / "owner.lock").read_text())), "its end")
    address = (shell.state / "owner.address").read_text()
    assert Path(address).is_socket()
    (shell.state / "owner.lock").write_text(f"{os.getpid()}\n")
    (shell.state / "owner.starting").write_text("left behind")

    assert shell.run("run", "[[reply: two]]").strip() == "two"

    Path(address).unlink()
    Path(address).mkdir()
    shell.kill_owner()
    until(lambda: gone(int((shell.state / "owner.lock").read_text())), "its end")
    assert "[" in shell.run("run", "[[reply: three]]", code=3)
    Path(address).rmdir()


def test_a_published_address_that_leads_nowhere_is_passed_over(shell: Shell) -> None:
    shell.run("submit", "[[reply: one]]")
    (shell.state / "owner.address").write_text("/nowhere/at/all.sock")

    assert shell.run("run", "[[reply: two]]").strip() == "two"


def test_an_embedded_owner_takes_callers(shell: Shell) -> None:
    with relay(shell, "--embedded") as coordinator:
        first = view(coordinator.call("pool_submit", prompt="[[reply: one]]"))["task_id"]
        with relay(shell) as second:
            assert view(second.call("pool_result", task_id=first))["task_id"] == first


def test_a_program_with_a_pool_of_its_own_keeps_others_off_by_name(shell: Shell) -> None:
    async def scene() -> None:
        async with open_pool(
            state_dir=str(shell.folder / "own"), environ=shell.environment, slots=1,
            claude=shell.environment["CLAUDE_POOL_CLAUDE"], working_dir=str(shell.folder),
        ):  # fmt: skip
            said = await asyncio.to_thread(shell.run, "--state-dir", "own", "submit", "hello", code=3)
            assert "[store_in_use] " in said and f"(pid {os.getpid()})" in said

    asyncio.run(scene())


def test_an_owner_of_another_version_at_work_lets_read_and_refuses_changes(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with relay_of_another_version(shell, monkeypatch) as client:
        client.call("pool_submit", {"prompt": "[[hang]]"})
        with relay(shell) as coordinator:
            status = view(coordinator.call("pool_status"))
            refused = coordinator.call("pool_run", prompt="never")["result"]
        said = shell.run("submit", "never", code=3)

    assert status["total_slots"] == 1
    for text in (refused["content"][0]["text"], said):
        assert "[config_conflict] " in text
        assert "9.9.9" in text and VERSION in text and "`claude-pool stop`" in text
    shell.run("stop", "--now")


def test_an_idle_owner_of_another_version_is_replaced(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with relay_of_another_version(shell, monkeypatch):
        other = int((shell.state / "owner.lock").read_text())

    assert shell.run("run", "[[reply: ours]]").strip() == "ours"

    assert gone(other)


def relay_of_another_version(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A session with an owner that says it is 9.9.9, of a caller that says so too."""
    return relay_of(shell, monkeypatch, (sys.executable, "-P", "-c", _OTHER_VERSION), "9.9.9")


def relay_of(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], version: str = VERSION
) -> Client:
    """A session with an owner that is started by `command`, of a caller that says it is of `version`."""
    monkeypatch.setattr(handover, "OWNER_COMMAND", command)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    settings = settle({}, shell.environment, str(shell.folder))
    hello: dict[str, Any] = greeting("shell", toolsets="all", working_dir=settings.places.work_tree)
    client = Client(handover.reach(settings.places, hello | {"version": version}, settings.document()))
    client.initialize()
    return client


def test_an_owner_without_room_for_its_own_words_works_all_the_same(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("run", "[[reply: one]]")
    shell.run("stop")
    (shell.state / "log.sqlite.view").write_bytes(b"damaged, so that there is something to say")
    silent = ("sh", "-c", 'exec "$0" -P -m claude_pool.adapters.owner 2>/dev/full', sys.executable)
    with relay_of(shell, monkeypatch, silent) as client:
        assert client.call("pool_run", {"prompt": "[[reply: two]]"})["output"] == "two"
        assert "log.sqlite.view" in str(client.call("pool_status", {})["problems"])


def test_an_owner_that_is_stopped_for_a_while_times_nothing_out(tmp_path: Path) -> None:
    patience = {f"CLAUDE_POOL_{name}_TIMEOUT": "3" for name in ("SILENCE", "FIRST_OUTPUT", "TOOL_SILENCE")}
    with a_shell(tmp_path, "normal", None, CLAUDE_POOL_SLOTS="2", **patience) as shell:
        tasks = [shell.run("submit", "[[slow: 100ms x 90]] [[reply: whole]]").strip() for _ in range(2)]
        until(lambda: [state_of(shell, each) for each in tasks] == ["running"] * 2, "both")
        owner = int((shell.state / "owner.lock").read_text())
        os.kill(owner, signal.SIGSTOP)
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                subprocess.run(["sleep", "9"], timeout=4, check=True)
        finally:
            os.kill(owner, signal.SIGCONT)
        shell.run("wait", *tasks)
        assert [state_of(shell, each) for each in tasks] == ["completed", "completed"]
