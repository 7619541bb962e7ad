"""The fake lives and dies as the real CLI does: control requests, interrupts, conversations, signals."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.cli_process import CliProcess, Line

from .conftest import BYPASS, Bench, Warm, nanodollars

ENDLESS = "[[usage: input=1000 output=600]] [[slow: 1ms x 60]] [[stall after: 3]] [[reply: %s]]" % (
    "word " * 60
)


def start_endless_stream(cli: CliProcess) -> str:
    uuid = cli.prompt(ENDLESS)
    for _ in range(3):
        cli.until_piece()
    return uuid


def start_endless_command(cli: CliProcess, folder: Path) -> int:
    """Run a command that does not end; its process id."""
    pid_file = folder / "pid"
    os.mkfifo(pid_file)
    cli.prompt(f'[[tool: Bash {{"command":"echo $$ > {pid_file}; sleep 300; echo over"}}]]')
    return int(pid_file.read_text("utf-8"))


def assert_gone(pid: int) -> None:
    """The process has ended or is about to: it can be waited for through its descriptor."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], 5)[0], f"process {pid} is still there"
    finally:
        os.close(watched)


# -- control requests ------------------------------------------------------------------------------------


def test_initialize_tells_version_and_pid(bench: Bench) -> None:
    cli = bench.start()
    response = cli.control("initialize")["response"]
    assert (response["claude_code_version"], response["pid"]) == ("2.1.330", cli.process.pid)


def test_the_model_changes_within_the_process(bench: Bench) -> None:
    cli = bench.start()
    assert cli.control("set_model", model="sonnet")["response"] == {"model": "claude-sonnet-5-5"}
    assert cli.ask("[[model]]")["result"] == "claude-sonnet-5-5"


def test_the_permission_mode_changes_within_the_process(bench: Bench) -> None:
    cli = bench.start(*BYPASS)
    assert cli.control("set_permission_mode", mode="plan")["response"] == {"mode": "plan"}
    cli.ask("x")
    assert cli.of_type("system", "init")[0]["permissionMode"] == "plan"


def test_an_unknown_permission_mode_is_refused(warm: Warm) -> None:
    answer = warm.start().control("set_permission_mode", mode="weird")
    assert (answer["subtype"], answer["error_code"]) == ("error", "invalid_mode")


def test_an_unknown_request_is_refused(warm: Warm) -> None:
    answer = warm.start().control("bogus")
    assert (answer["error"], answer["error_code"]) == (
        "Unsupported control request subtype: bogus",
        "unsupported_request",
    )


def test_flag_settings_and_version_are_answered(bench: Bench) -> None:
    cli = bench.start()
    assert cli.control("apply_flag_settings", settings={"effortLevel": "low"})["subtype"] == "success"
    assert cli.control("get_binary_version")["response"]["version"] == "2.1.330"


def test_end_session_is_acknowledged_and_ends_the_process(bench: Bench) -> None:
    cli = bench.start()
    assert cli.control("end_session")["subtype"] == "success"
    assert cli.exit_code() == 0


# -- interrupts ------------------------------------------------------------------------------------------


def test_an_interrupted_stream_ends_in_an_error_and_is_billed_by_what_was_seen(warm: Warm) -> None:
    cli = warm.start()
    uuid = start_endless_stream(cli)
    assert cli.control("interrupt")["response"] == {"still_queued": []}
    result = cli.until_type("result")
    assert (result["subtype"], result["is_error"]) == ("error_during_execution", True)
    assert (result["terminal_reason"], result["num_turns"]) == ("aborted_streaming", 2)
    assert result["user_message_uuid"] == uuid
    spent = result["model_usage_since_last_result"]["claude-haiku-5-5"]
    streamed = sum(
        len(line["event"]["delta"]["text"])
        for line in cli.of_type("stream_event")
        if line["event"]["type"] == "content_block_delta"
    )
    assert (spent["inputTokens"], spent["outputTokens"]) == (1000, streamed // 3)


def test_an_interrupted_process_answers_the_next_prompt(warm: Warm) -> None:
    cli = warm.start()
    start_endless_stream(cli)
    cli.control("interrupt")
    cli.until_type("result")
    assert cli.ask("next")["result"] == "echo: next"


def test_an_interrupted_request_that_hung_costs_nothing(warm: Warm) -> None:
    cli = warm.start()
    cli.prompt("[[hang]]")
    cli.until(lambda line: line.get("status") == "requesting")
    cli.control("interrupt")
    result = cli.until_type("result")
    assert (result["terminal_reason"], result["model_usage_since_last_result"]) == ("aborted_streaming", {})


def test_an_interrupt_kills_the_running_command(warm: Warm, tmp_path: Path) -> None:
    cli = warm.start(*BYPASS)
    pid = start_endless_command(cli, tmp_path)
    cli.control("interrupt")
    result = cli.until_type("result")
    assert (result["subtype"], result["terminal_reason"]) == ("error_during_execution", "aborted_tools")
    assert_gone(pid)


def test_an_interrupt_at_rest_is_acknowledged_and_changes_nothing(warm: Warm) -> None:
    cli = warm.start()
    cli.ask("one")
    assert cli.control("interrupt")["response"] == {"still_queued": []}
    assert cli.ask("two")["result"] == "echo: two"


def test_prompts_that_waited_are_answered_together_after_an_interrupt(warm: Warm) -> None:
    cli = warm.start()
    start_endless_stream(cli)
    waiting = [cli.prompt("first"), cli.prompt("second")]
    assert cli.control("interrupt")["response"] == {"still_queued": waiting}
    cli.until_type("result")
    result = cli.until_type("result")
    assert (result["user_message_uuids"], result["result"]) == (waiting, "echo: first second")


def test_waiting_prompts_can_be_cancelled_with_an_interrupt(warm: Warm) -> None:
    cli = warm.start()
    start_endless_stream(cli)
    waiting = cli.prompt("never mind")
    answer = cli.control("interrupt", cancel_queued=True)["response"]
    assert answer == {"still_queued": [], "cancelled": [waiting]}
    cli.until_type("result")
    assert cli.ask("next")["result"] == "echo: next"


def test_a_repeated_prompt_is_not_answered_again(warm: Warm) -> None:
    cli = warm.start()
    uuid = cli.prompt("once")
    cli.until_type("result")
    cli.send({"type": "user", "uuid": uuid, "message": {"role": "user", "content": "once"}})
    assert cli.ask("[[recall]]")["result"] == '["once"]'
    assert len(cli.of_type("result")) == 2


# -- conversations ---------------------------------------------------------------------------------------


def test_a_clear_begins_a_new_conversation_at_no_cost(warm: Warm) -> None:
    cli = warm.start()
    before = cli.ask("one")["session_id"]
    cleared = cli.ask("/clear")
    assert (cleared["num_turns"], cleared["total_cost_usd"], cleared["result"]) == (0, 0, "")
    assert cleared["session_id"] != before
    reset = cli.of_type("conversation_reset")[0]
    assert (reset["session_id"], reset["trigger"]) == (before, "clear")
    after = cli.ask("[[recall]]")
    assert (after["result"], after["session_id"]) == ("[]", cleared["session_id"])
    assert nanodollars(after["total_cost_usd"]) == 20_000


def test_a_clear_is_not_carried_out_without_slash_commands(bench: Bench) -> None:
    cli = bench.start("--disable-slash-commands")
    before = cli.ask("one")["session_id"]
    cleared = cli.ask("/clear")
    assert (cleared["session_id"], cleared["is_error"]) == (before, False)
    assert cleared["result"] == "/clear isn't available in this environment."


def test_an_unknown_slash_command_goes_to_the_model(warm: Warm) -> None:
    assert warm.start().ask("/frobnicate now")["result"] == "echo: /frobnicate now"


def test_a_resumed_conversation_remembers_and_goes_on_counting(bench: Bench) -> None:
    session = str(uuid4())
    first = bench.start(f"--session-id={session}")
    assert first.ask("one")["session_id"] == session
    first.close()
    result = bench.start(f"--resume={session}").ask("[[recall]]")
    assert (result["result"], result["session_id"]) == ('["one"]', session)
    assert nanodollars(result["total_cost_usd"]) == 40_000


def test_a_fork_remembers_under_an_id_of_its_own(bench: Bench) -> None:
    session, branch = str(uuid4()), str(uuid4())
    first = bench.start(f"--session-id={session}")
    first.ask("one")
    first.close()
    forked = bench.start(f"--resume={session}", "--fork-session", f"--session-id={branch}")
    assert forked.ask("two")["session_id"] == branch
    forked.close()
    assert bench.start(f"--resume={session}").ask("[[recall]]")["result"] == '["one"]'


def assert_refused(cli: CliProcess, text: str) -> None:
    assert cli.exit_code() == 1
    assert cli.errors.decode() == text + "\n"


def test_a_session_id_that_is_taken_is_refused(bench: Bench) -> None:
    session = str(uuid4())
    first = bench.start(f"--session-id={session}")
    first.ask("one")
    first.close()
    again = bench.start(f"--session-id={session}")
    assert_refused(again, f"Error: Session ID {session} is already in use.")
    assert again.lines == []


def test_a_resume_of_nothing_is_refused_with_a_result(bench: Bench) -> None:
    session = str(uuid4())
    cli = bench.start(f"--resume={session}")
    assert_refused(cli, f"No conversation found with session ID: {session}")
    (result,) = cli.lines
    assert (result["type"], result["subtype"]) == ("result", "error_during_execution")
    assert result["errors"] == [f"No conversation found with session ID: {session}"]


def test_a_chosen_id_without_a_fork_is_refused_when_resuming(bench: Bench) -> None:
    cli = bench.start(f"--resume={uuid4()}", f"--session-id={uuid4()}")
    assert_refused(cli, "Error: --session-id with --continue or --resume also needs --fork-session.")


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--session-id=abc", "Error: Invalid session ID. Must be a valid UUID."),
        ("--bogus-flag=1", "error: unknown option '--bogus-flag=1'"),
    ],
)
def test_a_bad_option_is_refused(bench: Bench, flag: str, text: str) -> None:
    assert_refused(bench.start(flag), text)


def test_an_invalid_schema_is_refused(bench: Bench) -> None:
    cli = bench.start('--json-schema={"type":"strnig"}')
    assert cli.exit_code() == 1
    assert cli.errors.startswith(b"Error: --json-schema is not a valid JSON Schema: ")


def test_the_version_is_printed(bench: Bench) -> None:
    asked = subprocess.run(
        [bench.program, "--version"], env=bench.environment, capture_output=True, timeout=20, check=True
    )
    assert asked.stdout == b"2.1.330 (Claude Code)\n"


# -- permissions -----------------------------------------------------------------------------------------

TOUCH = '[[tool: Bash {"command":"touch a && rm a"}]] [[result]]'
READ_ONLY = '[[tool: Bash {"command":"echo readable"}]] [[result]]'


def test_a_read_only_command_needs_no_permission(warm: Warm) -> None:
    assert warm.start("--permission-mode=default").ask(READ_ONLY)["result"] == "readable"


def test_a_command_without_permission_is_denied_and_the_turn_succeeds(warm: Warm) -> None:
    cli = warm.start("--permission-mode=default")
    result = cli.ask(TOUCH)
    (denial,) = result["permission_denials"]
    assert (denial["tool_name"], denial["tool_input"]) == ("Bash", {"command": "touch a && rm a"})
    assert (result["is_error"], result["subtype"]) == (False, "success")
    assert len(cli.of_type("system", "permission_denied")) == 1


def test_an_allowed_tool_runs(bench: Bench) -> None:
    result = bench.start("--permission-mode=default", "--allowedTools=Bash").ask(TOUCH)
    assert (result["permission_denials"], result["result"]) == ([], "(Bash completed with no output)")


def ask_permission(warm: Warm) -> tuple[CliProcess, Line]:
    cli = warm.start("--permission-mode=default", "--permission-prompt-tool=stdio")
    cli.prompt(TOUCH)
    return cli, cli.until_type("control_request")


def answer(cli: CliProcess, question: Line, response: Line) -> None:
    body = {"subtype": "success", "request_id": question["request_id"], "response": response}
    cli.send({"type": "control_response", "response": body})


def test_a_question_names_the_tool_and_its_input(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    request = question["request"]
    assert (request["subtype"], request["tool_name"]) == ("can_use_tool", "Bash")
    assert request["input"] == {"command": "touch a && rm a"}
    answer(cli, question, {"behavior": "deny", "message": "no"})
    cli.until_type("result")


def test_a_permitted_command_runs(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    answer(cli, question, {"behavior": "allow"})
    result = cli.until_type("result")
    assert (result["result"], result["permission_denials"]) == ("(Bash completed with no output)", [])


def test_a_changed_input_is_what_runs(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    answer(cli, question, {"behavior": "allow", "updatedInput": {"command": "echo instead"}})
    assert cli.until_type("result")["result"] == "instead"


def test_a_denied_command_gives_the_model_the_reason(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    answer(cli, question, {"behavior": "deny", "message": "not today"})
    result = cli.until_type("result")
    assert (result["result"], len(result["permission_denials"])) == ("not today", 1)


def test_a_denial_may_end_the_turn(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    answer(cli, question, {"behavior": "deny", "message": "stop", "interrupt": True})
    result = cli.until_type("result")
    assert (result["terminal_reason"], result["is_error"]) == ("aborted_tools", True)


def test_an_open_question_is_taken_back_by_an_interrupt(warm: Warm) -> None:
    cli, question = ask_permission(warm)
    cli.control("interrupt")
    assert cli.of_type("control_cancel_request")[0]["request_id"] == question["request_id"]
    assert cli.until_type("result")["terminal_reason"] == "aborted_tools"


# -- stdin and signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("not json", b"Error parsing streaming input line (type=unknown, 8 chars): SyntaxError\n"),
        ('{"type":"user"}', b"Error: Expected message role 'user', got 'undefined'\n"),
        (
            '{"type":"user","message":{"role":"assistant","content":"x"}}',
            b"Error: Expected message role 'user', got 'assistant'\n",
        ),
    ],
)
def test_a_bad_line_ends_the_process(bench: Bench, line: str, text: bytes) -> None:
    cli = bench.start()
    cli.send(line)
    assert (cli.exit_code(), cli.errors) == (1, text)


@pytest.mark.parametrize("line", ["", "[1]", '{"type":"what"}', '{"type":"keep_alive"}'])
def test_a_line_of_another_kind_is_ignored(warm: Warm, line: str) -> None:
    cli = warm.start()
    cli.send(line)
    assert cli.ask("x")["result"] == "echo: x"


def test_closing_stdin_at_rest_ends_the_process_well(bench: Bench) -> None:
    cli = bench.start()
    cli.ask("x")
    assert cli.close() == 0


def test_closing_stdin_after_a_failed_turn_ends_the_process_badly(bench: Bench) -> None:
    cli = bench.start()
    cli.ask("[[status: 529]]")
    assert cli.close() == 1


def test_closing_stdin_within_a_turn_lets_it_end(bench: Bench) -> None:
    cli = bench.start()
    cli.prompt("[[slow: 20ms x 10]] [[reply: to the end]]")
    cli.until_piece()
    assert cli.close() == 0
    assert cli.of_type("result")[0]["result"] == "to the end"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0), (signal.SIGHUP, 129)]
)
def test_a_signal_at_rest_ends_the_process(bench: Bench, number: signal.Signals, code: int) -> None:
    cli = bench.start()
    cli.ask("x")
    cli.process.send_signal(number)
    assert cli.exit_code() == code


def test_a_terminated_stream_has_no_result(bench: Bench) -> None:
    cli = bench.start()
    start_endless_stream(cli)
    cli.process.send_signal(signal.SIGTERM)
    assert (cli.exit_code(), cli.of_type("result")) == (143, [])


def test_an_interrupt_signal_gives_a_result_and_ends_the_process(bench: Bench) -> None:
    cli = bench.start()
    start_endless_stream(cli)
    cli.process.send_signal(signal.SIGINT)
    assert cli.exit_code() == 0
    assert cli.of_type("result")[0]["terminal_reason"] == "aborted_streaming"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_a_signal_kills_the_running_command(
    bench: Bench, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    cli = bench.start(*BYPASS)
    pid = start_endless_command(cli, tmp_path)
    cli.process.send_signal(number)
    assert cli.exit_code() == code
    assert_gone(pid)


def test_a_killed_process_orphans_its_command(bench: Bench, tmp_path: Path) -> None:
    cli = bench.start(*BYPASS)
    pid = start_endless_command(cli, tmp_path)
    cli.process.kill()
    cli.exit_code()
    os.killpg(pid, signal.SIGKILL)
    assert_gone(pid)
