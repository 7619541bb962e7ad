"""Each persona misbehaves as it is described."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.cli_process import CliProcess, Line, running_cli
from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.waiting import until_sync

from .conftest import BYPASS, nanodollars

Start = Callable[..., CliProcess]


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Generator[Start]:
    """Start a fake with a persona."""
    with ExitStack() as stack:

        def start(persona: str, *flags: str) -> CliProcess:
            environment = fake_environment(tmp_path) | {"CLAUDE_CODE_MAX_RETRIES": "0"}
            words = ("--model=haiku", *BYPASS, *flags)
            return stack.enter_context(running_cli(fake_cli(tmp_path, persona), environment, tmp_path, words))

        yield start


def prompted(start: Start, persona: str, text: str = "one two three") -> CliProcess:
    cli = start(persona)
    cli.prompt(text)
    return cli


def assert_silent(cli: CliProcess) -> None:
    with pytest.raises(AssertionError, match="silent"):
        cli.until_type("result", seconds=0.3)
    assert cli.process.poll() is None


def is_alive(pid: int) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([watched], [], [], 0)[0]
    finally:
        os.close(watched)


def test_an_unknown_persona_is_refused(start: Start) -> None:
    cli = start("poltergeist")
    assert (cli.exit_code(), cli.errors) == (1, b"there is no persona 'poltergeist'\n")


def test_normal_is_no_different(start: Start) -> None:
    assert start("normal").ask("x")["result"] == "echo: x"


def test_a_persona_in_a_prompt_lasts_for_its_turn(start: Start) -> None:
    cli = start("normal")
    assert "total_cost_usd" not in cli.ask("[[persona: nocost]] x")
    assert "total_cost_usd" in cli.ask("x")


def test_mute_says_nothing_and_outlives_its_stdin(start: Start) -> None:
    cli = prompted(start, "mute")
    cli.close_stdin()
    assert_silent(cli)
    assert cli.lines == []


def test_slowstart_answers_at_last(start: Start) -> None:
    began = time.monotonic()
    cli = prompted(start, "slowstart 300")
    assert cli.until_type("result")["result"] == "echo: one two three"
    assert time.monotonic() - began >= 0.3


def test_crashstart_exits_at_once_with_a_trace(start: Start) -> None:
    cli = start("crashstart 7")
    assert (cli.exit_code(), cli.lines) == (7, [])
    assert cli.errors.startswith(b"TypeError")


@pytest.mark.parametrize(("persona", "code"), [("exit0", 0), ("crash 3", 3), ("kill9", -signal.SIGKILL)])
def test_a_process_that_ends_within_a_turn_gives_no_result(start: Start, persona: str, code: int) -> None:
    cli = prompted(start, persona)
    assert cli.exit_code() == code
    assert (cli.of_type("result"), len(cli.of_type("stream_event")) > 0) == ([], True)


def test_stall_prints_so_many_lines_and_answers_no_interrupt(start: Start) -> None:
    cli = prompted(start, "stall 5")
    cli.until(lambda line: line.get("event", {}).get("type") == "content_block_start")
    cli.send({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}})
    assert_silent(cli)
    lines_of_turn = [line for line in cli.lines if line.get("state") != "queued"]
    assert len(lines_of_turn) == 5


def test_linger_gives_a_result_but_outlives_its_stdin(start: Start) -> None:
    cli = start("linger")
    cli.ask("x")
    cli.close_stdin()
    with pytest.raises(subprocess.TimeoutExpired):
        cli.process.wait(0.3)


def test_garbage_stands_between_the_lines(start: Start) -> None:
    cli = start("garbage")
    assert cli.ask("x")["result"] == "echo: x"
    assert b"warning: this is no JSON\n" in cli.garbage


def test_unknown_lines_stand_between_the_lines(start: Start) -> None:
    cli = start("unknown")
    assert cli.ask("x")["result"] == "echo: x"
    assert len(cli.of_type("surprise")) > 3


def test_unicode_separators_do_not_separate_lines(start: Start) -> None:
    cli = start("unicode")
    assert cli.ask("x")["result"] == "echo: x"
    assert cli.of_type("x")[0]["text"] == "a\u2028b\u0085c\x00d"
    assert cli.garbage[0] == b'{"type":"x","text":"\xff"}\n'


def test_noinit_prints_no_init_line(start: Start) -> None:
    cli = start("noinit")
    cli.ask("x")
    assert cli.of_type("system", "init") == []


@pytest.mark.parametrize("size", [1, 40])
def test_cut_prints_the_beginning_of_the_result_and_exits_well(start: Start, size: int) -> None:
    cli = prompted(start, f"cut {size}")
    assert cli.exit_code() == 0
    assert (len(cli.garbage[-1]), cli.of_type("result")) == (size, [])


def test_bigline_says_that_many_bytes(start: Start) -> None:
    assert len(start("bigline 300000").ask("x")["result"]) == 300_000


def test_double_gives_two_results(start: Start) -> None:
    cli = start("double")
    first, second = cli.ask("x"), cli.until_type("result")
    assert (second["result"], second["user_message_uuid"]) == ("a second result", first["user_message_uuid"])


def test_peer_runs_an_unasked_turn_first_and_bills_it(start: Start) -> None:
    cli = start("peer")
    stray, own = cli.ask("x"), cli.until_type("result")
    assert ("user_message_uuid" in stray, stray["origin"]["kind"]) == (False, "peer")
    assert nanodollars(stray["total_cost_usd"]) == 150_000
    assert (own["result"], nanodollars(own["total_cost_usd"])) == ("echo: x", 170_000)


def test_peer_after_runs_an_unasked_turn_at_rest_that_can_be_interrupted(start: Start) -> None:
    cli = start("peer after")
    assert cli.ask("x")["result"] == "echo: x"
    cli.until(lambda line: line.get("subtype") == "init")
    cli.until_piece()
    cli.control("interrupt")
    stray = cli.until_type("result")
    assert (stray["terminal_reason"], stray["origin"]["kind"]) == ("aborted_streaming", "peer")


def test_stderrflood_does_not_disturb_the_answer(start: Start) -> None:
    cli = start("stderrflood 300000")
    assert cli.ask("x")["result"] == "echo: x"
    cli.close()
    assert len(cli.errors) >= 300_000


def test_flood_prints_that_much(start: Start) -> None:
    cli = start("flood 300000")
    cli.ask("x")
    assert len(cli.of_type("flood")) == 3000


def daemons_of(folder: Path) -> list[int]:
    """The processes that carry the fake's home in their environment and sleep."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            marked = f"HOME={folder}\0".encode() in (entry / "environ").read_bytes()
            if marked and (entry / "cmdline").read_bytes() == b"sleep\x00120\x00":
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def test_daemon_leaves_processes_that_ignore_the_gentle_signal(start: Start, tmp_path: Path) -> None:
    cli = start("daemon 2")
    cli.ask("x")
    cli.close()
    left = daemons_of(tmp_path)
    try:
        assert len(left) == 2
        for pid in left:
            assert os.getsid(pid) not in (cli.process.pid, os.getsid(0))
            os.kill(pid, signal.SIGTERM)
        assert all(is_alive(pid) for pid in left)
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)


def test_respawn_leaves_a_process_when_it_is_terminated(start: Start, tmp_path: Path) -> None:
    cli = start("respawn")
    cli.ask("x")
    cli.process.send_signal(signal.SIGTERM)
    assert cli.exit_code() == 143
    left = daemons_of(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert len(left) == 1


def test_noterm_ignores_signals_and_interrupts(start: Start) -> None:
    cli = prompted(start, "noterm", "[[reply: a b c]] [[stall after: 1]]")
    cli.until_piece()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        cli.process.send_signal(number)
    cli.send({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}})
    assert_silent(cli)


def test_deaf_answers_prompts_but_no_requests(start: Start) -> None:
    cli = start("deaf")
    cli.send({"type": "control_request", "request_id": "i", "request": {"subtype": "initialize"}})
    assert cli.ask("x")["result"] == "echo: x"
    assert cli.of_type("control_response") == []


def test_closestdin_breaks_the_pipe_and_still_answers(start: Start) -> None:
    cli = start("closestdin")
    cli.ask("x")

    def breaks() -> bool:
        try:
            cli.prompt("y")
        except BrokenPipeError:
            return True
        return False

    until_sync(breaks)


def test_noread_leaves_later_prompts_unread(start: Start) -> None:
    cli = start("noread")
    cli.ask("x")
    cli.prompt("y")
    assert_silent(cli)


def test_nosession_knows_no_conversation(start: Start) -> None:
    session = str(uuid4())
    first = start("normal", f"--session-id={session}")
    first.ask("x")
    first.close()
    assert start("nosession", f"--resume={session}").exit_code() == 1


def test_nocost_says_nothing_about_cost(start: Start) -> None:
    result = start("nocost").ask("x")
    assert not result.keys() & {"total_cost_usd", "modelUsage", "model_usage_since_last_result"}


@pytest.mark.parametrize(("kind", "said"), [("negative", "-1.5"), ("huge", "1e+300"), ("text", "0.25")])
def test_badcost_says_an_impossible_cost(start: Start, kind: str, said: str) -> None:
    result = start(f"badcost {kind}").ask("x")
    assert str(result["total_cost_usd"]) == said
    assert str(result["modelUsage"]["claude-haiku-5-5"]["costUSD"]) == said


def test_badcost_nan_is_no_number(start: Start) -> None:
    assert math.isnan(start("badcost nan").ask("x")["total_cost_usd"])


def test_expensive_bills_many_times_the_price(start: Start) -> None:
    result = start("expensive 50").ask("x")
    assert nanodollars(result["total_cost_usd"]) == 1_000_000
    assert nanodollars(result["model_usage_since_last_result"]["claude-haiku-5-5"]["costUSD"]) == 1_000_000


def test_crashafter_ends_the_process_at_rest(start: Start) -> None:
    cli = start("crashafter 9")
    assert cli.ask("x")["result"] == "echo: x"
    assert cli.exit_code() == 9


def test_badclear_keeps_the_conversation(start: Start) -> None:
    cli = start("badclear")
    before = cli.ask("x")["session_id"]
    assert cli.ask("/clear")["session_id"] == before


def test_slowclear_takes_its_time(start: Start) -> None:
    cli = start("slowclear 300")
    began = time.monotonic()
    assert cli.ask("/clear")["num_turns"] == 0
    assert time.monotonic() - began >= 0.3


def test_asks_wants_permission_where_none_is_needed(start: Start) -> None:
    cli = start("asks", "--permission-prompt-tool=stdio")
    cli.prompt('[[tool: Bash {"command":"echo hi"}]]')
    assert cli.until_type("control_request")["request"]["tool_name"] == "Bash"


def test_personas_can_be_combined(start: Start) -> None:
    cli = start("noinit, double")
    cli.ask("x")
    assert cli.until_type("result")["result"] == "a second result"
    assert cli.of_type("system", "init") == []


# -- the older CLI ---------------------------------------------------------------------------------------


def test_old_says_so_and_correlates_nothing(start: Start, tmp_path: Path) -> None:
    cli = start("old")
    result = cli.ask("x")
    init = cli.of_type("system", "init")[0]
    assert (init["claude_code_version"], "capabilities" in init) == ("2.1.197", False)
    assert not result.keys() & {"user_message_uuid", "result_index", "model_usage_since_last_result"}
    assert (cli.of_type("command_lifecycle"), next(iter(result))) == ([], "type")
    version = subprocess.run([tmp_path / "claude", "--version"], capture_output=True, timeout=10, check=True)
    assert version.stdout == b"2.1.197 (Claude Code)\n"


def test_old_keeps_the_cost_at_a_clear_and_loses_it_at_a_resume(start: Start) -> None:
    session = str(uuid4())
    cli = start("old", f"--session-id={session}")
    cli.ask("x")
    assert nanodollars(cli.ask("/clear")["total_cost_usd"]) == 20_000
    assert nanodollars(cli.ask("y")["total_cost_usd"]) == 40_000
    cli.close()
    assert nanodollars(start("old", f"--resume={session}").ask("z")["total_cost_usd"]) == 20_000


def test_old_does_not_bill_interrupted_streams(start: Start) -> None:
    cli = prompted(start, "old", "[[reply: a b c]] [[stall after: 1]]")
    cli.until_piece()
    cli.control("interrupt")
    assert cli.until_type("result")["total_cost_usd"] == 0


def test_old_accepts_any_permission_mode_and_wants_the_input_back(start: Start) -> None:
    cli = start("old", "--permission-prompt-tool=stdio")
    assert cli.control("set_permission_mode", mode="weird")["subtype"] == "success"
    cli.prompt('[[tool: Bash {"command":"touch x"}]] [[result]]')
    question = cli.until_type("control_request")
    allowed: Line = {"subtype": "success", "request_id": question["request_id"]}
    cli.send({"type": "control_response", "response": {**allowed, "response": {"behavior": "allow"}}})
    assert "ZodError" in cli.until_type("result")["result"]


# -- what the fake keeps ---------------------------------------------------------------------------------


def test_calls_are_written_down_as_the_scripted_api_does(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    program = fake_cli(tmp_path, calls=calls)
    with running_cli(program, fake_environment(tmp_path), tmp_path, ("--model=haiku",)) as cli:
        cli.ask("[[usage: input=7 output=3]] hello")
    records = [json.loads(line) for line in calls.read_text("utf-8").splitlines()]
    assert [(record["number"], record["end"]) for record in records] == [(1, "open"), (1, "complete")]
    assert (records[1]["model"], records[1]["status"]) == ("claude-haiku-5-5", 200)
    assert (records[1]["served"]["input"], records[1]["served"]["output"]) == (7, 3)


def test_faults_are_counted_across_processes(start: Start) -> None:
    prompt = "[[status: 529]] [[times: 1]] [[reply: better]]"
    assert start("normal").ask(prompt)["api_error_status"] == 529
    assert start("normal").ask(prompt)["result"] == "better"


def test_without_persistence_nothing_is_kept(start: Start, tmp_path: Path) -> None:
    cli = start("normal", "--no-session-persistence")
    cli.ask("x")
    cli.close()
    assert not (tmp_path / ".claude").exists()


def test_a_recorded_system_prompt_is_kept_when_resuming_unless_the_snapshot_is_off(start: Start) -> None:
    session = str(uuid4())
    first = start("normal", f"--session-id={session}", "--append-system-prompt=a heron")
    first.ask("x")
    first.close()
    kept = start("normal", f"--resume={session}", "--append-system-prompt=a stork")
    assert kept.ask("[[system has: a heron]]")["result"] == "yes"
    kept.close()
    dropped = start(
        "normal", f"--resume={session}", "--append-system-prompt=a stork", "--system-prompt-snapshot=off"
    )
    assert dropped.ask("[[system has: a stork]]")["result"] == "yes"
