"""The shell's verbs, as commands of their own against a scripted owner."""

from __future__ import annotations

import json
import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stand_in import PATIENCE, Bench, gone, until

ID = "task-aaaaaaaaaaaaaaaa"
OTHER = "task-bbbbbbbbbbbbbbbb"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def task(state: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "task_id": ID,
        "state": state,
        "output": "the answer",
        "cost_microdollars": 12_300,
        "turns": 2,
        **more,
    }


NOTHING: list[Any] = []


def ends_as(bench: Bench, view: dict[str, Any]) -> None:
    """Let the one task that is submitted come to rest like this, on the second look."""
    bench.script(
        results={
            "pool_submit": [{"task_id": ID}],
            "pool_wait": [{"tasks": NOTHING, "cursor": 1}, {"tasks": [view], "cursor": 2}],
            "pool_result": [view],
            "pool_cancel": [view],
            "pool_list_tasks": [{"tasks": [view], "cursor": None}, {"tasks": NOTHING, "cursor": None}],
        }
    )


def waits(bench: Bench) -> list[dict[str, Any]]:
    """What each wait asked for."""
    return [arguments for name, arguments in bench.calls() if name == "pool_wait"]


def test_run_prints_the_answer_and_nothing_else(bench: Bench) -> None:
    ends_as(bench, task())

    ended = bench.run("run", "say it")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "the answer\n", "")
    assert bench.calls()[0] == ("pool_submit", {"prompt": "say it"})
    assert waits(bench)[1]["cursor"] == 1


def test_run_prints_a_long_answer_whole(bench: Bench) -> None:
    ends_as(bench, task(output="the beg…", output_ref=f"pool://results/{ID}"))

    assert bench.run("run", "x").stdout == f"all of pool://results/{ID}\n"


def test_run_as_json_prints_the_view(bench: Bench) -> None:
    ends_as(bench, task("failed", error={"code": "provider_error", "message": "boo"}))

    ended = bench.run("run", "x", "--json")

    assert json.loads(ended.stdout)["error"]["code"] == "provider_error"
    assert (ended.returncode, ended.stderr) == (1, "[provider_error] boo\n")


def test_what_went_wrong_with_a_task_stands_on_standard_error(bench: Bench) -> None:
    ends_as(bench, task("failed", error={"code": "timed_out_task", "message": "60 s"}))
    assert (ended := bench.run("run", "x")).returncode == 124
    assert ended.stderr == "[timed_out_task] 60 s\n"


def test_a_task_that_needs_someone_is_named(bench: Bench) -> None:
    ends_as(bench, task("sealed", reason="cut off"))
    assert (ended := bench.run("run", "x")).returncode == 7
    assert ended.stderr == f"{ID} is sealed: cut off\n"


def test_a_refused_call_ends_with_its_code_and_one_line(bench: Bench) -> None:
    bench.script(errors={"pool_submit": "[budget_exceeded] so\nit is"})

    ended = bench.run("submit", "x")

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "[budget_exceeded] so it is\n")


def test_a_dash_reads_the_prompt_from_standard_input(bench: Bench) -> None:
    ends_as(bench, task())

    assert bench.run("submit", "-", stdin="long\nprompt ✓\n").stdout == f"{ID}\n"
    assert bench.calls()[0][1]["prompt"] == "long\nprompt ✓\n"


def test_the_options_of_a_task_become_its_arguments(bench: Bench) -> None:
    (bench.work / "schema.json").write_text('{"type": "object"}')
    ends_as(bench, task())
    bench.run(
        *("submit", "-m", "haiku", "-e", "HIGH", "-s", "be brief", "-p", "acceptedits", "--tools="),
        *("--allowed-tools=Read,Grep", "--allowed-tools", "Bash(git log, git diff)", "--max-turns", "3"),
        *("--disallowed-tools", "Write", "--fallback-model", "sonnet"),
        *("--task-budget-usd", "0.5", "--task-timeout", "60", "--session", "slot", "--slot", "reviewer"),
        *("--priority", "-5", "--tag", "a", "--tag", "b,c", "--retries", "2", "--json-schema", "schema.json"),
        *("--working-dir", ".", "--idempotency-key", "k", "--on-interrupt", "ask"),
        *("--mcp-servers", '{"mcpServers": {"x": {"command": "y"}}}', "--", "-prompt"),
    )  # fmt: skip

    assert bench.calls() == [
        (
            "pool_submit",
            {
                "prompt": "-prompt", "model": "haiku", "effort": "high", "system_prompt": "be brief",
                "permission_mode": "acceptEdits",
                "allowed_tools": ["Read", "Grep", "Bash(git log, git diff)"],
                "disallowed_tools": ["Write"], "tools": [], "max_turns": 3, "max_budget_usd": 0.5,
                "timeout_seconds": 60.0, "session": "slot", "slot": "reviewer", "priority": -5,
                "tags": ["a", "b,c"], "retries": 2, "json_schema": {"type": "object"},
                "working_dir": str(bench.work), "idempotency_key": "k", "on_interrupt": "ask",
                "fallback_model": "sonnet", "mcp_servers": {"x": {"command": "y"}},
            },
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [["nonsense"], ["submit"], ["submit", "x", "--retries", "many"], ["run", "-n", "x", "y"]]
)
def test_wrong_usage_ends_with_2(bench: Bench, words: list[str]) -> None:
    assert bench.run(*words).returncode == 2
    assert bench.pids() == []


def test_run_insists_on_the_pool_options_that_were_given(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_BUDGET_USD"] = "5"
    ends_as(bench, task())
    bench.run("run", "x", "-n", "3", "-m", "haiku", "--pass-env", "A,B", "--worktree")

    hello = bench.heard()[1]
    assert hello["explicit"] == {"budget_usd": 5.0, "slots": 3, "pass_env": ["A", "B"], "worktree": True}
    assert (hello["role"], hello["actor"], hello["toolsets"], hello["environment"]) == (
        "shell",
        "shell",
        "all",
        {},
    )
    assert bench.settings()[0]["settings"]["options"]["slots"] == 3


def test_submit_insists_on_nothing(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_BUDGET_USD"] = "5"
    ends_as(bench, task())
    bench.run("submit", "x")

    assert bench.heard()[1]["explicit"] == {}


@pytest.mark.parametrize("words", [["--state-dir", "s", "submit", "x"], ["submit", "x", "--state-dir", "s"]])
def test_the_state_directory_can_be_named_before_and_after_the_verb(bench: Bench, words: list[str]) -> None:
    ends_as(bench, task())
    bench.run(*words)

    bench.places = bench.places._replace(state_dir=str(bench.work / "s"))
    assert [name for name, _ in bench.calls()] == ["pool_submit"]


def test_a_wrong_variable_is_named(bench: Bench) -> None:
    bench.environ["CLAUDE_POOL_SLOTS"] = "abc"

    ended = bench.run("status")

    assert ended.returncode == 2
    problem = "'abc' is not a whole number of slots from 1 to 1000"
    assert ended.stderr == f"[invalid_argument] CLAUDE_POOL_SLOTS: {problem}\n"


def test_an_interrupt_cancels_the_task_of_run(bench: Bench) -> None:
    bench.script(
        results={"pool_submit": [{"task_id": ID}], "pool_cancel": [task("cancelled")]}, silent=["pool_wait"]
    )
    with bench.claude_pool("run", "x") as process:
        until(lambda: "pool_wait" in [name for name, _ in bench.calls()], "the wait")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out, err.decode()) == (130, b"", f"cancelled {ID}\n")
    assert bench.calls()[-1] == ("pool_cancel", {"task_id": ID})


def test_a_second_interrupt_leaves_at_once(bench: Bench) -> None:
    bench.script(results={"pool_submit": [{"task_id": ID}]}, silent=["pool_wait", "pool_cancel"])
    with bench.claude_pool("run", "x") as process:
        until(lambda: "pool_wait" in [name for name, _ in bench.calls()], "the wait")
        process.send_signal(signal.SIGINT)
        until(lambda: "pool_cancel" in [name for name, _ in bench.calls()], "the cancel")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)

    assert process.returncode == 130


def test_an_interrupt_elsewhere_changes_nothing(bench: Bench) -> None:
    bench.script(silent=["pool_wait"])
    with bench.claude_pool("wait", ID) as process:
        until(lambda: "pool_wait" in [name for name, _ in bench.calls()], "the wait")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out, err) == (130, b"", b"")
    assert [name for name, _ in bench.calls()] == ["pool_status", "pool_wait"]


def test_wait_collects_until_all_have_come_to_rest(bench: Bench) -> None:
    first, second = task(), task("failed", error={"code": "timed_out_task", "message": "late"})
    second["task_id"] = OTHER
    bench.script(results={"pool_wait": [{"tasks": [second], "cursor": 5}, {"tasks": [first], "cursor": 9}]})

    ended = bench.run("wait", ID, OTHER, "--json")

    assert [view["task_id"] for view in json.loads(ended.stdout)] == [ID, OTHER]
    assert ended.returncode == 124
    assert waits(bench)[1] == {"wait_seconds": 50.0, "task_ids": [ID], "cursor": 5}


def test_wait_without_ids_waits_for_all_that_live(bench: Bench) -> None:
    ends_as(bench, task())

    ended = bench.run("wait")

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0].startswith("TASK")
    assert ID in ended.stdout
    assert [arguments["state"] for name, arguments in bench.calls() if name == "pool_list_tasks"] == [
        "pending", "parked", "running",
    ]  # fmt: skip


def test_wait_tells_chains_from_tasks(bench: Bench) -> None:
    chain = {"chain_id": "chain-aaaaaaaaaaaaaaaa", "state": "completed"}
    bench.script(results={"pool_wait": [{"tasks": [task()], "chains": [chain], "cursor": 1}]})

    assert bench.run("wait", chain["chain_id"], ID).returncode == 0
    assert waits(bench)[0]["chain_ids"] == [chain["chain_id"]]


@pytest.mark.parametrize(("reason", "code"), [("not_logged_in", 7), ("provider_limit", 0)])
def test_run_does_not_wait_for_a_login_that_nobody_mends(bench: Bench, reason: str, code: int) -> None:
    error = {"code": "not_logged_in", "message": "Invalid API key"}
    held = task("parked", reason=reason, error=error) if code else task()
    bench.script(
        results={
            "pool_submit": [{"task_id": ID}],
            "pool_status": [{"paused": {"reason": reason, "until": None}}],
            "pool_wait": [{"tasks": [held], "cursor": 1}],
            "pool_result": [held],
        }
    )

    ended = bench.run("run", "x")

    assert ended.returncode == code
    assert len(waits(bench)) == (0 if code else 1)
    assert ("Invalid API key" in ended.stderr and "claude-pool resume" in ended.stderr) is bool(code)


def test_wait_gives_up_after_its_timeout(bench: Bench) -> None:
    bench.script(results={"pool_wait": [{"tasks": NOTHING, "cursor": 1}]})

    ended = bench.run("wait", ID, "--timeout", "0.2")

    assert ended.returncode == 124
    assert ended.stderr == "1 of 1 had not ended after 0.2 seconds\n"


def test_wait_names_what_needs_someone(bench: Bench) -> None:
    bench.script(results={"pool_wait": [{"tasks": [task("sealed")], "cursor": 1}]})

    ended = bench.run("wait", ID)

    assert (ended.returncode, ended.stderr) == (7, f"{ID} is sealed: it needs a decision\n")


def test_cancel_tells_the_state_that_came_of_it(bench: Bench) -> None:
    bench.script(results={"pool_cancel": [task("cancelled")], "pool_cancel_chain": [{"state": "cancelled"}]})

    assert bench.run("cancel", ID).stdout == f"{ID} cancelled\n"
    assert bench.run("cancel", "chain-aaaaaaaaaaaaaaaa").stdout == "chain-aaaaaaaaaaaaaaaa cancelled\n"
    assert bench.calls()[1] == ("pool_cancel_chain", {"chain_id": "chain-aaaaaaaaaaaaaaaa"})


def test_context_values_go_to_the_owner(bench: Bench) -> None:
    bench.script(results={"context_list": [{"values": {"k": "v\n"}, "version": 1}]})

    assert bench.run("context", "set", "k", "-", stdin="v\n").returncode == 0
    assert bench.run("context", "get", "k").stdout == "v\n"
    assert bench.run("context", "list").stdout == "KEY  VALUE\nk    v\n"
    assert json.loads(bench.run("context", "list", "--json").stdout) == {"values": {"k": "v\n"}, "version": 1}
    assert bench.run("context", "delete", "k").returncode == 0
    assert [call for call in bench.calls() if call[0] != "context_list"] == [
        ("context_set", {"key": "k", "value": "v\n"}),
        ("context_delete", {"key": "k"}),
    ]
    missing = bench.run("context", "get", "other")
    assert (missing.returncode, missing.stderr[:33]) == (2, "[not_found] There is no context v")


def test_stop_waits_for_the_end_of_the_owner(bench: Bench) -> None:
    bench.run("cancel", ID)
    stopped = bench.run("stop", "--now", "--json")

    assert json.loads(stopped.stdout) == {"stopped": True, "pid": bench.pids()[0]}
    assert gone(bench.pids()[0])
    assert bench.heard()[-1]["stop"] == "now"


def test_stop_without_an_owner_is_done(bench: Bench) -> None:
    ended = bench.run("stop")

    assert (ended.returncode, ended.stderr, bench.pids()) == (0, "no owner runs\n", [])


def test_a_verb_that_needs_an_owner_does_not_start_one_to_drain_it(bench: Bench) -> None:
    ended = bench.run("drain")

    assert (ended.returncode, bench.pids()) == (3, [])
    assert ended.stderr.startswith("[wrong_state] The pool is not running")


def test_drain_asks_until_the_pool_is_drained(bench: Bench) -> None:
    bench.script(
        results={"pool_drain": [{"draining": True, "drained": False}, {"draining": True, "drained": True}]}
    )
    bench.run("cancel", ID)

    ended = bench.run("drain", "--mode", "cancel")

    assert (ended.returncode, ended.stdout) == (0, "drained\n")
    assert bench.calls()[1] == ("pool_drain", {"mode": "cancel", "timeout_seconds": 50.0})


def test_drain_gives_up_after_its_timeout(bench: Bench) -> None:
    bench.script(results={"pool_drain": [{"draining": True, "drained": False}]})
    bench.run("cancel", ID)

    assert bench.run("drain", "--timeout", "0.1").returncode == 124


def test_resume_hands_over_the_callers_credentials(bench: Bench) -> None:
    bench.environ.update({"ANTHROPIC_API_KEY": "hunter2", "UNRELATED": "x"})

    assert bench.run("resume").stdout == "resumed\n"
    assert bench.heard()[1]["credentials"] == {"ANTHROPIC_API_KEY": "hunter2", "HOME": bench.environ["HOME"]}
    assert bench.calls() == [("pool_resume", {})]


STATUS: dict[str, Any] = {
    **{f"{name}_slots": 1 for name in ("total", "idle", "busy", "failed")},
    **{f"{name}_tasks": 2 for name in ("pending", "running", "parked", "sealed", "pending_review")},
    **{f"{name}_tasks": 3 for name in ("completed", "failed", "cancelled")},
    "spent_microdollars": 1_500_000,
    "reserved_microdollars": 0,
    "budget_microdollars": None,
    "draining": False,
    "paused": {"reason": "provider_limit", "until": None},
    "position": 42,
    "version": "0",
    "slots": [
        {"slot_id": "slot-0", "state": "busy", "name": None, "role": "x\x1b[31m", "task_id": ID, "model": "m"}
    ],
}


def test_status_tells_the_end_of_a_pause_as_a_date(bench: Bench) -> None:
    paused = {"reason": "provider_limit", "until": 1_795_376_327_016}
    bench.script(results={"pool_status": [{**STATUS, "paused": paused}]})
    bench.run("cancel", ID)

    assert "provider_limit until 2026-11-22T19:38:47.016Z" in bench.run("status").stdout


def test_status_shows_the_pool(bench: Bench) -> None:
    bench.script(results={"pool_status": [STATUS]})
    bench.run("cancel", ID)
    shown = bench.run("status").stdout

    assert "1 (1 idle, 1 busy, 1 failed)" in shown
    assert "$1.5000" in shown
    assert "provider_limit until resumed" in shown
    assert f"slot-0  busy         x\\x1b[31m  {ID}  m" in shown
    assert json.loads(bench.run("status", "--json").stdout) == STATUS
    assert [slot["slot_id"] for slot in json.loads(bench.run("slots", "--json").stdout)] == ["slot-0"]


def test_task_shows_one_task_with_its_whole_output(bench: Bench) -> None:
    view = task(output="…", output_ref="pool://results/x", tokens={"input": 1, "output": 2}, tags=["a"])
    bench.script(results={"pool_result": [view]})
    bench.run("cancel", ID)

    shown = bench.run("task", ID).stdout

    assert shown.endswith("\nall of pool://results/x\n")
    assert "1 input, 2 output" in shown
    assert json.loads(bench.run("task", ID, "--json").stdout)["output"] == "all of pool://results/x"


def test_tasks_lists_a_page_and_names_the_next(bench: Bench) -> None:
    bench.script(results={"pool_list_tasks": [{"tasks": [task()], "cursor": 17}]})
    bench.run("cancel", ID)

    ended = bench.run(
        "tasks", "--state", "completed", "--tag", "t", "--slot", "slot-0", "--limit", "1", "--cursor", "9"
    )

    assert ended.stdout.splitlines()[1].split()[:4] == [ID, "completed", "$0.0123", "2"]
    assert ended.stderr == "more with --cursor 17\n"
    assert bench.calls()[-1][1] == {
        "state": "completed",
        "tag": "t",
        "slot": "slot-0",
        "limit": 1,
        "cursor": 9,
    }


def test_why_tells_each_cause_with_its_event(bench: Bench) -> None:
    fact = {
        "position": 7,
        "at": 1_700_000_000_123,
        "actor": "policy",
        "cause": 5,
        "event": "e",
        "text": "it waits",
    }
    waits = {"reason": "slot", "text": "waits for slot", "position": 7}
    answer = {"id": ID, "state": "pending", "because": [waits], "story": [fact], "tree": []}
    bench.script(results={"pool_why": [answer]})
    bench.run("cancel", ID)

    assert bench.run("why", ID).stdout.splitlines() == [
        f"{ID} is pending: waits for slot (event 7)",
        "EVENT  TIME                      BY      CAUSE  WHAT",
        "7      2023-11-14T22:13:20.123Z  policy  5      it waits",
    ]


def test_an_owner_that_dies_meanwhile_is_reported(bench: Bench) -> None:
    bench.script(dies=["pool_submit"])

    ended = bench.run("submit", "x")

    assert ended.returncode == 1
    assert ended.stderr.startswith("[internal] The pool's owner ended before it answered")


@pytest.mark.parametrize(
    "words", [["status"], ["tasks"], ["task", ID], ["slots"], ["why", ID], ["replay"], ["context", "list"]]
)
def test_looking_where_there_is_no_pool_starts_none(bench: Bench, words: list[str]) -> None:
    ended = bench.run(*words)

    assert (ended.returncode, bench.pids()) == (3, [])
    assert ended.stderr.startswith("[store_unreadable] There is no pool here yet")


def test_on_a_terminal_the_controls_in_an_answer_are_made_visible(bench: Bench) -> None:
    ends_as(bench, task(output="a\x1b]0;title\x07b\r\nc\td"))
    reader, writer = pty.openpty()
    process = bench.claude_pool("run", "x", stdout=writer)
    os.close(writer)
    try:
        assert process.wait(PATIENCE) == 0
        shown = os.read(reader, 4096)
    finally:
        os.close(reader)
        process.communicate()

    assert shown.replace(b"\r\n", b"\n") == b"a\\x1b]0;title\\x07b\\r\nc\td\n"


def test_a_reader_that_has_enough_is_no_error(bench: Bench) -> None:
    ends_as(bench, task(output_ref="pool://results/long"))
    with bench.claude_pool("run", "x") as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("variables", "coloured"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)]
)
def test_progress_is_shown_on_a_terminal_only_and_colours_obey_no_color(
    bench: Bench, variables: dict[str, str], coloured: bool
) -> None:
    bench.environ.update(variables)
    bench.script(results={"pool_wait": [{"tasks": NOTHING, "cursor": 1}]})
    reader, writer = pty.openpty()
    process = bench.claude_pool("wait", ID, "--timeout", "0.3", stderr=writer)
    os.close(writer)
    try:
        assert process.wait(PATIENCE) == 124
        shown = os.read(reader, 65536)
    finally:
        os.close(reader)
        out, _ = process.communicate()

    assert b"waiting" in shown
    assert (b"\x1b[32m" in shown) is coloured
    assert out.startswith(b"TASK")


def test_a_task_may_be_submitted_for_review(bench: Bench) -> None:
    bench.script(results={"pool_submit_with_review": [{"task_id": ID}, {"task_id": ID}]})

    for words, rejections in (("--review", 3), ("--review=5", 5)):
        assert bench.run("submit", words, "x").stdout == f"{ID}\n"
        assert bench.calls()[-1] == ("pool_submit_with_review", {"prompt": "x", "max_rejections": rejections})


def test_a_prompt_after_two_dashes_may_look_like_a_flag(bench: Bench) -> None:
    bench.script(results={"pool_submit": [{"task_id": ID}]})

    bench.run("submit", "--", "--review")

    assert bench.calls() == [("pool_submit", {"prompt": "--review"})]


def test_verdicts_are_given_with_their_words(bench: Bench) -> None:
    bench.script(
        results={"pool_approve_result": [task("completed")], "pool_reject_result": [task("pending")]}
    )

    assert bench.run("approve", ID).stdout == f"{ID} completed\n"
    assert bench.run("reject", ID, "-", stdin="too short").stdout == f"{ID} pending\n"
    assert bench.calls() == [
        ("pool_approve_result", {"task_id": ID}),
        ("pool_reject_result", {"task_id": ID, "feedback": "too short"}),
    ]


QUESTION = "question-aaaaaaaaaaaaaaaa"


def test_questions_are_listed(bench: Bench) -> None:
    asked: dict[str, object] = {
        "question_id": QUESTION, "kind": "permission", "task_id": ID, "text": "May it use Bash: ls",
        "choices": ["allow", "deny"], "deadline": 0, "default": "deny",
    }  # fmt: skip
    sealed = {**asked, "kind": "sealed", "deadline": None, "choices": ["rerun", "cancel"]}
    bench.script(results={"pool_list_questions": [{"questions": [asked, sealed]}, {"questions": [asked]}]})

    table = bench.run("questions").stdout
    assert QUESTION in table and "allow,deny" in table and "rerun,cancel" in table
    assert json.loads(bench.run("questions", "--task", ID, "--json").stdout) == [asked]
    assert bench.calls() == [("pool_list_questions", {}), ("pool_list_questions", {"task_id": ID})]


def test_an_answer_is_given_with_all_that_belongs_to_it(bench: Bench) -> None:
    bench.script(results={"pool_answer_question": [task("running"), task("running")]})

    assert bench.run("answer", QUESTION, "deny", "--message", "no").stdout == f"{ID} running\n"
    bench.run("answer", QUESTION, "allow", "--input", '{"command": "ls"}')
    assert [arguments for _, arguments in bench.calls()] == [
        {"question_id": QUESTION, "choice": "deny", "message": "no"},
        {"question_id": QUESTION, "choice": "allow", "updated_input": {"command": "ls"}},
    ]


def test_run_tells_of_a_question_and_goes_on_waiting(bench: Bench) -> None:
    asking = task("running", questions=[{"question_id": QUESTION, "text": "May it use Bash: ls"}])
    bench.script(
        results={
            "pool_submit": [{"task_id": ID}],
            "pool_wait": [{"tasks": [asking], "cursor": 1}, {"tasks": [task()], "cursor": 2}],
            "pool_result": [task()],
        }
    )

    ended = bench.run("run", "x")

    assert (ended.returncode, ended.stdout) == (0, "the answer\n")
    assert ended.stderr == f"{ID}: May it use Bash: ls? claude-pool answer {QUESTION} allow|deny\n"
