"""Slots that play what was recorded: their lines go through the real reading of a slot's output."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from claude_pool.domain.ports import (
    Launch,
    Launched,
    ProcessEnd,
    SlotFailure,
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

from ..claude.callbacks import Callbacks
from ..claude.outcome import Failure
from ..claude.process import Spawn, first_of
from ..claude.slot import WarmSlot
from ..claude.slot_terms import Seams, SlotLimits
from ..claude.stream import parse, strings, text
from ..redaction import Secrets
from .played_process import PlayedProcess, ended_by_itself


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recorded attempt ended: its outcome, and its slot after it."""

    outcome: Outcome
    session: str
    alive: bool
    rss_mb: int


class Cassette(Callbacks):
    """Implements `SlotDriver` with recorded lines. Whatever is asked of it waits until it is told what came
    of it; what no line tells (that a process died or fell silent, its memory) is as it was recorded.
    """

    def __init__(
        self, transcripts: Mapping[str, bytes], folder: Path, prices: PriceList, now: Callable[[], int]
    ) -> None:
        """`folder` gets the transcripts that the played slots write anew; `now` is the recorded clock."""
        super().__init__()
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
        self.exited(slot_id, end)

    def stray(self, slot_id: str, cost: int) -> None:
        """A turn that nobody asked for cost so many microdollars."""
        self.strayed(slot_id, Outcome(End.INTERRUPTED, cost=cost))

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
        seams = Seams(PlayedProcess, lambda: self._name(launch.slot_id), self._now)
        slot = WarmSlot(
            launch, spawn, self._folder, self._prices, SlotLimits(), self.listeners(launch.slot_id), seams
        )
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
        last, end = b"", ended_by_itself(came.outcome)
        while process.sent and process.left and not process.ended.done():
            last = process.feed()
            if end is not None and not process.left:
                process.end(end)  # before anybody judges the line: its result may be doubtful for that
            await asyncio.sleep(0)
        if process.sent and not process.ended.done() and text(parse(last) or {}, "type") != "result":
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

    async def close(self) -> None:
        """See the port."""
        for waiting in self._waiting.values():
            waiting.cancel()
        for slot in self._slots.values():
            with suppress(Exception):
                await slot.process.kill()
        self._slots.clear()
