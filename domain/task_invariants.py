"""What holds for tasks and their attempts, told from the events alone. See `invariants` for the codes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .pool_events import FundsSettled, OwnerStarted, OwnerStopped, OwnerStopping, PoolPaused, PoolResumed
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    InterruptRequested,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    ReviewRequested,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from .values import attempt_id
from .violations import Rules, Violation

_SETTLING = frozenset({"succeeded", "failed", "cancelled", "lost", "approved"})
"""Between an attempt's end, or a verdict, and what it means for the task: never at the end of an append."""

_FOR_A_PERSON = frozenset({"sealed", "review"})

_RUNNING = {"running": "running"}

_MOVES: dict[type[TaskEvent], dict[str, str]] = {
    TaskParked: {"pending": "parked", "failed": "parked"},
    TaskUnparked: {"parked": "pending"},
    AttemptStarted: {"pending": "running"},
    SessionOpened: _RUNNING,
    CancelRequested: _RUNNING,
    InterruptRequested: _RUNNING,
    QuestionAsked: _RUNNING,
    QuestionAnswered: _RUNNING,
    QuestionExpired: _RUNNING,
    AttemptSucceeded: {"running": "succeeded"},
    AttemptFailed: {"running": "failed"},
    AttemptCancelled: {"running": "cancelled"},
    AttemptSealed: {"running": "lost"},
    ReviewRequested: {"succeeded": "review"},
    TaskApproved: {"review": "approved"},
    TaskRejected: {"review": "pending"},
    TaskSealed: dict.fromkeys(("lost", "failed", "pending", "parked"), "sealed"),
    TaskReopened: {"sealed": "pending"},
    TaskCompleted: {"succeeded": "over", "approved": "over"},
    TaskFailed: {"failed": "over", "pending": "over", "parked": "over"},
    TaskCancelled: dict.fromkeys(("succeeded", "cancelled", "pending", "parked", "sealed", "review"), "over"),
}
"""To which state each event takes a task from which one: no other way is open to it."""


_ALONE = {"resume": ("resume",), "rerun": ("rerun",) * 3}
"""How often a task that was cut off goes on, or runs again, without anybody's word."""


@dataclass(slots=True)
class _Life:
    """A task: its state, its attempts so far, and how many of them failed in a way that uses up `retries`.

    `alone` is what it may still do by itself where it was cut off; `goes_on`: it was to take up that work.
    """

    state: str = "pending"
    retries: int = 0
    alone: list[str] = field(default_factory=list[str])
    goes_on: bool = False
    attempts: int = 0
    failures: int = 0
    session: str = ""
    questions: set[str] = field(default_factory=set[str])
    position: int = 0


_OVER = _Life("over")


class TaskInvariants:
    """Every task of a log."""

    def __init__(self, found: list[Violation]) -> None:
        """Violations are added to `found`."""
        self._found = found
        self._lives: dict[str, _Life] = {}
        self._sessions: dict[str, str] = {}
        self._estimated: dict[str, bool] = {}
        self._held: dict[str, str] = {}
        self.rules: Rules = {
            TaskSubmitted: self._submitted,
            AttemptStarted: self._started,
            SessionOpened: self._opened,
            InterruptRequested: self._of_an_attempt,
            QuestionAsked: self._asked,
            **dict.fromkeys((QuestionAnswered, QuestionExpired), self._closed),
            **dict.fromkeys((AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed), self._ended),
            TaskRejected: self._rejected,
            **dict.fromkeys((TaskCompleted, TaskFailed, TaskCancelled), self._over),
            **dict.fromkeys((TaskParked, TaskUnparked, CancelRequested), self._moved),
            TaskSealed: self._sealed,
            TaskReopened: self._reopened,
            **dict.fromkeys((ReviewRequested, TaskApproved), self._moved),
            FundsSettled: self._settled,
            **dict.fromkeys((PoolPaused, PoolResumed), self._paused),
            **dict.fromkeys((OwnerStarted, OwnerStopping, OwnerStopped), self._owned),
        }

    def missing(self, final: bool) -> list[Violation]:
        """What the log should still hold; `final`: nothing may wait any more but for a person."""
        left: list[Violation] = []
        for task_id, life in self._lives.items():
            if life.state in _SETTLING:
                text = f"{task_id} is {life.state}, and nothing says what this means for it"
                left.append(Violation(life.position, "half_an_end", text))
            elif final and life.state != "over" and life.state not in _FOR_A_PERSON:
                left.append(Violation(life.position, "never_ended", f"{task_id} is {life.state} for ever"))
        return left

    def _object(self, position: int, code: str, text: str) -> None:
        self._found.append(Violation(position, code, text))

    def _submitted(self, position: int, stream: str, event: TaskSubmitted) -> None:
        if stream in self._lives:
            self._object(position, "submitted_twice", f"{stream} was submitted before")
            return
        alone = _ALONE.get(event.spec.on_interrupt, ())
        self._lives[stream] = _Life(retries=event.spec.retries, alone=list(alone), position=position)

    def _moved(self, position: int, stream: str, event: TaskEvent) -> _Life | None:
        """The task after `event`, or None where it could not happen to it."""
        life, what = self._lives.get(stream), event.NAME
        if life is None:
            self._object(position, "unknown_task", f"{what}, but nobody submitted {stream}")
            return None
        after = _MOVES[type(event)].get(life.state)
        if after is None:
            over = life is _OVER
            text = f"{what}, but {stream} is {life.state}"
            self._object(position, "after_the_end" if over else "wrong_move", text)
            return None
        life.state, life.position = after, position
        return life

    def _of_an_attempt(
        self,
        position: int,
        stream: str,
        event: (
            SessionOpened | InterruptRequested | QuestionAsked
            | AttemptSucceeded | AttemptFailed | AttemptCancelled | AttemptSealed
        ),
    ) -> _Life | None:  # fmt: skip
        life = self._moved(position, stream, event)
        if life is not None and event.attempt != life.attempts:
            text = f"{event.NAME} of attempt {event.attempt}, but {life.attempts} is the live one of {stream}"
            self._object(position, "not_the_live_attempt", text)
        return life

    def _started(self, position: int, stream: str, event: AttemptStarted) -> None:
        life = self._moved(position, stream, event)
        if life is None:
            return
        if event.attempt != life.attempts + 1:
            text = f"attempt {event.attempt} of {stream} follows attempt {life.attempts}"
            self._object(position, "wrong_attempt_number", text)
        life.attempts = event.attempt
        if life.failures > life.retries:
            text = (
                f"{stream} failed {life.failures} times, may be retried {life.retries} times, and runs again"
            )
            self._object(position, "too_many_attempts", text)
        for why in self._held.values():
            self._object(position, "started_while_held", f"an attempt of {stream} started while {why}")

    def _opened(self, position: int, stream: str, event: SessionOpened) -> None:
        life = self._of_an_attempt(position, stream, event)
        if life is None:
            return
        holder = self._sessions.get(event.session)
        if holder is not None:
            text = f"{stream} runs in the conversation {event.session}, in which {holder} runs"
            self._object(position, "one_attempt_a_session", text)
        self._sessions[event.session] = stream
        life.session = event.session

    def _asked(self, position: int, stream: str, event: QuestionAsked) -> None:
        life = self._of_an_attempt(position, stream, event)
        if life is None:
            return
        if event.question_id in life.questions:
            self._object(position, "question_twice", f"{event.question_id} of {stream} was asked before")
        life.questions.add(event.question_id)

    def _closed(self, position: int, stream: str, event: QuestionAnswered | QuestionExpired) -> None:
        life = self._moved(position, stream, event)
        if life is None:
            return
        if event.question_id not in life.questions:
            text = f"{event.NAME}, but {event.question_id} of {stream} is not open"
            self._object(position, "question_twice", text)
        life.questions.discard(event.question_id)

    def _ended(
        self,
        position: int,
        stream: str,
        event: AttemptSucceeded | AttemptFailed | AttemptCancelled | AttemptSealed,
    ) -> None:
        life = self._of_an_attempt(position, stream, event)
        if life is None:
            return
        outcome = event.outcome
        life.failures += outcome.retryable and outcome.limit is None
        if outcome.cost < 0:
            self._object(position, "below_zero", f"an attempt of {stream} cost {outcome.cost}")
        self._estimated[attempt_id(stream, event.attempt)] = outcome.estimated
        self._sessions.pop(life.session, None)
        life.session = ""
        life.questions.clear()

    def _sealed(self, position: int, stream: str, event: TaskSealed) -> None:
        before = self._lives.get(stream, _OVER)
        known = before.state == "lost" or before.goes_on
        if self._moved(position, stream, event) is not None and not known:
            text = f"{stream} is sealed, but nobody lost sight of it"
            self._object(position, "sealed_in_sight", text)

    def _reopened(self, position: int, stream: str, event: TaskReopened) -> None:
        life = self._moved(position, stream, event)
        if life is None:
            return
        life.goes_on = event.how == "resume"
        if event.automatic and event.how not in life.alone:
            text = f"{stream} may not {event.how} by itself any more, and nobody decided so"
            self._object(position, "reopened_too_often", text)
        elif event.automatic:
            life.alone.remove(event.how)

    def _rejected(self, position: int, stream: str, event: TaskRejected) -> None:
        life = self._moved(position, stream, event)
        if life is not None:
            life.failures = 0

    def _over(self, position: int, stream: str, event: TaskCompleted | TaskFailed | TaskCancelled) -> None:
        if self._moved(position, stream, event) is not None:
            self._lives[stream] = _OVER

    def _settled(self, position: int, _stream: str, event: FundsSettled) -> None:
        estimated = self._estimated.pop(event.attempt, event.estimated)
        if estimated != event.estimated:
            known = "estimated" if estimated else "known"
            text = f"the cost of {event.attempt} is {known}, its settlement says otherwise"
            self._object(position, "certainty_lost", text)

    def _paused(self, _position: int, _stream: str, event: PoolPaused | PoolResumed) -> None:
        if isinstance(event, PoolPaused):
            self._held["pause"] = f"the pool was paused ({event.reason})"
        else:
            self._held.pop("pause", None)

    def _owned(
        self, _position: int, _stream: str, event: OwnerStarted | OwnerStopping | OwnerStopped
    ) -> None:
        if isinstance(event, OwnerStarted):
            self._held.pop("owner", None)
        else:
            self._held["owner"] = "the owner was ending"
