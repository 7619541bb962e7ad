"""The shell's MCP client and the way to the owner, against a scripted owner."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_pool.adapters import calling, handover
from claude_pool.adapters import client as module
from claude_pool.adapters.calling import Link, Unavailable, connect, greeting
from claude_pool.adapters.cli.guard import guarded
from claude_pool.adapters.client import Client, ToolError
from claude_pool.adapters.config.settings import settle
from claude_pool.adapters.handover import reach
from claude_pool.domain.errors import StoreUnreadable

from tests.support.stand_in import OWNER, PATIENCE, Bench, gone, until


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(handover, "OWNER_COMMAND", OWNER)
    made = Bench(tmp_path)
    yield made
    made.close()
    until(lambda: all(gone(pid) for pid in made.pids()), "the end of the owners")


def linked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of an owner that is started with the bench's script."""
    monkeypatch.setenv("STAND_IN", bench.environ.get("STAND_IN", "{}"))
    document = settle({}, bench.environ, str(bench.work)).document()
    client = Client(reach(bench.places, greeting("shell", toolsets="all"), document, PATIENCE))
    client.initialize()
    return client


def test_a_call_returns_the_structured_result(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client:
        assert client.call("echo", {"n": 1})["n"] == 1
        assert client.welcome["ok"] is True
    assert bench.heard()[1]["role"] == "shell"
    assert bench.heard()[2]["params"]["protocolVersion"] == "2025-11-25"


def test_an_owner_that_does_not_answer_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    with theirs, Client(Link(ours, {}, b"")) as caller, pytest.raises(TimeoutError):
        caller.call("pool_status", {})


def test_an_owner_that_reads_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    with theirs, Client(Link(ours, {}, b"")) as caller, pytest.raises(TimeoutError):
        caller.call("pool_submit", {"prompt": "x" * 2**22})


def test_a_verb_says_that_the_owner_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    def verb() -> int:
        raise TimeoutError

    assert guarded(verb) == 1
    assert capsys.readouterr().err.startswith("[internal] The pool's owner does not answer.")


def test_a_refusal_carries_its_code_and_message(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.script(errors={"submit": "[budget_exceeded] nothing left:\nraise it", "odd": "no code"})
    with linked(bench, monkeypatch) as client:
        with pytest.raises(ToolError) as refused:
            client.call("submit", {})
        with pytest.raises(ToolError) as odd:
            client.call("odd", {})

    assert (refused.value.code, refused.value.message) == ("budget_exceeded", "nothing left:\nraise it")
    assert (odd.value.code, odd.value.message) == ("internal", "no code")


def test_wrong_parameters_are_invalid_arguments(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client, pytest.raises(ToolError) as refused:
        client.request("refused", {})

    assert refused.value.code == "invalid_argument"


def test_resources_are_read_as_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client:
        assert client.read("pool://results/x") == "all of pool://results/x"


def test_a_wait_is_bounded_and_the_late_answer_is_passed_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with linked(bench, monkeypatch) as client:
        with pytest.raises(TimeoutError):
            client.call("slow", {}, timeout=0.05)
        with pytest.raises(TimeoutError):
            client.call("echo", {}, timeout=0)
        assert client.call("echo", {"n": 2})["n"] == 2


def test_an_owner_that_dies_ends_the_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client:
        with pytest.raises(ToolError, match="ended before it answered"):
            client.call("die", {})
        with pytest.raises(ToolError) as again:
            client.call("echo", {})

    assert again.value.code == "internal"


def test_the_end_of_an_owner_can_be_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client:
        assert client.wait_for_end(0.05) is False
    link = connect(bench.places, greeting("shell", stop="now"))
    assert link is not None
    with Client(link) as stopping:
        assert stopping.wait_for_end(PATIENCE) is True


def test_nobody_answers_where_there_is_no_owner(bench: Bench) -> None:
    assert connect(bench.places, greeting("shell")) is None
    assert bench.pids() == []


def test_a_stale_socket_is_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(bench, monkeypatch) as client, pytest.raises(ToolError):
        client.call("die", {})
    assert os.path.exists(bench.places.socket)

    assert connect(bench.places, greeting("shell")) is None
    with linked(bench, monkeypatch) as client:
        assert client.call("echo", {})["pid"] == bench.pids()[1]


def test_a_refused_greeting_is_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.script(refuse={"claude_pool": 1, "code": "invalid_argument", "message": "no such toolset"})

    with pytest.raises(Unavailable) as refused:
        linked(bench, monkeypatch)

    assert (refused.value.code, refused.value.message) == ("invalid_argument", "no such toolset")


def test_something_else_on_the_socket_is_not_taken_for_an_owner(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.script(refuse={"jsonrpc": "2.0"})

    with pytest.raises(Unavailable, match="is not an owner of a pool"):
        linked(bench, monkeypatch)


def test_an_owner_that_does_not_answer_in_time_is_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.script(delay=1.5)
    monkeypatch.setenv("STAND_IN", bench.environ["STAND_IN"])
    document = settle({}, bench.environ, str(bench.work)).document()
    began = time.monotonic()

    with pytest.raises(Unavailable, match=r"No owner answered within 0\.3 seconds"):
        reach(bench.places, greeting("shell"), document, 0.3)

    assert time.monotonic() - began < 3
    until(bench.pids, "the owner, to be ended")


def test_a_lock_without_an_owner_that_answers_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.script(fail={"exit": 3, "log": "[store_in_use] held by another owner (pid 7)."})
    monkeypatch.setenv("STAND_IN", bench.environ["STAND_IN"])
    document = settle({}, bench.environ, str(bench.work)).document()

    with pytest.raises(Unavailable) as refused:
        reach(bench.places, greeting("shell"), document, 4.0)

    assert (refused.value.code, refused.value.message) == ("store_in_use", "held by another owner (pid 7).")


def test_a_long_log_of_the_owner_is_put_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Path(bench.places.owner_log)
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * (1 << 20) + b"y")

    linked(bench, monkeypatch).close()

    assert Path(f"{log}.old").stat().st_size == (1 << 20) + 1
    assert log.stat().st_size < 1000


def test_a_state_directory_that_cannot_be_made_is_reported(bench: Bench) -> None:
    (bench.folder / "home").write_text("in the way")
    document = settle({}, bench.environ, str(bench.work)).document()

    with pytest.raises(StoreUnreadable, match="Not a directory"):
        reach(bench.places, greeting("shell"), document, PATIENCE)


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert version("claude-pool") == calling.VERSION
