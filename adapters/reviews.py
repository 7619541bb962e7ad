"""Verdicts on results under review, and what the next attempt is told of those that were rejected."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool.domain import task
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import InvalidArgument, WrongState
from claude_pool.domain.task_board import refused_results, state_name

from .origins import Origin
from .prompting import RefusedText
from .queries import task_state
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, whole

REFUSED_OUTPUT_BYTES = 32 * 1024
"""A rejected output up to this size is shown whole to the next attempt; of a longer one its beginning."""


class Reviews:
    """Approves and rejects."""

    def __init__(self, service: Service, texts: Texts, system: System) -> None:
        """`texts` keeps feedback."""
        self._service = service
        self._texts = texts
        self._system = system

    async def approve(self, task_id: str, origin: Origin) -> None:
        """Accept a result.

        Raises:
            NotFound: no such task. WrongState: it waits for no verdict.
        """
        await self._decide(task_id, lambda: task.ApproveTask(task_id, self._system.now()), origin)

    async def reject(self, task_id: str, feedback: str, origin: Origin) -> None:
        """Refuse a result, saying why.

        Raises:
            InvalidArgument: the feedback is empty. NotFound, WrongState: as `approve`.
        """
        if not feedback.strip():
            raise InvalidArgument(argument="feedback", problem="say what is wrong with the result")
        kept = await keep(self._service, self._texts, feedback, "feedback")
        await self._decide(task_id, lambda: task.RejectTask(task_id, kept, self._system.now()), origin)

    async def _decide(self, task_id: str, verdict: Callable[[], Command], origin: Origin) -> None:
        try:
            await self._service.handle(verdict, origin)
        except WrongState:
            state = await task_state(self._service, task_id)
            raise WrongState(subject=task_id, state=state_name(state), problem=_why_not(state)) from None


def _why_not(state: task.Known) -> str:
    match state:
        case task.Completed(job) if job.spec.review is not None:
            return "its result was approved already"
        case _ if state.job.spec.review is None:
            return "it was submitted without a review, so there is no verdict to give"
        case task.Completed() | task.Failed() | task.Cancelled():
            return "it has ended, so no verdict is awaited any more"
        case _:
            return "there is no result to judge yet; pool_wait tells when there is"


async def refused_texts(service: Service, texts: Texts, job: task.Job) -> list[RefusedText]:
    """What the next attempt is shown of each rejected result."""
    found: list[RefusedText] = []
    for number, each in enumerate(refused_results(job), 1):
        output = await whole(service, texts, each.output)
        feedback = await whole(service, texts, each.feedback)
        found.append(RefusedText(number, _bounded(output), feedback))
    return found


def _bounded(output: str) -> str:
    content = output.encode()
    if len(content) <= REFUSED_OUTPUT_BYTES:
        return output
    beginning = content[:REFUSED_OUTPUT_BYTES].decode("utf-8", "ignore")
    return f"{beginning}… (the first {REFUSED_OUTPUT_BYTES} of {len(content)} bytes)"
