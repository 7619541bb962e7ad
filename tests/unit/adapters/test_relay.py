"""The relay between a coordinator and the owner: lines both ways, owners that come, die and come back."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.lines import LINE_BYTES, Lines
from claude_pool.adapters.relay import LEAVE_SECONDS

from tests.support.stand_in import PATIENCE, Bench, Coordinator, gone, until, words

MODERN = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


class Served:
    """Starts relays and sees that they end."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.all: list[Coordinator] = []

    def __call__(self, *flags: str) -> Coordinator:
        self.all.append(Coordinator(self._bench.claude_pool("serve", *flags)))
        return self.all[-1]


@pytest.fixture
def serve(bench: Bench) -> Iterator[Served]:
    served = Served(bench)
    yield served
    for coordinator in served.all:
        coordinator.close()


def shake_hands(coordinator: Coordinator) -> dict[str, Any]:
    coordinator.request("initialize", {"protocolVersion": "2025-11-25"})
    answer = coordinator.receive()
    coordinator.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return answer


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["result"]["content"][0]["text"])


def test_an_owner_is_started_on_demand_and_answers(bench: Bench, serve: Served) -> None:
    coordinator = serve("-n", "4", "--toolsets=core,debug")

    assert coordinator.call("echo", word="hi")["result"]["structuredContent"]["word"] == "hi"
    assert bench.settings()[0]["settings"]["options"]["slots"] == 4


def test_the_greeting_says_who_calls_and_what_it_insists_on(bench: Bench, serve: Served) -> None:
    bench.environ["CLAUDE_POOL_MODEL"] = "opus"
    bench.environ["ANTHROPIC_API_KEY"] = "hunter2"
    serve("-n4", "--toolsets=core,debug").call("echo")

    hello = bench.heard()[1]
    assert (hello["role"], hello["actor"], hello["toolsets"]) == ("relay", "coordinator", "core,debug")
    assert hello["explicit"] == {"model": "opus", "slots": 4}
    assert sorted(hello["environment"]) == ["ANTHROPIC_API_KEY", "HOME"]
    assert hello["working_dir"] == str(bench.work)
    assert "hunter2" not in json.dumps(hello)


def test_the_owner_is_detached_and_inherits_nothing(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    coordinator.call("echo")

    told = bench.settings()[0]
    assert told["sid"] == bench.pids()[0] != os.getsid(0)
    assert told["cwd"] == "/"
    # Standard streams, the lock, the loop's own, and the listing itself: no pipe of the coordinator's.
    pipes = [os.readlink(f"/proc/{bench.pids()[0]}/fd/{number}") for number in (0, 1, 2)]
    assert pipes[1] == pipes[2] == bench.places.owner_log
    assert "deleted" in pipes[0]


def test_a_second_relay_finds_the_same_owner(bench: Bench, serve: Served) -> None:
    first, second = (serve().call("echo")["result"]["structuredContent"]["pid"] for _ in range(2))

    assert first == second
    assert len(bench.pids()) == 1


def test_of_many_relays_at_once_all_reach_the_one_owner(bench: Bench, serve: Served) -> None:
    bench.script(delay=0.3)
    coordinators = [serve() for _ in range(4)]

    assert len({c.call("echo")["result"]["structuredContent"]["pid"] for c in coordinators}) == 1


def test_an_owner_that_is_leaving_is_replaced(bench: Bench, serve: Served) -> None:
    bench.script(replace=True)

    assert serve().call("echo")["result"]["structuredContent"]["pid"] == bench.pids()[1]


def test_a_call_open_when_the_owner_dies_is_answered_and_the_next_one_starts_another(
    bench: Bench, serve: Served
) -> None:
    coordinator = serve()
    coordinator.request("tools/call", {"name": "slow"})
    coordinator.request("tools/list")
    assert coordinator.receive()["result"] == {"method": "tools/list"}

    died = coordinator.call_out_of_order("die")

    assert [answer["id"] for answer in died] == [1, 3]
    for answer in died:
        assert answer["result"]["isError"] is True
        assert text_of(answer).startswith("[internal] ")
        assert text_of(answer).endswith("accepted work is in the log; call again.")
    assert coordinator.call("echo")["result"]["structuredContent"]["pid"] == bench.pids()[1]


def test_other_requests_are_answered_with_a_protocol_error(serve: Served) -> None:
    coordinator = serve()
    coordinator.send(
        {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "die"}},
        {"jsonrpc": "2.0", "id": "b", "method": "prompts/list"},
    )

    answers = {answer["id"]: answer for answer in (coordinator.receive(), coordinator.receive())}

    assert text_of(answers["a"]).startswith("[internal] ")
    assert answers["b"]["error"]["message"].startswith("[internal] ") or "result" in answers["b"]


def test_a_new_owner_is_brought_to_where_the_old_one_was(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    first = shake_hands(coordinator)
    coordinator.call("die")

    answer = coordinator.call("echo")

    replayed = [message for pid, message in bench.journal() if pid == bench.pids()[1]][2:]
    assert words(replayed) == ["initialize", "notifications/initialized", "tools/call"]
    assert replayed[0]["params"] == {"protocolVersion": "2025-11-25"}
    assert replayed[0]["id"] != first["id"]
    assert answer["result"]["structuredContent"]["pid"] == bench.pids()[1]


def test_a_subscription_outlives_its_owner(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    coordinator.request("subscriptions/listen", MODERN, "listen:0")
    assert coordinator.receive()["method"] == "notifications/subscriptions/acknowledged"
    coordinator.call("die")

    assert "pid" in coordinator.call("echo")["result"]["structuredContent"]
    listens = [message for message in bench.heard() if message.get("method") == "subscriptions/listen"]
    assert [message["id"] for message in listens] == ["listen:0", "listen:0"]


def test_a_cancelled_subscription_is_not_renewed(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    coordinator.request("subscriptions/listen", MODERN, "listen:0")
    coordinator.receive()
    coordinator.send(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "listen:0"}}
    )
    coordinator.call("die")
    coordinator.call("echo")

    assert words(bench.heard()).count("subscriptions/listen") == 1


def test_a_cancelled_call_is_not_answered_when_the_owner_dies(serve: Served) -> None:
    coordinator = serve()
    coordinator.request("tools/call", {"name": "slow"}, "gone")
    coordinator.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "gone"}})

    assert text_of(coordinator.call("die")).startswith("[internal] ")
    assert "pid" in coordinator.call("echo")["result"]["structuredContent"]


def test_answers_of_the_modern_protocol_say_that_they_are_complete(serve: Served) -> None:
    coordinator = serve()
    coordinator.request("tools/call", {"name": "die", **MODERN})

    assert coordinator.receive()["result"]["resultType"] == "complete"


def test_a_handshake_after_a_probe_begins_on_a_connection_of_its_own(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    coordinator.send(
        {"jsonrpc": "2.0", "id": "probe", "method": "server/discover", "params": MODERN},
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}},
    )
    answer = coordinator.receive()
    while answer["id"] != 1:
        answer = coordinator.receive()

    assert answer["result"]["protocolVersion"] == "2025-11-25"
    assert [m.get("role", m.get("method")) for m in bench.heard()[1:]][-2:] == ["relay", "initialize"]


def test_an_id_that_is_a_number_is_not_the_same_as_text(serve: Served) -> None:
    coordinator = serve()
    coordinator.request("tools/call", {"name": "slow"}, "7")
    coordinator.request("tools/call", {"name": "echo"}, 7)
    assert coordinator.receive()["id"] == 7

    answers = coordinator.call_out_of_order("die")

    assert answers[0]["id"] == "7"


def test_lines_that_are_no_messages_are_passed_on(bench: Bench, serve: Served) -> None:
    coordinator = serve()
    coordinator.write(b"\n  \n[]\n")
    coordinator.send({"jsonrpc": "2.0", "id": 5, "result": {}})

    assert coordinator.call("echo", n=1)["result"]["structuredContent"]["n"] == 1
    assert {"jsonrpc": "2.0", "id": 5, "result": {}} in bench.heard()


def test_long_lines_pass_both_ways(serve: Served) -> None:
    long = "x" * (8 << 20)

    assert serve().call("echo", long=long)["result"]["structuredContent"]["long"] == long


def test_a_line_beyond_the_limit_is_refused_and_the_next_one_works(serve: Served) -> None:
    coordinator = serve()
    coordinator.write(b'{"id": 1, "method": "' + b"x" * (LINE_BYTES + 100) + b'"}\n')

    assert coordinator.receive()["error"]["message"].startswith("[invalid_argument] a line is longer")
    assert "pid" in coordinator.call("echo")["result"]["structuredContent"]


def test_open_calls_are_answered_before_the_relay_leaves(serve: Served) -> None:
    coordinator = serve()
    for number in range(20):
        coordinator.request("tools/call", {"name": "echo", "arguments": {"n": number}})
    coordinator.end_input()

    answers = [json.loads(line) for line in coordinator.rest().splitlines()]

    assert [answer["result"]["structuredContent"]["n"] for answer in answers] == list(range(20))
    assert coordinator.process.wait(PATIENCE) == 0


def test_a_call_without_end_does_not_keep_the_relay(serve: Served) -> None:
    coordinator = serve()
    coordinator.call("echo")
    coordinator.request("tools/call", {"name": "slow"})
    coordinator.end_input()
    began = time.monotonic()

    assert coordinator.process.wait(PATIENCE) == 0
    assert time.monotonic() - began < LEAVE_SECONDS + 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_relay_at_once_and_leaves_the_owner(
    bench: Bench, serve: Served, number: signal.Signals
) -> None:
    coordinator = serve()
    coordinator.call("echo")
    coordinator.request("tools/call", {"name": "slow"})
    coordinator.process.send_signal(number)

    assert coordinator.process.wait(PATIENCE) == 0
    assert coordinator.process.stderr is not None
    assert coordinator.process.stderr.read() == b""
    assert not gone(bench.pids()[0])


def test_a_coordinator_that_closes_its_ears_ends_the_relay(serve: Served) -> None:
    coordinator = serve()
    coordinator.call("echo")
    assert coordinator.process.stdout is not None
    coordinator.process.stdout.close()

    assert coordinator.process.wait(PATIENCE) == 0


def test_where_no_owner_can_be_started_each_call_says_why(bench: Bench, serve: Served) -> None:
    bench.script(
        fail={"exit": 6, "log": "noise\n[log_newer] log.sqlite was written by a newer version.\nbye"}
    )
    coordinator = serve()

    assert text_of(coordinator.call("echo")) == "[log_newer] log.sqlite was written by a newer version."
    coordinator.request("initialize")
    assert coordinator.receive()["error"]["message"].startswith("[log_newer] ")
    coordinator.end_input()
    assert coordinator.process.wait(PATIENCE) == 3


def test_an_owner_that_ends_without_a_word_is_reported_with_its_log(bench: Bench, serve: Served) -> None:
    bench.script(fail={"exit": 70, "log": "Traceback\nKeyError: 'x'"})
    text = text_of(serve().call("echo"))

    assert text.startswith(
        "[internal] The pool's owner ended at its start (exit code 70): Traceback KeyError: 'x'"
    )
    assert bench.places.owner_log in text


def test_an_owner_that_can_be_started_later_is_used_then(bench: Bench, serve: Served) -> None:
    Path(bench.folder / "home").write_text("in the way of the state directory")
    coordinator = serve()
    assert text_of(coordinator.call("echo")).startswith("[store_unreadable] ")
    Path(bench.folder / "home").unlink()

    until(lambda: "structuredContent" in coordinator.call("echo")["result"], "an answer of the owner's")


@pytest.mark.parametrize(
    ("flags", "variables", "message"),
    [
        (["--slotz", "2"], {}, "[invalid_argument] --slotz: serve has no such flag; did you mean '--slots'?"),
        (
            [],
            {"CLAUDE_POOL_SLOTS": "abc"},
            "[invalid_argument] CLAUDE_POOL_SLOTS: 'abc' is not a whole number",
        ),
        (
            [],
            {"CLAUDE_POOL_TOOLSETS": "cores"},
            "[invalid_argument] CLAUDE_POOL_TOOLSETS: there is no toolset",
        ),
        (["--working-dir=nowhere"], {}, "[invalid_argument] working_dir: "),
    ],
)
def test_wrong_options_end_the_relay_with_a_usage_error(
    bench: Bench, flags: list[str], variables: dict[str, str], message: str
) -> None:
    bench.environ.update(variables)

    ended = bench.run("serve", *flags)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(message)


def test_options_that_only_the_owner_finds_wrong_end_the_relay_too(bench: Bench) -> None:
    bench.script(fail={"exit": 2, "log": "[invalid_argument] slots (flag --slots): too many"})

    ended = bench.run("serve")

    assert (ended.returncode, ended.stderr) == (2, "[invalid_argument] slots (flag --slots): too many\n")


def test_lines_are_cut_wherever_the_pieces_end() -> None:
    lines = Lines()

    cut = [lines.feed(piece) for piece in (b"a", b"b\nc\n\nd", b"", b"\n")]

    assert cut == [[], [b"ab\n", b"c\n"], [], [b"d\n"]]


@pytest.mark.parametrize("piece", [1 << 16, LINE_BYTES * 3])
def test_only_lines_beyond_the_limit_are_left_out(piece: int) -> None:
    lines = Lines()
    longest, longer = b"x" * LINE_BYTES + b"\n", b"y" * (LINE_BYTES + 1) + b"\n"
    stream = longest + longer + b"z\n"

    found = [line for at in range(0, len(stream), piece) for line in lines.feed(stream[at : at + piece])]

    assert [len(line) for line in found] == [LINE_BYTES + 1, 2]
    assert lines.left_out == 1
