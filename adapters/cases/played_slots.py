"""The slots of a case that is played again: they do what they did, as soon as there is an occasion."""

from __future__ import annotations

import asyncio

from claude_pool.domain import task
from claude_pool.domain.message_events import MessageAccepted, MessagesRead
from claude_pool.domain.pool_events import (
    FundsCharged,
    FundsToppedUp,
)
from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.slot_events import (
    LaunchFailed,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotReleased,
)
from claude_pool.domain.task_events import (
    InterruptRequested,
    QuestionAsked,
    QuestionExpired,
)

from ..service import Service
from .cassette import Cassette, Ended
from .recording import END, Append, outcome_in

_ROUNDS = 4


class PlayedSlots:
    """See the module."""

    def __init__(self, service: Service, driver: Cassette) -> None:
        """They are those of `driver`, in the pool of `service`."""
        self._service = service
        self._driver = driver
        self._rest: str | None = ""

    def let_go(self) -> None:
        """The recording does not lead any more: tell of what every turn spends."""
        self._rest = None
        self._driver.heed(None)

    async def play(self, append: Append) -> bool:
        """Tell the slots that wait what came; False where none waits for that."""
        stream, event = append.facts[0].stream, append.facts[0].event
        match event:
            case LaunchSucceeded() | ProcessReplaced() | LaunchFailed():
                return await self._tell("launch", stream, event)
            case SessionPrepared():
                return await self._tell("clear", stream, event)
            case ProcessEnded():
                for what in ("clear", "stop"):
                    if self._driver.waits(what, stream):
                        return self._driver.tell(what, stream, event)
                end = ProcessEnd(event.exit_code, event.killed, event.expected, event.problem)
                self._driver.exit(stream, end)
                return True
            case FundsCharged(slot_id, cost):
                self._driver.stray(slot_id, cost)
                return True
            case _ if isinstance(event, END):
                return await self._end(append)
            case FundsToppedUp(attempt):
                return await self._feed(self._slot_of(attempt.rpartition(".")[0]))
            case InterruptRequested() | QuestionAsked() | QuestionExpired():
                return await self._feed(self._slot_of(stream))
            case MessageAccepted(sender=sender):
                return await self._feed(sender)
            case MessagesRead(reader=reader):
                return await self._feed(reader)
            case _:
                return False

    async def _tell(self, what: str, slot_id: str, came: object) -> bool:
        if not self._driver.waits(what, slot_id):
            await self.quiet()
        return self._driver.tell(what, slot_id, came)

    async def _end(self, append: Append) -> bool:
        attempt = append.facts[0].event
        released = [f for f in append.facts if isinstance(f.event, SlotReleased)]
        if not released or not isinstance(attempt, END):
            return False
        slot_id, last = released[0].stream, released[0].event
        assert isinstance(last, SlotReleased)
        alive = not any(isinstance(fact.event, ProcessEnded) for fact in append.facts)
        if not self._driver.waits("end", slot_id):
            await self.quiet()
        if self._driver.waits("launch", slot_id):
            code, problem = attempt.outcome.code or "slot_failed", attempt.outcome.message or ""
            return self._driver.tell("launch", slot_id, LaunchFailed(0, code, problem, 0))
        came = Ended(outcome_in(append.facts), last.session, alive, last.rss_mb)
        return self._driver.tell("end", slot_id, came)

    def _slot_of(self, task_id: str) -> str:
        state = self._service.world.tasks.get(task_id)
        return state.live.slot_id if isinstance(state, task.Running) else ""

    async def _feed(self, slot_id: str) -> bool:
        """Let the slot speak until something comes of it."""
        await self.quiet()
        self._driver.heed(slot_id)
        try:
            before = self._service.world.position
            while self._service.world.position == before:
                spent = self._driver.spent
                line = self._driver.feed(slot_id)
                if line is None:
                    return False
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
                if b'"control_' in line or self._driver.spent != spent:
                    await self.quiet()
            return True
        finally:
            self._driver.heed(self._rest)

    async def quiet(self) -> None:
        """Wait until nothing moves by itself: the loop has turned, and the log's thread has no work."""
        for _ in range(_ROUNDS):
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            await self._service.on_log(lambda: None)
