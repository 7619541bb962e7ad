"""One turn while it runs: what the slot said so far, and when to lose patience."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from claude_pool.domain.ports import ProcessEnd, Turn
from claude_pool.domain.prices import PriceList, microdollars
from claude_pool.domain.spending import SpendWatch
from claude_pool.domain.values import Denial, End, Limit, Outcome, Text

from .accounts import Account
from .limits import limit_in_event, limit_in_retry
from .meter import BYTES_PER_TOKEN, Asked, Meter
from .outcome import Evidence, Failure, judge, limit_failure
from .settlement import settle
from .spoken import Spoken
from .stream import Message, objects, part, strings, text
from .transcript import TranscriptFile

LIFECYCLE = "msg_lifecycle_v1"
"""The capability of CLIs whose results name the prompts that they answer."""
_REASON_LENGTH = 500


def prompt_line(prompt: str, uuid: str) -> bytes:
    """The line that hands a prompt to the CLI."""
    message = {"role": "user", "content": prompt}
    return json.dumps({"type": "user", "message": message, "parent_tool_use_id": None, "uuid": uuid}).encode()


def answers(result: Message, uuid: str, capabilities: tuple[str, ...]) -> bool:
    """Whether a result line answers the prompt `uuid`. Older CLIs do not say: there it is the next one."""
    if LIFECYCLE not in capabilities:
        return True
    return uuid == text(result, "user_message_uuid") or uuid in strings(result, "user_message_uuids")


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds of silence, in seconds: before the first line, between lines, and while a tool is at work."""

    first_output: float
    silence: float
    tool_silence: float


class RunningTurn:
    """The state of one turn. `done` resolves with its result line, or None where it ended without one.

    `interrupted`: we were asked to stop it. `failure`: our own reason to. `spent`: its process must not be
    used again. `rejected`: the provider let no call through, and nothing was heard of it since; `waiting`:
    somebody gives it a moment to say so itself.
    """

    def __init__(
        self,
        turn: Turn,
        transcript: TranscriptFile,
        prices: PriceList,
        patience: Patience,
        on_spend: Callable[[str, int], None],
        context: int = 0,
        uuid: str = "",
    ) -> None:
        """Begins now, on the running loop's clock. The conversation is known to hold `context` tokens; the
        prompt is called `uuid`, or something new."""
        self._loop = asyncio.get_running_loop()
        self.turn = turn
        self.uuid = uuid or str(uuid4())
        self.transcript = transcript
        asked = context + len(turn.prompt.encode("utf-8", "replace")) // BYTES_PER_TOKEN
        self.meter = Meter(prices, Asked(turn.model, turn.permission_mode, asked))
        self.spoken = Spoken()
        self.done: asyncio.Future[Message | None] = self._loop.create_future()
        self.failure: Failure | None = None
        self.interrupted = False
        self.spent = False
        self.stopping = False
        self.waiting = False
        self.sent = False
        self.api_error: Message | None = None
        self.account: Account | None = None
        self.rejected: Limit | None = None
        self._patience = patience
        self._on_spend = on_spend
        self._watch = SpendWatch(turn.budget, turn.margin)
        self._heard = False
        self._asking = 0
        self._last = self._loop.time()
        self._tools: dict[str, str] = {}  # at work, each with the tool that called it, if one did
        self._denials: dict[str, Denial] = {}
        self._tool_errors: dict[str, str] = {}

    @property
    def denials(self) -> tuple[Denial, ...]:
        """The refused tool uses, in order, each with the most that was said of it."""
        return tuple(
            denial if denial.reason else Denial(denial.tool, self._tool_errors.get(tool_use, ""))
            for tool_use, denial in self._denials.items()
        )

    def mark_sent(self) -> None:
        """The prompt goes out now: from here the slot's silence counts."""
        self.sent = True
        self._heard = False
        self._last = self._loop.time()

    @contextmanager
    def asking(self) -> Generator[None]:
        """While somebody is being asked, the slot is silent because of us."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            self.hear()

    def hear(self, message: Message | None = None) -> None:
        """A line came, whatever it says; what is still told of the turn before is no first output of this."""
        self._heard = self._heard or message is None or not _trails(message, self.uuid)
        self._last = self._loop.time()

    def forgive(self, seconds: float) -> None:
        """We did not look for so long (we were stopped, or kept waiting): that is not the slot's silence."""
        self._last += max(0.0, seconds)

    def patience_left(self) -> tuple[float, Failure]:
        """Seconds until the present silence is too long, and what it is then."""
        if not self._heard:
            bound = self._patience.first_output
            failure = Failure(
                "timed_out_start", f"The slot printed nothing for {bound:g} s after the prompt."
            )
        else:
            bound = self._patience.silence
            if self._tools:
                bound = max(bound, self._patience.tool_silence)
            failure = Failure("timed_out_silence", f"The slot printed nothing for {bound:g} s.")
        if self._asking:
            return bound, failure
        return self._last + bound - self._loop.time(), failure

    def end(self, result: Message | None) -> None:
        """The turn is over; a second end changes nothing."""
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, failure: Failure) -> None:
        """Note a reason of our own to end the turn; the first one counts."""
        self.failure = self.failure or failure

    def deny(self, tool_use: str, denial: Denial) -> None:
        """Note a refused tool use; the first word on it counts."""
        self._denials.setdefault(tool_use or f"#{len(self._denials)}", denial)

    def take(self, message: Message, account: Account | None, capabilities: tuple[str, ...]) -> None:
        """Learn from one message of the slot; `account` is what the CLI bills with it, if it is a result."""
        match text(message, "type"):
            case "assistant":
                self._take_assistant(message)
            case "user":
                for block in objects(part(message, "message"), "content"):
                    if text(block, "type") == "tool_result":
                        self._take_tool_result(block)
            case "system":
                self._take_system(message)
            case "result":
                self._take_result(message, account, capabilities)
            case "rate_limit_event":
                self.rejected = limit_in_event(message)
            case _:
                pass
        self.meter.take(message)
        self._look(self._watch)

    def fund(self, budget: int) -> None:
        """The turn's budget (microdollars) is this from now on."""
        self._look(self._watch.fund(budget))

    def _look(self, watch: SpendWatch) -> None:
        metered = microdollars(self.meter.nanodollars)
        self._watch = watch.see(metered)
        if self._watch is not watch:
            self._loop.call_soon(self._on_spend, self.turn.attempt, metered)  # its faults are not the slot's

    def _take_assistant(self, message: Message) -> None:
        if text(message, "error"):
            self.api_error = message
        else:
            self.rejected = None
        for block in objects(part(message, "message"), "content"):
            if text(block, "type") == "tool_use":
                self._tools[text(block, "id")] = text(message, "parent_tool_use_id")

    def _take_tool_result(self, block: Message) -> None:
        tool_use = text(block, "tool_use_id")
        self._close(tool_use)
        if block.get("is_error") is True:
            self._tool_errors[tool_use] = text(block, "content")[:_REASON_LENGTH]

    def _close(self, tool_use: str) -> None:
        """A tool is done, and with it whatever it had called."""
        self._tools.pop(tool_use, None)
        for called in [each for each, caller in self._tools.items() if caller == tool_use and tool_use]:
            self._close(called)

    def _take_system(self, message: Message) -> None:
        subtype = text(message, "subtype")
        if subtype == "permission_denied":
            reason = text(message, "message") or text(message, "reason")
            self.deny(
                text(message, "tool_use_id"), Denial(text(message, "tool_name"), reason[:_REASON_LENGTH])
            )
        elif subtype == "api_retry" and (limit := limit_in_retry(message)) is not None:
            self.fail(limit_failure(limit, f"The provider refuses this account ({limit.kind})."))

    def _take_result(self, message: Message, account: Account | None, capabilities: tuple[str, ...]) -> None:
        if account is not None:  # also a foreign turn's: who was served meanwhile, this turn pays
            before = self.account or Account()
            self.account = Account(before.nanodollars + account.nanodollars, before.tokens + account.tokens)
        if not answers(message, self.uuid, capabilities):
            return
        for refused in objects(message, "permission_denials"):
            self.deny(text(refused, "tool_use_id"), Denial(text(refused, "tool_name")))
        self.end(message)


def _trails(message: Message, uuid: str) -> bool:
    """Whether a line comes after a result as the end of what that was about."""
    match text(message, "type"):
        case "command_lifecycle":
            return text(message, "command_uuid") != uuid
        case "system":
            return text(message, "subtype") == "session_state_changed" and text(message, "state") == "idle"
        case _:
            return False


def outcome_of(
    running: RunningTurn, end: ProcessEnd | None, *, schema_asked: bool, now: int | None = None
) -> Outcome:
    """What came of a turn that is over. `end` tells of its process, where that is gone; `now` (ms; None: the
    wall clock's) is when it is judged."""
    result = running.done.result() if running.done.done() else None
    verdict = judge(
        Evidence(
            result=result,
            api_error=running.api_error,
            interrupted=running.interrupted,
            failure=running.failure,
            schema_asked=schema_asked,
            exited=end is not None,
            exit_code=end.exit_code if end is not None else None,
            expected=end is not None and end.expected,
            stderr=end.message if end is not None else "",
            limit=running.rejected,
            now=time.time_ns() // 1_000_000 if now is None else now,
        )
    )
    settled = settle(running.meter, running.account, cut_off=result is None or running.interrupted)
    return Outcome(
        verdict.end,
        verdict.code,
        verdict.message,
        verdict.retryable,
        _text(verdict.output or (running.spoken.tail if verdict.end is End.INTERRUPTED else "")),
        _text(verdict.structured_output) if verdict.structured_output is not None else None,
        verdict.turns,
        running.meter.model,
        settled.cost,
        settled.estimated,
        settled.tokens,
        running.denials,
        running.transcript.evidence(),
        context=running.meter.context,
        unpriced=settled.unpriced,
        limit=verdict.limit,
    )


def _text(value: str) -> Text:
    return Text(inline=value, size=len(value.encode()))
