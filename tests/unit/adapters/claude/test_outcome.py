"""What came of a turn, from lines as CLIs print them."""

from __future__ import annotations

from typing import Any

import pytest
from claude_pool.adapters.claude.outcome import Evidence, Failure, exit_text, judge
from claude_pool.domain.errors import CODES
from claude_pool.domain.values import End


def result(**fields: Any) -> dict[str, Any]:
    """A result line of a turn that went well, but for `fields`."""
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "num_turns": 1,
        "result": "done",
        "terminal_reason": "completed",
        "api_error_status": None,
        **fields,
    }


def api_failure(status: int | None, said: str, **fields: Any) -> dict[str, Any]:
    """The result line of a turn that the provider failed: its subtype still says success."""
    return result(is_error=True, api_error_status=status, result=said, terminal_reason="api_error", **fields)


def error_line(kind: str, status: int | None = None) -> dict[str, Any]:
    """The assistant line that goes with it."""
    return {"type": "assistant", "error": kind, "api_error_status": status}


def test_a_turn_that_went_well_succeeded() -> None:
    verdict = judge(Evidence(result=result(num_turns=3)))
    assert (verdict.end, verdict.code, verdict.output, verdict.turns) == (End.SUCCEEDED, None, "done", 3)


def test_an_empty_answer_of_the_model_is_an_answer() -> None:
    assert judge(Evidence(result=result(result="", num_turns=2))).end is End.SUCCEEDED


def test_denials_do_not_make_a_failure() -> None:
    line = result(permission_denials=[{"tool_name": "Bash"}])
    assert judge(Evidence(result=line)).end is End.SUCCEEDED


_API = [
    (400, "unknown", "API Error: 400 the request is not valid", "provider_error", False),
    (400, "billing_error", "Credit balance is too low", "provider_limit", False),
    (402, "unknown", "Payment required", "provider_limit", False),
    (401, "authentication_failed", "Invalid API key", "not_logged_in", False),
    (403, "authentication_failed", "Failed to authenticate. API Error: 403", "not_logged_in", False),
    (None, "unknown", "Not logged in · Please run /login", "not_logged_in", False),
    (404, "model_not_found", "There's an issue with the selected model", "model_not_found", False),
    (409, "unknown", "Conflict", "provider_error", True),
    (413, "invalid_request", "Request too large (max 32MB)", "prompt_too_long", False),
    (429, "rate_limit", "API Error: Request rejected (429)", "provider_limit", True),
    (None, "rate_limit", "You've hit your session limit · resets 3pm", "provider_limit", True),
    (500, "server_error", "API Error: 500 Internal server error", "provider_error", True),
    (503, "server_error", "API Error: 503", "provider_error", True),
    (529, "server_error", "API Error: 529 Overloaded", "provider_error", True),
    (None, "server_error", "API Error: Connection dropped (ECONNRESET)", "provider_error", True),
    (None, "unknown", "API Error: API returned an empty or malformed response", "provider_error", True),
]


@pytest.mark.parametrize(("status", "kind", "said", "code", "retryable"), _API)
def test_a_failure_of_the_provider_is_told_by_its_status(
    status: int | None, kind: str, said: str, code: str, retryable: bool
) -> None:
    verdict = judge(Evidence(result=api_failure(status, said), api_error=error_line(kind, status)))
    assert (verdict.end, verdict.code, verdict.retryable) == (End.FAILED, code, retryable)
    assert (verdict.message, verdict.output) == (said, "")


@pytest.mark.parametrize(
    ("line", "code", "retryable"),
    [
        (api_failure(400, "Prompt is too long", subtype="success"), "prompt_too_long", False),
        (
            result(is_error=True, terminal_reason="prompt_too_long", api_error_status=400),
            "prompt_too_long",
            False,
        ),
        (
            result(is_error=True, terminal_reason="image_error", api_error_status=413),
            "prompt_too_long",
            False,
        ),
        (api_failure(None, "can't help with this", stop_reason="refusal"), "model_refused", False),
        (
            result(subtype="error_max_turns", is_error=True, errors=["Reached maximum number of turns (2)"]),
            "turn_limit",
            False,
        ),
        (result(subtype="error_max_structured_output_retries", is_error=True), "schema_mismatch", True),
        (result(subtype="error_max_budget_usd", is_error=True), "task_budget_reached", False),
        (
            result(
                subtype="error_during_execution",
                is_error=True,
                errors=["No conversation found with session ID"],
            ),
            "session_not_found",
            False,
        ),
        (result(subtype="error_during_execution", is_error=True, errors=["[ede]"]), "slot_failed", True),
        (result(terminal_reason="aborted_streaming"), "slot_failed", True),
        (result(num_turns=0, result=""), "no_result", True),
        ({}, "slot_failed", True),
    ],
)
def test_a_result_that_is_no_success_has_its_code(line: dict[str, Any], code: str, retryable: bool) -> None:
    verdict = judge(Evidence(result=line))
    assert (verdict.end, verdict.code, verdict.retryable) == (End.FAILED, code, retryable)
    assert verdict.message


def test_what_a_limited_turn_had_said_is_not_lost() -> None:
    line = result(subtype="error_max_turns", is_error=False, result="so far")
    assert judge(Evidence(result=line)).output == "so far"


# ---------------------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("value", "stored"), [({"b": 1, "a": "ä"}, '{"a":"ä","b":1}'), (0, "0"), (False, "false"), ([], "[]")]
)
def test_a_form_is_kept_as_canonical_json(value: object, stored: str) -> None:
    verdict = judge(Evidence(result=result(structured_output=value), schema_asked=True))
    assert (verdict.end, verdict.structured_output) == (End.SUCCEEDED, stored)


def test_a_text_instead_of_a_form_is_a_mismatch() -> None:
    verdict = judge(Evidence(result=result(), schema_asked=True))
    assert (verdict.code, verdict.output) == ("schema_mismatch", "done")


# ---------------------------------------------------------------------------- ends without a result


@pytest.mark.parametrize(
    ("exit_code", "stderr", "code"),
    [
        (0, "", "no_result"),
        (1, "TypeError: undefined", "slot_failed"),
        (-9, "", "slot_failed"),
        (143, "", "slot_failed"),
        (None, "its keeper was lost", "slot_failed"),
        (1, "No conversation found with session ID: x", "session_not_found"),
    ],
)
def test_a_process_that_ended_without_a_result_failed(exit_code: int | None, stderr: str, code: str) -> None:
    verdict = judge(Evidence(exited=True, exit_code=exit_code, stderr=stderr))
    assert (verdict.end, verdict.code) == (End.FAILED, code)
    assert stderr in (verdict.message or "")


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (None, "disappeared"),
        (-9, "was ended by signal 9 (by somebody, or by the system for want of memory)"),
        (143, "was ended by signal 15"),
        (1, "exited with code 1"),
    ],
)
def test_an_exit_is_put_into_words(exit_code: int | None, words: str) -> None:
    assert exit_text(exit_code) == words


@pytest.mark.parametrize("exit_code", [-9, 143, None])
def test_a_success_of_a_process_that_somebody_else_ended_is_none(exit_code: int | None) -> None:
    verdict = judge(Evidence(result=result(), exited=True, exit_code=exit_code))
    assert (verdict.end, verdict.code, verdict.output) == (End.FAILED, "slot_failed", "done")
    assert exit_text(exit_code) in (verdict.message or "")


@pytest.mark.parametrize(("exit_code", "expected"), [(0, False), (9, False), (-9, True), (None, True)])
def test_a_success_of_a_process_that_exits_by_itself_or_by_us_is_one(
    exit_code: int | None, expected: bool
) -> None:
    ended = Evidence(result=result(), exited=True, exit_code=exit_code, expected=expected)
    assert judge(ended).end is End.SUCCEEDED


# ---------------------------------------------------------------------------- our own intent


@pytest.mark.parametrize(
    "line",
    [
        None,
        result(),
        result(subtype="error_during_execution", is_error=True, terminal_reason="aborted_tools"),
        api_failure(500, "x"),
    ],
)
def test_a_turn_that_we_stopped_was_interrupted_whatever_it_reports(line: dict[str, Any] | None) -> None:
    verdict = judge(Evidence(result=line, interrupted=True, exited=line is None, exit_code=0))
    assert (verdict.end, verdict.code) == (End.INTERRUPTED, "interrupted")


def test_an_interrupted_turn_keeps_what_it_had_to_say() -> None:
    assert judge(Evidence(result=result(), interrupted=True)).output == "done"


@pytest.mark.parametrize("interrupted", [True, False])
def test_our_own_reason_counts_before_everything_else(interrupted: bool) -> None:
    failure = Failure("timed_out_silence", "too quiet")
    verdict = judge(Evidence(result=result(), failure=failure, interrupted=interrupted))
    assert (verdict.end, verdict.code, verdict.message) == (End.FAILED, "timed_out_silence", "too quiet")


def test_every_code_is_one_that_callers_know() -> None:
    for status in (None, *range(400, 600)):
        verdict = judge(Evidence(result=api_failure(status, "x"), api_error=error_line("unknown", status)))
        assert verdict.code in CODES, status
