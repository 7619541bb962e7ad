"""Open questions of all kinds: who asks what, which answers there are, and what an answer brings about."""

from __future__ import annotations

import json
from collections.abc import Mapping

from claude_pool.domain import task
from claude_pool.domain.budgets import scope_status
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import InvalidArgument, NotFound, WrongState
from claude_pool.domain.pool_events import SoftLimitAnswered
from claude_pool.domain.questions import ALLOW, DENY, AnswerQuestion, Question
from claude_pool.domain.soft_limits import CHOICES, SOFT_LIMIT, AnswerSoftLimit, open_questions
from claude_pool.domain.task_board import PERMISSION_CHOICES, question_text, sealed_choices
from claude_pool.domain.values import Text

from .budgets import question_view, scope_view
from .origins import Origin
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, whole
from .views import View

KINDS = ("permission", "sealed", "soft_limit")
INPUT_SHOWN_BYTES = 20_000
"""Of a longer input of a tool the beginning is shown."""


class Questions:
    """Lists and answers."""

    def __init__(self, service: Service, texts: Texts, system: System) -> None:
        """`texts` keeps changed inputs."""
        self._service = service
        self._texts = texts
        self._system = system

    async def waiting(self, task_id: str | None, kind: str | None) -> list[View]:
        """The open questions, by kind and then in the order in which they were asked."""
        world = self._service.world
        found: list[View] = []
        for asker in dict.fromkeys(world.questions.values()):
            state = world.tasks[asker]
            if kind in (None, "permission") and task_id in (None, asker) and isinstance(state, task.Running):
                found += [await self._permission_view(asker, each) for each in state.live.questions]
        for sealed_id, state in list(world.tasks.items()):
            if kind in (None, "sealed") and task_id in (None, sealed_id) and isinstance(state, task.Sealed):
                found.append(_sealed_view(state))
        if kind in (None, SOFT_LIMIT) and task_id is None:
            found += self.of_soft_limits()
        return found

    def of_soft_limits(self) -> list[View]:
        """What is asked about soft limits, the oldest first."""
        world = self._service.world
        return [
            question_view(asked, world)
            for asked in open_questions(world.open_pool().budget, self._system.now())
        ]

    async def answer_soft_limit(
        self, question_id: str, choice: str, amount: int | None, origin: Origin
    ) -> View | None:
        """Answer a question about a soft limit, with `amount` (microdollars) more; its scope as it is then.

        None: there is no such question.

        Raises:
            InvalidArgument: it has no such answer. WrongState, NotFound: somebody was faster.
        """
        world, now = self._service.world, self._system.now()
        if all(each.question_id != question_id for each in open_questions(world.open_pool().budget, now)):
            return None
        if choice not in CHOICES:
            raise InvalidArgument(argument="choice", problem=f"say {' or '.join(CHOICES)}")
        try:
            recorded = await self._service.handle(
                lambda: AnswerSoftLimit(question_id, choice, amount, self._system.now()), origin
            )
        except NotFound:
            raise self._closed(question_id) from None
        (scope,) = (r.event.scope for r in recorded if isinstance(r.event, SoftLimitAnswered))
        return scope_view(scope_status(world, scope, now))

    async def _permission_view(self, task_id: str, question: Question) -> View:
        return {
            "question_id": question.question_id,
            "kind": "permission",
            "task_id": task_id,
            "text": question_text(question),
            "tool": question.tool,
            "input": await self._input(question.input),
            "choices": list(PERMISSION_CHOICES),
            "deadline": question.deadline,
            "default": DENY,
        }

    async def _input(self, text: Text) -> object:
        if text.size > INPUT_SHOWN_BYTES:
            return f"{text.head}… ({text.size} bytes)"
        return json.loads(await whole(self._service, self._texts, text))

    async def answer(
        self,
        question_id: str,
        choice: str,
        message: str | None,
        updated_input: str | None,
        origin: Origin,
    ) -> str:
        """Answer a question; the id of the task that asked it. `updated_input` is a JSON object's text.

        Raises:
            NotFound: there is no such question. WrongState: it is closed; the message says how.
            InvalidArgument: it has no such answer.
        """
        task_id, choices = self._find(question_id)
        if choice not in choices:
            raise InvalidArgument(argument="choice", problem=f"say {' or '.join(choices)}")
        if message is not None and choice != DENY:
            raise InvalidArgument(argument="message", problem="goes with deny: it tells the model why")
        if updated_input is not None and choice != ALLOW:
            raise InvalidArgument(argument="updated_input", problem="goes with allow")
        changed: Text | None = None
        if updated_input is not None:
            changed = await keep(self._service, self._texts, updated_input, "updated_input")
        try:
            await self._service.handle(
                lambda: self._command(task_id, question_id, choice, message, changed), origin
            )
        except WrongState:
            raise self._closed(question_id) from None
        return task_id

    def _find(self, question_id: str) -> tuple[str, tuple[str, ...]]:
        """The task that asks, and the answers there are."""
        world = self._service.world
        if question_id in world.questions:
            return world.questions[question_id], PERMISSION_CHOICES
        for task_id, state in world.tasks.items():
            if isinstance(state, task.Sealed) and task.sealed_question(state.job) == question_id:
                return task_id, sealed_choices(state.job)
        if any(each["question_id"] == question_id for each in self.of_soft_limits()):
            problem = "is about a soft limit: answer it without message and updated_input"
            raise InvalidArgument(argument="question_id", problem=problem)
        raise self._closed(question_id)

    def _closed(self, question_id: str) -> WrongState | NotFound:
        closed = self._service.world.closed.get(question_id)
        if closed is None:
            return NotFound(
                kind="question", id=question_id[:60], hint="pool_list_questions lists those that wait."
            )
        return WrongState(subject=question_id, state="closed", problem=closed.what)

    def _command(
        self, task_id: str, question_id: str, choice: str, message: str | None, changed: Text | None
    ) -> Command:
        now = self._system.now()
        match choice:
            case "cancel":
                return task.CancelTask(task_id, now)
            case "rerun" | "resume":
                return task.ReopenTask(task_id, choice == "resume", now)
            case _:
                return AnswerQuestion(task_id, question_id, choice, message, changed, now)


def _sealed_view(state: task.Sealed) -> View:
    job = state.job
    return {
        "question_id": task.sealed_question(job),
        "kind": "sealed",
        "task_id": job.task_id,
        "text": job.attempts[-1].outcome.message or "Its outcome is unknown.",
        "choices": list(sealed_choices(job)),
        "deadline": None,
        "default": None,
    }


def json_object(value: Mapping[str, object]) -> str:
    """A JSON object as the text that is recorded of it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
