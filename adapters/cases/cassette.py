"""Slots that play what was recorded: their lines go through the real reading of a slot's output."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from claude_pool.domain.errors import NotFound
from claude_pool.domain.ports import (
    Ask,
    Launch,
    Launched,
    Leave,
    ProcessEnd,
    SlotFailure,
    SlotTool,
    Turn,
    TurnReport,
)
from claude_pool.domain.prices import PriceList
from claude_pool.domain.slot_events import (
    LaunchFailed,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
)
from claude_pool.domain.values import End, Outcome

from ..claude.outcome import Failure
from ..claude.process import SlotProcess, Spawn, first_of
from ..claude.slot import Listeners, Seams, SlotLimits, WarmSlot
from ..claude.stream import parse, part, strings, text
from ..redaction import Secrets

_EXITED = re.compile(r"The CLI exited with code (\d+) before a result came\.(?: It said: (.*))?", re.DOTALL)
_KILLED = re.compile(
    r"The CLI was ended by signal (\d+) before a result came\.(?: It said: (.*))?", re.DOTALL
)
_GONE = re.compile(r"The CLI disappeared before a result came\.(?: It said: (.*))?", re.DOTALL)
_NORMALLY = "The CLI exited normally without a result."


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recorded attempt ended: its outcome, and its slot after it."""

    outcome: Outcome
    session: str
    alive: bool
    rss_mb: int


class PlayedProcess(SlotProcess):
    """A process that only says what it is fed. It answers what it is asked for at once."""

    def __init__(self, spawn: Spawn, on_line: Callable[[bytes], None], *told: Any) -> None:
        """`begin` gives it the lines of a turn."""
        super().__init__(spawn, on_line, *told)
        self.prompted = asyncio.Event()
        self.version = ""
        self.cleared_to = ""
        self._say = on_line
        self._script: list[bytes] = []

    def begin(self, lines: list[bytes]) -> None:
        """These are the lines of the next turn."""
        self._script = lines
        self.prompted.clear()

    @property
    def sent(self) -> bool:
        """Whether it has got the turn's prompt."""
        return self.prompted.is_set()

    @property
    def left(self) -> int:
        """So many lines of the turn have not been said yet."""
        return len(self._script)

    def feed(self) -> bytes:
        """Say the next line of the turn; the line."""
        line = self._script.pop(0)
        self._say(line)
        return line

    def end(self, end: ProcessEnd) -> None:
        """The process is gone."""
        if not self.ended.done():
            self.ended.set_result(end)

    async def start(self, seconds: float) -> None:
        """It runs."""

    def write(self, line: bytes) -> None:
        """Answer requests and `/clear`; a prompt is answered by what is fed."""
        message = parse(line) or {}
        if text(message, "type") == "control_request":
            self._answer(text(message, "request_id"), text(part(message, "request"), "subtype"))
        elif text(message, "type") == "user":
            if text(part(message, "message"), "content") == "/clear":
                uuid = text(message, "uuid")
                self._soon({"type": "result", "session_id": self.cleared_to, "user_message_uuid": uuid})
            else:
                self.prompted.set()

    def _answer(self, request_id: str, subtype: str) -> None:
        if self.sent and self._script:
            return  # what it says to an interruption is among its lines
        while any(_is_response(line) for line in self._script):
            response = part(parse(self._script[0]) or {}, "response")
            if _is_response(self._script[0]) and text(response, "request_id") == request_id:
                line = self._script.pop(0)
                asyncio.get_running_loop().call_soon(self._say, line)
                return
            if _is_response(self._script[0]):
                break  # an answer to something else
            self.feed()
        body = {"claude_code_version": self.version} if subtype == "initialize" else {}
        response = {"subtype": "success", "request_id": request_id, "response": body}
        self._soon({"type": "control_response", "response": response})

    def _soon(self, message: object) -> None:
        asyncio.get_running_loop().call_soon(self._say, msgspec.json.encode(message))

    def watch(self) -> None:
        """Nothing of it can be counted."""

    def close_stdin(self) -> None:
        """It is ended by `end` and `kill` alone."""

    def interrupt(self) -> None:
        """See `close_stdin`."""

    def terminate(self) -> None:
        """See `close_stdin`."""

    async def sweep_orphans(self) -> None:
        """It started nothing."""

    async def kill(self) -> ProcessEnd:
        """It is gone."""
        self.end(ProcessEnd(None, 0, self.expected))
        return self.ended.result()


class Cassette:
    """Implements `SlotDriver` with recorded lines. Whatever is asked of it waits until it is told what came
    of it; what no line tells (that a process died or fell silent, its memory) is as it was recorded.
    """

    def __init__(
        self, transcripts: Mapping[str, bytes], folder: Path, prices: PriceList, now: Callable[[], int]
    ) -> None:
        """`folder` gets the transcripts that the played slots write anew; `now` is the recorded clock."""
        self._transcripts = transcripts
        self._folder = folder
        self._prices = prices
        self._now = now
        self._slots: dict[str, WarmSlot] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[Any]] = {}
        self._attempts: dict[str, str] = {}
        self._interrupted: set[str] = set()
        self._funds: dict[str, tuple[str, int]] = {}
        self._heeded: str | None = ""
        self.spent = 0
        self._on_exit: Callable[[str, ProcessEnd], None] = lambda _slot, _end: None
        self._on_stray: Callable[[str, Outcome], None] = lambda _slot, _outcome: None
        self._on_slot_tool: SlotTool = _nobody
        self._on_words: Callable[[str, str], None] = lambda _attempt, _text: None
        self._on_question: Callable[[Ask], Awaitable[Leave]] = _nobody_there

    # ---------------------------------------------------------------- what is told

    def waits(self, what: str, slot_id: str) -> bool:
        """Whether `launch`, `clear`, `stop` or `end` of a slot is under way."""
        return (what, slot_id) in self._waiting

    def tell(self, what: str, slot_id: str, came: object) -> bool:
        """What came of something that is under way; False where it is not."""
        waiting = self._waiting.get((what, slot_id))
        if waiting is None or waiting.done():
            return False
        waiting.set_result(came)
        return True

    def exit(self, slot_id: str, end: ProcessEnd) -> None:
        """An idle process ended by itself."""
        self._slots.pop(slot_id, None)
        self._on_exit(slot_id, end)

    def stray(self, slot_id: str, cost: int) -> None:
        """A turn that nobody asked for cost so many microdollars."""
        self._on_stray(slot_id, Outcome(End.INTERRUPTED, cost=cost))

    def feed(self, slot_id: str) -> bytes | None:
        """Have the slot's turn say its next line; None where it has none left, or has not begun."""
        process = self._process(slot_id)
        if process is None or not process.sent or not process.left:
            return None
        return process.feed()

    def heed(self, slot_id: str | None) -> None:
        """Tell of what the turn of this slot spends, of that of no slot (empty), or of all (None).

        How many lines came while a top-up was under way is chance. So as long as the recording leads, only
        what came of such words has them told, and the new budget is known from the next of them on.
        """
        self._heeded = slot_id
        for name in [*self._funds] if slot_id is None else [slot_id]:
            if name in self._funds and name in self._slots:
                self._slots[name].fund(*self._funds.pop(name))

    def _spend(self, slot_id: str, tell: Callable[[str, int], None], attempt: str, metered: int) -> None:
        if self._heeded in (None, slot_id):
            self.spent += 1
            tell(attempt, metered)

    def abandon(self) -> None:
        """The owner is gone, and all processes with it."""
        self._slots.clear()
        self._attempts.clear()

    def _process(self, slot_id: str) -> PlayedProcess | None:
        slot = self._slots.get(slot_id)
        return slot.process if slot is not None and isinstance(slot.process, PlayedProcess) else None

    async def _told(self, what: str, slot_id: str) -> Any:
        key = what, slot_id
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting[key]
        finally:
            self._waiting.pop(key, None)

    # ---------------------------------------------------------------- the port

    async def launch(self, launch: Launch) -> Launched:
        """See the port."""
        came: LaunchSucceeded | ProcessReplaced | LaunchFailed = await self._told("launch", launch.slot_id)
        if isinstance(came, LaunchFailed):
            raise SlotFailure(came.code, came.problem)
        await self._started(launch, came.cli_version)
        return Launched(came.pid, came.cli_version, self._now())

    async def _started(self, launch: Launch, version: str) -> WarmSlot:
        spawn = Spawn(launch.slot_id, "", (), launch.cwd, {}, "", Secrets(), 0)
        listeners = Listeners(
            lambda outcome: self._on_stray(launch.slot_id, outcome),
            lambda attempt, name, given: self._on_slot_tool(launch.slot_id, attempt, name, given),
            lambda attempt, said: self._on_words(attempt, said),
            lambda ask: self._on_question(ask),
        )
        seams = Seams(PlayedProcess, lambda: self._name(launch.slot_id), self._now)
        slot = WarmSlot(launch, spawn, self._folder, self._prices, SlotLimits(), listeners, seams)
        self._slots[launch.slot_id] = slot
        process = self._process(launch.slot_id)
        assert process is not None
        process.version = version
        await slot.start()
        return slot

    def _name(self, slot_id: str) -> str:
        """What the recorded turn called its prompt, as far as its result says so."""
        lines = self._transcripts.get(self._attempts.get(slot_id, ""), b"").rstrip(b"\n").split(b"\n")
        result = parse(lines[-1]) or {}
        names = (text(result, "user_message_uuid"), *strings(result, "user_message_uuids"))
        return next((name for name in names if name), "00000000-0000-4000-8000-000000000000")

    async def run(self, slot_id: str, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """See the port. An attempt without a recorded transcript ends as it was recorded."""
        recorded = self._transcripts.get(turn.attempt)
        if recorded is None:
            came: Ended = await self._told("end", slot_id)
            return TurnReport(came.outcome, came.session, came.alive, came.rss_mb)
        slot = self._slots.get(slot_id)
        if slot is None:  # the recording begins when it ran already
            launch = Launch(
                slot_id, 1, turn.session, "/", model=turn.model, effort=turn.effort,
                permission_mode=turn.permission_mode,
            )  # fmt: skip
            slot = await self._started(launch, "")
        if turn.session:
            slot.session = turn.session
        process = self._process(slot_id)
        assert process is not None
        self._attempts[slot_id] = turn.attempt
        process.begin(recorded.split(b"\n")[:-1])
        self._funds.pop(slot_id, None)
        tell = partial(self._spend, slot_id, on_spend)
        running = asyncio.create_task(slot.run(turn, tell))
        try:
            came = await self._told("end", slot_id)
            report = await self._finished(slot, process, running, turn.attempt, came)
        except BaseException:
            running.cancel()
            raise
        if not report.alive:
            self._slots.pop(slot_id, None)
        return replace(report, rss_mb=came.rss_mb)

    async def _finished(
        self, slot: WarmSlot, process: PlayedProcess, running: asyncio.Task[TurnReport], attempt: str,
        came: Ended,
    ) -> TurnReport:  # fmt: skip
        """Let the turn say the rest, and end as it was recorded where that ends nothing."""
        # an interruption that came when the result was there already was too late
        if attempt in self._interrupted and came.outcome.end is not End.SUCCEEDED:
            asking = asyncio.create_task(slot.interrupt(attempt))
            await asyncio.sleep(0)
            asking.add_done_callback(lambda _: None)
        prompted = asyncio.ensure_future(process.prompted.wait())
        await first_of(prompted, running)
        prompted.cancel()
        last = b""
        while process.sent and process.left and not process.ended.done():
            last = process.feed()
            await asyncio.sleep(0)
        if process.sent and text(parse(last) or {}, "type") != "result":
            end = ended_by_itself(came.outcome)
            if attempt in self._interrupted or end is not None:
                process.end(end or ProcessEnd(None, 0, expected=False))
            else:
                outcome = came.outcome
                slot.give_up(
                    Failure(
                        outcome.code or "internal", outcome.message or "", outcome.retryable, outcome.limit
                    )
                )
        report = await running
        if not came.alive and report.alive:
            await process.kill()
            report = replace(report, alive=False)
        return report

    def fund(self, slot_id: str, attempt: str, budget: int) -> None:
        """See the port."""
        self._funds[slot_id] = attempt, budget
        if self._heeded is None:
            self.heed(None)

    async def interrupt(self, slot_id: str, attempt: str) -> None:  # noqa: ARG002
        """See the port: it shows when the turn ends."""
        self._interrupted.add(attempt)

    async def clear(self, slot_id: str) -> str:
        """See the port."""
        came: SessionPrepared | ProcessEnded = await self._told("clear", slot_id)
        slot, process = self._slots.get(slot_id), self._process(slot_id)
        if isinstance(came, ProcessEnded):
            self._slots.pop(slot_id, None)
            end = ProcessEnd(came.exit_code, came.killed, came.expected, came.problem)
            raise SlotFailure("slot_failed", came.problem, end)
        if slot is None or process is None:
            return came.session
        process.cleared_to = came.session
        self._attempts.pop(slot_id, None)
        return await slot.clear()

    async def stop(self, slot_id: str) -> ProcessEnd:
        """See the port."""
        came: ProcessEnded = await self._told("stop", slot_id)
        self._slots.pop(slot_id, None)
        return ProcessEnd(came.exit_code, came.killed, came.expected, came.problem)

    async def kill(self, slot_id: str) -> None:
        """See the port."""
        self._slots.pop(slot_id, None)

    def on_exit(self, callback: Callable[[str, ProcessEnd], None]) -> None:
        """See the port."""
        self._on_exit = callback

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """See the port."""
        self._on_stray = callback

    def on_slot_tool(self, callback: SlotTool) -> None:
        """See the port."""
        self._on_slot_tool = callback

    def on_question(self, callback: Callable[[Ask], Awaitable[Leave]]) -> None:
        """See the port."""
        self._on_question = callback

    def on_words(self, callback: Callable[[str, str], None]) -> None:
        """See the port."""
        self._on_words = callback

    async def close(self) -> None:
        """See the port."""
        for waiting in self._waiting.values():
            waiting.cancel()
        for slot in self._slots.values():
            with suppress(Exception):
                await slot.process.kill()
        self._slots.clear()


def ended_by_itself(outcome: Outcome) -> ProcessEnd | None:
    """How the process of an attempt without a result ended by itself, as its outcome tells; None: it did
    not."""
    said = outcome.message or ""
    if said == _NORMALLY:
        return ProcessEnd(0, 0, expected=False)
    if outcome.code == "session_not_found":
        return ProcessEnd(1, 0, expected=False, message=said)
    if found := _EXITED.fullmatch(said):
        return ProcessEnd(int(found[1]), 0, expected=False, message=found[2] or "")
    if found := _KILLED.fullmatch(said):
        return ProcessEnd(-int(found[1]), 0, expected=False, message=found[2] or "")
    if found := _GONE.fullmatch(said):
        return ProcessEnd(None, 0, expected=False, message=found[1] or "")
    return None


def _is_response(line: bytes) -> bool:
    return text(parse(line) or {}, "type") == "control_response"


async def _nobody(_slot: str, _attempt: str, name: str, _given: Mapping[str, object]) -> Mapping[str, object]:
    raise NotFound(kind="tool", id=name, hint="")


async def _nobody_there(_ask: Ask) -> Leave:
    return Leave(False)
