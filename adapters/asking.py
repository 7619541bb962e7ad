"""Permission questions between a slot that waits and somebody who answers: recorded first, then answered."""

from __future__ import annotations

import asyncio

from claude_pool.domain.errors import PoolError
from claude_pool.domain.ports import Ask, Leave
from claude_pool.domain.questions import ALLOW, AskQuestion, Question, WithdrawQuestion
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.task_events import QuestionAnswered, QuestionExpired
from claude_pool.domain.values import derived_id

from .origins import Origin
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, whole

_SLOT = Origin(Actor.SLOT)


class Asking:
    """Puts questions on record and hands each recorded answer to the slot that waits for it."""

    def __init__(self, service: Service, texts: Texts, system: System) -> None:
        """`on_facts` must be told of every append."""
        self._service = service
        self._texts = texts
        self._system = system
        self._waiting: dict[str, asyncio.Future[QuestionAnswered | QuestionExpired]] = {}

    def on_facts(self, recorded: tuple[Recorded, ...]) -> None:
        """Wake those whose questions are closed."""
        for r in recorded:
            if isinstance(r.event, (QuestionAnswered, QuestionExpired)):
                waiting = self._waiting.get(r.event.question_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(r.event)

    async def ask(self, ask: Ask) -> Leave:
        """Ask, and wait until somebody answers or the question expires. Cancelling withdraws the question."""
        task_id, _, number = ask.attempt.rpartition(".")
        question_id = derived_id("question", ask.attempt, ask.request_id)
        patience = self._service.world.open_pool().settings.question_ms
        kept = await keep(self._service, self._texts, ask.input)
        now = self._system.now()
        question = Question(question_id, ask.tool, kept, ask.text, now + patience, now)
        closed: asyncio.Future[QuestionAnswered | QuestionExpired]
        closed = self._waiting[question_id] = asyncio.get_running_loop().create_future()
        try:
            await self._service.handle(AskQuestion(task_id, int(number), question), _SLOT)
            return await self._leave(await closed, patience)
        except PoolError as refused:
            return Leave(False, refused.message)
        except asyncio.CancelledError:
            self._service.submit(WithdrawQuestion(task_id, question_id, self._system.now()), _SLOT)
            raise
        finally:
            del self._waiting[question_id]

    async def _leave(self, event: QuestionAnswered | QuestionExpired, patience: int) -> Leave:
        if isinstance(event, QuestionExpired):
            silence = f"Nobody said within {patience / 1000:g} s whether you may use this tool."
            return Leave(False, f"{silence} Go on without it, or say what you need it for.")
        if event.choice != ALLOW:
            return Leave(False, event.message or "You may not use this tool here. Go on without it.")
        changed = event.updated_input
        return Leave(True, "", None if changed is None else await whole(self._service, self._texts, changed))
