"""Puts permission questions to the person behind a client that can show a form, and records the answer.

Servers may ask only in the older protocol, and only clients that declared `elicitation`. A question is put
to one client, once; what comes of it is at most an answer like any other. Whatever else happens, the question
stays open for `pool_answer_question`, and its deadline denies it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from claude_pool.domain.errors import PoolError
from claude_pool.domain.questions import ALLOW, DENY, Question, evolve
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_board import PERMISSION_CHOICES, question_text
from claude_pool.domain.task_events import QuestionAsked
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult
from pydantic import BaseModel, ConfigDict, ValidationError

from ..application import Application
from ..origins import CALLER
from .changes import ListChanges
from .fields import LongText

INPUT_SHOWN = 2_000
"""Of a tool's input so many characters are shown."""

FORM: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "choice": {"type": "string", "title": "May it?", "enum": list(PERMISSION_CHOICES)},
        "message": {
            "type": "string",
            "title": "Message",
            "description": "With deny: what the model is told.",
        },
    },
    "required": ["choice"],
}


class _Filled(BaseModel):
    """The form as it comes back."""

    model_config = ConfigDict(strict=True)

    choice: Literal["allow", "deny"]
    message: LongText | None = None


class Elicitation:
    """Asks clients while questions are open. Holds one task for each question that a client was asked."""

    def __init__(self, application: Application, changes: ListChanges) -> None:
        """`changes` knows who is connected. Questions that are recorded from now on are put to clients."""
        self._application = application
        self._changes = changes
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        application.on_facts(self._on_facts)

    def _on_facts(self, recorded: tuple[Recorded, ...]) -> None:
        for r in recorded:
            if isinstance(r.event, QuestionAsked):
                self._put(r.stream, r.event)
        for question_id in [each for each in self._asked if not self._application.is_asked(each)]:
            self._asked.pop(question_id).cancel()  # the SDK then tells the client

    def _put(self, task_id: str, event: QuestionAsked) -> None:
        session = self._able()
        if session is not None:
            (question,) = evolve((), event)
            asking = asyncio.create_task(self._ask(session, task_id, question))
            self._asked[question.question_id] = asking
            self._tasks.add(asking)
            asking.add_done_callback(self._tasks.discard)

    def _able(self) -> ServerSession | None:
        """The client to ask: of those that can be, the one that connected last."""
        for serving in reversed(self._changes.connected):
            session = serving.session
            if session is not None and serving.connection.conflict is None and _shows_forms(session):
                return session
        return None

    async def _ask(self, session: ServerSession, task_id: str, question: Question) -> None:
        try:
            said = _answer(await session.elicit_form(form_text(task_id, question), dict(FORM)))
        except (MCPError, ValidationError):
            return  # it went away, could not show it, or says something else
        finally:
            # From here on a closed question is no reason to stop: it may be this answer that closes it.
            self._asked.pop(question.question_id, None)
        if said is not None:
            choice, message = said
            with contextlib.suppress(PoolError):  # somebody else was first
                await self._application.answer_question(question.question_id, choice, message, origin=CALLER)


def _shows_forms(session: ServerSession) -> bool:
    declared = session.client_capabilities
    can = None if declared is None else declared.elicitation
    # Before there were kinds, all of them were forms.
    return can is not None and (can.form is not None or can.url is None)


def _answer(reply: ElicitResult) -> tuple[str, str | None] | None:
    """The choice and what the model is told; None: no answer.

    Raises:
        ValidationError: the form is not filled as asked.
    """
    match reply.action:
        case "cancel":
            return None
        case "decline":
            return DENY, None
        case "accept":
            given = {name: value for name, value in (reply.content or {}).items() if value != ""}
            filled = _Filled.model_validate(given)
            return (ALLOW, None) if filled.choice == ALLOW else (DENY, filled.message)


def form_text(task_id: str, question: Question) -> str:
    """What a person is told: who asks, what for, with which input, and until when.

    The model may have worded what it wants, so the input itself is shown, and nothing can look like a line
    of the pool's own.
    """
    lines = [f"Task {task_id} asks: {_on_one_line(question_text(question))}"]
    given = question.input.inline or question.input.head or ""
    if question.input.inline is None or len(given) > INPUT_SHOWN:
        beginning = _on_one_line(given[:INPUT_SHOWN])
        lines.append(f"Input, the beginning of {question.input.size} bytes: {beginning}…")
    elif given not in question.text:
        lines.append(f"Input: {_on_one_line(given)}")
    until = datetime.fromtimestamp(question.deadline / 1000, UTC).astimezone().isoformat(" ", "seconds")
    seconds = (question.deadline - question.asked_at) / 1000
    lines.append(f"Without an answer by {until}, in {seconds:g} s, it is denied.")
    return "\n".join(lines)


def _on_one_line(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
