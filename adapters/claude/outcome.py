"""What came of a turn, as a pure function of what we wanted and what the slot showed.

No single field of a result line can be trusted alone: an API error reports the subtype `success`, a command
that never reached the model reports no error, and a turn that we stopped reports whatever it was at.
"""

from __future__ import annotations

import errno
import json
import signal
from dataclasses import dataclass
from typing import assert_never

from claude_pool.domain.values import End, Limit, LimitKind

from .limits import limit_in_result
from .stream import Message, count, status, strings, text

_SIGNAL_BASE = 128


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason to end a turn: one of `errors.CODES`, a sentence, and the provider's limit that it was."""

    code: str
    message: str
    retryable: bool = True
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at the end of a turn.

    `result` is its result line, `api_error` the last assistant line that carried an error. `exited` and
    `exit_code` (None: unknown, negative: a signal) tell of the process, `expected` whether we ended it, and
    `stderr` its last words. `limit` is what an event told of a limit of the provider, and `now` (ms) when
    this is judged.
    """

    result: Message | None = None
    api_error: Message | None = None
    interrupted: bool = False
    failure: Failure | None = None
    schema_asked: bool = False
    exited: bool = False
    exit_code: int | None = None
    expected: bool = False
    stderr: str = ""
    limit: Limit | None = None
    now: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome without its money, tokens and evidence. `code` is None where the turn succeeded."""

    end: End
    code: str | None = None
    message: str | None = None
    retryable: bool = False
    output: str = ""
    structured_output: str | None = None
    turns: int = 0
    limit: Limit | None = None


def judge(evidence: Evidence) -> Verdict:
    """How the turn ended. Our own intent counts before anything the slot said."""
    result = evidence.result
    problem = _problem(evidence)
    output = text(result, "result") if result is not None else ""
    turns = count(result, "num_turns") if result is not None else 0
    if evidence.failure is None and evidence.interrupted:
        message = "The attempt was interrupted."
        return Verdict(End.INTERRUPTED, "interrupted", message, output=output, turns=turns)
    if problem is not None:
        said = "" if result is not None and result.get("is_error") is True else output
        code, retryable = problem.code, problem.retryable
        return Verdict(End.FAILED, code, problem.message, retryable, said, None, turns, problem.limit)
    assert result is not None
    return Verdict(End.SUCCEEDED, output=output, structured_output=_structured(result), turns=turns)


def _problem(evidence: Evidence) -> Failure | None:
    if evidence.failure is not None:
        return evidence.failure
    result = evidence.result
    if result is None:
        return _without_result(evidence)
    by_subtype = _by_subtype(result)
    if by_subtype is not None:
        return by_subtype
    if result.get("is_error") is True or text(result, "subtype") != "success":
        return _api_problem(result, evidence.api_error or {}, evidence)
    if text(result, "terminal_reason").startswith("aborted"):
        return Failure("slot_failed", "The turn was stopped by something other than this pool.")
    if evidence.exited and not evidence.expected and _killed(evidence.exit_code):
        # A tool that dies with it looks to the CLI as if it had ended, and some then report a success.
        doubt = (
            "at the end of the turn, so its success is doubtful: look at what it did before it runs again."
        )
        return Failure("slot_failed", f"The CLI {exit_text(evidence.exit_code)} {doubt}")
    if count(result, "num_turns") == 0 and not text(result, "result"):
        return Failure("no_result", "The CLI reported success without a single turn of the model.")
    if evidence.schema_asked and result.get("structured_output") is None:
        return Failure(
            "schema_mismatch", "The model answered in text instead of the form that was asked for."
        )
    return None


def _without_result(evidence: Evidence) -> Failure:
    if "No conversation found" in evidence.stderr:
        return Failure("session_not_found", evidence.stderr, retryable=False)
    if evidence.exited and evidence.exit_code == 0:
        return Failure("no_result", "The CLI exited normally without a result.")
    said = f" It said: {evidence.stderr}" if evidence.stderr else ""
    return Failure("slot_failed", f"The CLI {exit_text(evidence.exit_code)} before a result came.{said}")


def exit_text(exit_code: int | None) -> str:
    """The end of a process in words that follow its name."""
    if exit_code is None:
        return "disappeared"
    if _killed(exit_code):
        number = -exit_code if exit_code < 0 else exit_code - _SIGNAL_BASE
        by = " (by somebody, or by the system for want of memory)" if number == signal.SIGKILL else ""
        return f"was ended by signal {number}{by}"
    return f"exited with code {exit_code}"


def _killed(exit_code: int | None) -> bool:
    """Whether a process was ended by a signal, or nobody who kept it could say how."""
    return exit_code is None or exit_code < 0 or exit_code > _SIGNAL_BASE


def _by_subtype(result: Message) -> Failure | None:
    said = "; ".join(strings(result, "errors"))
    match text(result, "subtype"):
        case "error_max_turns":
            return Failure("turn_limit", said or "The turn limit was reached.", retryable=False)
        case "error_max_structured_output_retries":
            return Failure("schema_mismatch", said or "No answer had the form that was asked for.")
        case "error_max_budget_usd":
            return Failure("task_budget_reached", said or "The CLI's own budget was spent.", retryable=False)
        case _ if "No conversation found" in said:
            return Failure("session_not_found", said, retryable=False)
        case _:
            return None


def _api_problem(result: Message, error: Message, evidence: Evidence) -> Failure:
    http = status(result, "api_error_status") or status(error, "api_error_status")
    kind = text(error, "error")
    reason = text(result, "terminal_reason")
    said = text(result, "result") or "; ".join(strings(result, "errors")) or "The provider gave no answer."
    refused = "refusal" in (text(result, "stop_reason"), reason)
    transient = http is None or http in (408, 409, 429) or http >= 500
    if reason == "prompt_too_long" or http == 413 or "prompt is too long" in said.lower():
        return Failure("prompt_too_long", said, retryable=False)
    limit = limit_in_result(http, kind, said, evidence.limit, evidence.now)
    if limit is not None:
        return limit_failure(limit, said)
    if http == 404 or kind == "model_not_found":
        return Failure("model_not_found", said, retryable=False)
    if refused:
        return Failure("model_refused", said, retryable=False)
    if http is None and not kind:
        return Failure("slot_failed", said, retryable=True)
    return Failure("provider_error", said, retryable=transient)


def limit_failure(limit: Limit, said: str) -> Failure:
    """What a turn failed of that met `limit`."""
    match limit.kind:
        case LimitKind.LOGIN:
            return Failure("not_logged_in", said, False, limit)
        case LimitKind.BILLING:
            return Failure("provider_limit", said, False, limit)
        case LimitKind.USAGE | LimitKind.RATE:
            return Failure("provider_limit", said, True, limit)
        case LimitKind.OVERLOADED | LimitKind.UNREACHABLE:
            return Failure("provider_error", said, True, limit)
        case _:
            assert_never(limit.kind)


def _structured(result: Message) -> str | None:
    value = result.get("structured_output")
    if value is None:
        return None
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return plain.encode("utf-8", "replace").decode()


def start_problem(said: str) -> str:
    """The code for what a CLI said that did not start."""
    if "No conversation found" in said:
        return "session_not_found"
    return "invalid_argument" if "not a valid JSON Schema" in said else "slot_failed"


def disk_failure(error: OSError) -> Failure:
    """A turn whose evidence could not be kept."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    problem = f"The transcript could not be written: {error}."
    return Failure("store_full" if full else "internal", problem, retryable=False)
