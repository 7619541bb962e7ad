"""Nothing that waits for a time happens before it, and a pause is over when it should be.

What began at a time that has not come yet was recorded by a wrong clock, and is not waited for.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool.domain.pool_events import PoolPaused, PoolResumed
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import (
    AttemptStarted,
    InterruptRequested,
    QuestionAsked,
    QuestionExpired,
    TaskParked,
    TaskUnparked,
)

LATE_MS = 2_000


class Timers:
    """What is to happen at which time, as the facts say. `stirred` is when the owner last could not look."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._until: dict[str, tuple[int, int]] = {}
        self._pause: tuple[int, int] | None = None
        self._stirred = 0

    def excuse(self, now: int) -> None:
        """An owner has just begun, or the machine was asleep: it could not be in time."""
        self._stirred = now

    def observe(self, facts: Sequence[Fact], now: int, by_policy: bool) -> None:
        """Note what is to happen, and object where it happens early, or a pause ends late."""
        for fact in facts:
            stream = fact.stream
            match fact.event:
                case TaskParked(reason, until):
                    self._note(stream, until if reason == "backoff" else None, now)
                case TaskUnparked():
                    self._due(stream, now)
                case AttemptStarted(deadline=deadline):
                    self._note(stream, deadline, now)
                case InterruptRequested(_, "timed_out_task"):
                    self._due(stream, now)
                case QuestionAsked(question_id, deadline=deadline):
                    self._note(question_id, deadline, now)
                case QuestionExpired(question_id, "deadline"):
                    self._due(question_id, now)
                case PoolPaused(_, until):
                    self._pause = None if until is None else (until, now)
                case PoolResumed():
                    if by_policy and self._pause is not None and now >= self._pause[1]:
                        late = now - max(self._pause[0], self._stirred)
                        assert now >= self._pause[0], "the pause ended early"
                        assert late <= LATE_MS, f"the pause ended {late} ms late"
                case _:
                    pass

    def _note(self, what: str, until: int | None, now: int) -> None:
        self._until.pop(what, None)
        if until is not None:
            self._until[what] = until, now

    def _due(self, what: str, now: int) -> None:
        until, since = self._until.pop(what, (now, now))
        assert now >= until or now < since, f"{what}: a timer rang {until - now} ms early"
