"""One turn: the model's calls, the tools that they ask for, and the result line."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from claude_pool.adapters.demo.directives import DirectiveError, Fault, Plan, Step, ToolCall, Usage, parse
from claude_pool.adapters.demo.script import Ask, Script
from claude_pool.adapters.demo.sse import Event, Message, usage_json

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.conversation import new_id
from tests.fakes.fakecli.endings import Ending, error, success
from tests.fakes.fakecli.inbox import Prompt
from tests.fakes.fakecli.ledger import Account
from tests.fakes.fakecli.mischief import in_the_middle, on_the_result
from tests.fakes.fakecli.model import Failure, Interrupted, http_failure
from tests.fakes.fakecli.printer import Printer
from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.tool_use import Refusal, ToolUse
from tests.fakes.fakecli.tools import Stopped
from tests.fakes.fakecli.wire import Line

_NUDGES = {
    "max_tokens": "Output token limit hit. Resume directly — no apology, no recap.",
    "refusal": "Your response above was stopped by a safety classifier — this is not a tool or API error.",
    "empty": "[Your previous response had no visible output. Please continue.]",
    "schema": "[structured-output-enforce] You MUST call the StructuredOutput tool to complete this request.",
}
_MAX_NUDGES = {"max_tokens": 3, "refusal": 1, "empty": 1, "schema": 1}
_MAX_SCHEMA_FAILURES = 5


@dataclass
class _Tally:
    """What a turn has used so far."""

    usage: Usage = field(default_factory=Usage)
    user_lines: int = 0
    messages: list[str] = field(default_factory=list[str])
    denials: list[Line] = field(default_factory=list[Line])
    nudges: dict[str, int] = field(default_factory=dict[str, int])
    schema_failures: int = 0


class Turn:
    """One prompt being answered."""

    def __init__(self, cli: Cli, prompt: Prompt) -> None:
        """`prompt` is for the model, not a local command."""
        self._cli = cli
        self._text = prompt.text
        self._uuids = prompt.uuids
        self._origin = prompt.origin
        self._started = time.monotonic()
        self._tally = _Tally()
        self._spent = Account()
        self._tool_result = ""
        self._earlier = tuple(cli.conversation.prompts)
        self._printer = Printer(cli, prompt.uuids)
        self._mischief_done = False

    def run(self) -> None:
        """Answer it, and print its result."""
        cli = self._cli
        cli.greeted.wait()
        plan = self._begin()
        ending = self._not_logged_in() if not cli.logged_in else self._converse(plan)
        self._do_mischief()
        on_the_result(cli, self._result(ending))
        cli.last_was_error = ending.is_error
        cli.conversation.record({"type": "cost-state", "account": cli.account.saved()})
        cli.emit_lifecycle(self._uuids, "cancelled" if ending.is_error else "completed")

    def _begin(self) -> Plan | Failure:
        cli = self._cli
        try:
            plan: Plan | Failure = parse(self._text)
        except DirectiveError as error:
            plan = http_failure(Fault("status", status=400, message=f"fake: {error}"), cli.billed_model)
        cli.personas.begin_turn(plan.personas if isinstance(plan, Plan) else ())
        cli.wire.begin_turn()
        cli.emit_lifecycle(self._uuids, "started")
        cli.emit_init(self._uuids)
        cli.conversation.record({"type": "user", "text": self._text, "uuids": list(self._uuids)})
        return plan

    def _not_logged_in(self) -> Ending:
        return self._failed(Failure("Not logged in · Please run /login", None, "authentication_failed", None))

    def _converse(self, plan: Plan | Failure) -> Ending:
        if isinstance(plan, Failure):
            return self._failed(plan)
        try:
            return self._go_through(plan)
        except Interrupted as interrupted:
            return self._aborted(interrupted)

    def _go_through(self, plan: Plan) -> Ending:
        at = 0
        while True:
            step = plan.steps[min(at, len(plan.steps) - 1)]
            outcome = self._call(plan, step, min(at, len(plan.steps) - 1))
            if isinstance(outcome, Failure):
                return self._failed(outcome)
            self._charge(outcome)
            ending = self._after_tools(outcome) if step.tools else self._after_text(outcome)
            if ending is not None:
                return ending
            limit = self._cli.options.text("max-turns")
            if limit is not None and len(self._tally.messages) >= int(limit):
                problem = f"Reached maximum number of turns ({limit})"
                return error("error_max_turns", "max_turns", outcome.stop_reason, problem)
            at += 1

    def _charge(self, message: Message) -> None:
        usage = message.step.usage
        self._tally.usage += usage
        self._tally.messages.append(message.id)
        self._book(message.model, usage)

    def _book(self, model: str, usage: Usage) -> None:
        factor = self._cli.personas.number("expensive", 1000)
        for account in (self._cli.account, self._spent):
            account.charge(model, usage, 1 if factor is None else factor)

    def _call(self, plan: Plan, step: Step, at: int) -> Message | Failure:
        """Call the model, again after errors that may pass, and at last without streaming."""
        cli = self._cli
        text = self._words(step, at)
        attempt, streaming = 0, True
        while True:
            if cli.options.on("include-partial-messages"):
                cli.wire.emit(lines.system(cli.session, "status", status="requesting"))
            show = self._show if streaming else self._printer.assemble
            outcome = cli.model.call(step, plan.key, at, self._text, cli.billed_model, text, show)
            if isinstance(outcome, Message):
                return outcome
            if outcome.broken and attempt >= cli.model.retries and streaming:
                streaming = False
                continue
            if not outcome.retryable or attempt >= cli.model.retries:
                return outcome
            delay = outcome.wait_seconds or 0.5 * 2**attempt
            attempt += 1
            self._tell_retry(outcome, attempt, delay)
            cli.model.pause(delay)

    def _words(self, step: Step, at: int) -> str:
        cli = self._cli
        ask = Ask(
            model=cli.billed_model,
            prompt=self._text,
            step=at,
            stream=True,
            earlier=self._earlier,
            tool_result=self._tool_result,
            system=cli.conversation.system,
            tools=cli.tools(),
        )
        return Script().answer(ask, step)

    def _tell_retry(self, failure: Failure, attempt: int, delay: float) -> None:
        error = {529: "overloaded", None: "unknown"}.get(failure.status, failure.error)
        line = lines.system(
            self._cli.session,
            "api_retry",
            attempt=attempt,
            max_retries=self._cli.model.retries,
            retry_delay_ms=round(delay * 1000),
            error_status=failure.status,
            error=error,
        )
        self._cli.wire.emit(line)

    def _show(self, event: Event) -> None:
        self._printer.show(event)
        if event.piece:
            self._cli.wire.release()
            self._do_mischief()

    def _do_mischief(self) -> None:
        if not self._mischief_done:
            self._mischief_done = True
            in_the_middle(self._cli)

    def _after_text(self, message: Message) -> Ending | None:
        """What follows an answer without tools; None where the model is asked to go on."""
        reason = message.stop_reason if message.stop_reason in _NUDGES else ""
        if not reason and not message.text:
            reason = "empty"
        if not reason and self._cli.options.schema is not None:
            reason = "schema"
        if reason and self._tally.nudges.get(reason, 0) < _MAX_NUDGES[reason]:
            self._tally.nudges[reason] = self._tally.nudges.get(reason, 0) + 1
            self._say_as_user(_NUDGES[reason], isSynthetic=True)
            return None
        if reason == "refusal":
            return self._failed(Failure("API Error: the model can't help with this.", None, "unknown", None))
        if reason == "max_tokens":
            text = "API Error: Claude's response exceeded the 128000 output token maximum."
            return self._failed(Failure(text, None, "unknown", None))
        return success(message.text, message.stop_reason)

    def _after_tools(self, message: Message) -> Ending | None:
        """Run the tools of a message; None where the model is to be called with their results."""
        for call, block_id in zip(message.step.tools, self._printer.tool_ids(), strict=True):
            ending = self._use(call, block_id)
            if ending is not None:
                return ending
        for prompt in self._cli.inbox.take_waiting():
            self._uuids += prompt.uuids
            self._cli.emit_lifecycle(prompt.uuids, "started")
        return None

    def _use(self, call: ToolCall, block_id: str) -> Ending | None:
        use = ToolUse(self._cli, call, block_id)
        try:
            result = use.run()
        except Refusal as refusal:
            self._tally.denials.append(
                {"tool_name": call.name, "tool_use_id": block_id, "tool_input": call.input}
            )
            if refusal.interrupt:
                return self._stopped_in_tool(block_id)
            result = refusal.result
        except Stopped:
            return self._stopped_in_tool(block_id)
        self._tool_result = result.text
        self._tell_tool(block_id, result.text, result.is_error)
        if call.name == "StructuredOutput":
            return self._after_structured(call, result.is_error)
        return None

    def _tell_tool(self, block_id: str, text: str, is_error: bool) -> None:
        content: Line = {
            "type": "tool_result",
            "content": text,
            "is_error": is_error,
            "tool_use_id": block_id,
        }
        self._tally.user_lines += 1
        outcome: Any = f"Error: {text}" if is_error else {"stdout": text, "stderr": "", "interrupted": False}
        self._cli.wire.emit(lines.user(self._cli.session, [content], tool_use_result=outcome))

    def _after_structured(self, call: ToolCall, is_error: bool) -> Ending | None:
        if not is_error:
            text = json.dumps(call.input, separators=(",", ":"), ensure_ascii=False)
            return success(text, "tool_use", structured_output=call.input)
        self._tally.schema_failures += 1
        if self._tally.schema_failures < _MAX_SCHEMA_FAILURES:
            return None
        problem = f"Failed to provide valid structured output after {_MAX_SCHEMA_FAILURES} attempts"
        reason = "structured_output_retry_exhausted"
        return error("error_max_structured_output_retries", reason, "tool_use", problem)

    def _say_as_user(self, text: str, **more: Any) -> None:
        self._tally.user_lines += 1
        self._cli.wire.emit(lines.user(self._cli.session, [{"type": "text", "text": text}], **more))

    def _failed(self, failure: Failure) -> Ending:
        more: Line = {"error": failure.error, "is_api_error_message": True}
        if failure.status is not None:
            more |= {"api_error_status": failure.status, "api_error_type": failure.api_type}
        more |= self._printer.mark()
        if failure.resets is not None:
            self._cli.wire.emit(lines.rate_limit(self._cli.session, failure.resets))
        self._cli.wire.emit(lines.synthetic(self._cli.session, failure.text, "stop_sequence", **more))
        reason = {"Prompt is too long": "prompt_too_long"}.get(failure.text, "api_error")
        members = success(failure.text, "stop_sequence").members
        members |= {"is_error": True, "api_error_status": failure.status}
        members["terminal_reason"] = "image_error" if failure.status == 413 else reason
        return Ending(members)

    def _stopped_in_tool(self, block_id: str) -> Ending:
        self._tell_tool(block_id, "The user doesn't want to proceed with this tool use.", True)
        self._say_as_user("[Request interrupted by user for tool use]")
        problem = "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=tool_use"
        return error("error_during_execution", "aborted_tools", "tool_use", problem)

    def _aborted(self, interrupted: Interrupted) -> Ending:
        message, streamed = interrupted.message, interrupted.streamed
        if message is not None and streamed is not None:
            if streamed:
                self._printer.print_block(aborted=True)
            if not self._cli.old:
                usage = message.step.usage
                guess = max(1, len(streamed) // 3)
                billed = Usage(usage.input, guess, usage.cache_read, usage.cache_write, usage.cache_write_1h)
                self._book(message.model, billed)
        self._say_as_user("[Request interrupted by user]")
        problem = "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=null"
        return error("error_during_execution", "aborted_streaming", None, problem)

    def _result(self, ending: Ending) -> Line:
        cli = self._cli
        line: Line = {
            "duration_api_ms": 0,
            "session_id": cli.session,
            "total_cost_usd": cli.account.cost,
            "usage": lines.usage_line(usage_json(self._tally.usage)),
            "modelUsage": cli.account.by_model(),
            "permission_denials": self._tally.denials,
            "num_turns": 1 + self._tally.user_lines,
            **ending.members,
            "type": "result",
            "duration_ms": round((time.monotonic() - self._started) * 1000),
            "uuid": new_id(),
        }
        if cli.old:
            return {"type": "result", **line}
        line |= {
            "begun_message_ids": self._tally.messages,
            "queued_turn_count": 0,
            "result_index": cli.results,
            "model_usage_since_last_result": self._spent.by_model(),
        }
        if self._uuids:
            line |= {"user_message_uuid": self._uuids[-1], "user_message_uuids": list(self._uuids)}
        if self._origin is not None:
            line["origin"] = self._origin
        cli.results += 1
        return line
