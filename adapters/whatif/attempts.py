"""The attempts of a course: each takes, costs and asks what the record tells of it, or of others like it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from claude_pool.domain import slot
from claude_pool.domain import task_events as t
from claude_pool.domain.attempts import RecordEnd, RecordSpend
from claude_pool.domain.questions import AskQuestion, Question
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.values import Outcome
from claude_pool.domain.world import World

from .answers import Answer, cut_short
from .record import Waited
from .scene import Scene


@dataclass(eq=False, slots=True)
class _Turn:
    """An attempt that runs: its answer, when it is due, and how long it has waited for people beyond what it
    did in the record."""

    task_id: str
    number: int
    slot_id: str
    claim: SlotClaimed
    began: int
    answer: Answer
    due: int
    cap: int | None
    ahead: int
    ending: bool = False
    asking: int = 0


class Attempts:
    """The attempts that run, one a slot."""

    def __init__(self, scene: Scene) -> None:
        """What they do is on the agenda of `scene`."""
        self._scene = scene
        self._turns: dict[str, _Turn] = {}
        self._models = {
            (task_id, a.number): a.model for task_id, each in scene.record.attempts.items() for a in each
        }

    def lose(self) -> None:
        """The owner is gone, and every attempt with it."""
        self._turns.clear()

    def give_up(self, slot_id: str) -> None:
        """The attempt in the slot does not end any more."""
        self._turns.pop(slot_id, None)

    def seen(self, world: World) -> dict[str, Outcome]:
        """What the attempts that run would show to the next owner."""
        return {
            f"{turn.task_id}.{turn.number}": self._scene.answers.cut(
                turn.task_id, turn.answer, self._scene.time.ms - turn.began,
                world.tasks[turn.task_id].job.spec.on_interrupt == "resume",
            )
            for turn in self._turns.values()
        }  # fmt: skip

    def begin(self, slot_id: str, claim: SlotClaimed, facts: Sequence[Fact]) -> None:
        """The attempt of `claim` starts in the slot, as `facts` of the same append tell."""
        started = next(f.event for f in facts if isinstance(f.event, t.AttemptStarted))
        task_id, now = claim.attempt.rpartition(".")[0], self._scene.time.ms
        answer = self._scene.answers.answer(task_id, claim.replaces, now)
        was = self._models.get((task_id, started.attempt), started.model)
        if was != started.model:
            outcome = self._scene.answers.priced(answer.outcome, was, started.model, started.permission_mode)
            answer = _dearer(answer, outcome)
        turn = _Turn(
            task_id, started.attempt, slot_id, claim, now, answer, now + answer.ms, started.cap, started.ahead
        )
        self._turns[slot_id] = turn
        if answer.hung and answer.dies_first:
            return
        if claim.replaces and not answer.dies_first:
            self._during(turn, answer.launch_ms, partial(self._replaced, turn))
        if started.cap is not None or started.reserved:
            for offset, cost in answer.spent:
                self._during(turn, offset, partial(self._spend, turn, cost))
        for waited in answer.questions:
            self._during(turn, waited.offset, partial(self._ask, turn, waited))
        self._scene.at(turn.due, partial(self._end, turn))

    def _during(self, turn: _Turn, offset: int, happens: Callable[[], None]) -> None:
        def now() -> None:
            if self._turns.get(turn.slot_id) is turn and self._scene.owner is not None:
                happens()

        self._scene.at(turn.began + offset, now)

    def _replaced(self, turn: _Turn) -> None:
        assert self._scene.owner is not None
        self._scene.owner.tell(slot.RecordLaunched(turn.slot_id, turn.claim.launch, 1, ""))

    def _spend(self, turn: _Turn, cost: int) -> None:
        owner = self._scene.owner
        assert owner is not None
        held = owner.world.open_pool().budget.held.get(turn.claim.attempt)
        plenty = held is not None and turn.cap is None and cost + turn.ahead < held.amount
        if not (turn.ending or plenty):  # as a driver, which says nothing before that
            owner.tell(RecordSpend(turn.task_id, turn.number, cost, self._scene.time.ms))

    def _ask(self, turn: _Turn, waited: Waited) -> None:
        owner, now = self._scene.owner, self._scene.time.ms
        assert owner is not None
        if turn.ending:
            return
        q, question_ms = waited.question, self._scene.changes.question_ms()
        patience = q.deadline - q.at if question_ms is None else question_ms
        asks = Question(q.question_id, q.tool, q.input, q.text, now + patience, now)
        turn.asking += 1
        turn.due -= waited.ms
        owner.tell(AskQuestion(turn.task_id, turn.number, asks))

    def answered(self, task_id: str, question_id: str) -> None:
        """Somebody answered a question of the task, or nobody did in time: it goes on."""
        turn = self._turn_of(task_id)
        if turn is None or not turn.asking:
            return
        for waited in turn.answer.questions:
            if waited.question.question_id == question_id:
                turn.asking -= 1
                asked = turn.began + waited.offset
                turn.due += self._scene.time.ms - asked
                self._scene.at(turn.due, partial(self._end, turn))

    def _turn_of(self, task_id: str) -> _Turn | None:
        return next((turn for turn in self._turns.values() if turn.task_id == task_id), None)

    def interrupt(self, task_id: str) -> None:
        """The attempt is asked to end: it does as in the record, where that is when it was asked there."""
        turn = self._turn_of(task_id)
        if turn is None or turn.ending:
            return
        turn.ending = True
        ran = self._scene.time.ms - turn.began
        ended = turn.answer.ended_at(ran)
        if ended is not None:
            if ended.hung or ended.outcome is None or ended.asked is None:
                return  # until the core gives it up
            self._cut_off(turn, max(0, ended.ms - ended.asked[0]), ended.outcome, ended.alive)
            return
        lag = self._scene.answers.lag_ms
        if turn.asking or turn.due > self._scene.time.ms + lag:
            self._cut_off(turn, lag, cut_short(turn.answer, ran), True)

    def _cut_off(self, turn: _Turn, lag: int, outcome: Outcome, alive: bool) -> None:
        turn.answer = replace(turn.answer, outcome=outcome, alive=alive)
        turn.asking = 0
        turn.due = self._scene.time.ms + lag
        self._scene.at(turn.due, partial(self._end, turn))

    def _end(self, turn: _Turn) -> None:
        owner = self._scene.owner
        if owner is None or self._turns.get(turn.slot_id) is not turn:
            return
        if turn.asking or turn.due > self._scene.time.ms:
            return
        del self._turns[turn.slot_id]
        answer = turn.answer
        session = "" if answer.lost_session else turn.claim.session
        owner.tell(
            RecordEnd(
                turn.task_id, turn.number, turn.slot_id, answer.outcome, session, answer.alive,
                answer.rss_mb, self._scene.time.ms,
            )
        )  # fmt: skip


def _dearer(answer: Answer, outcome: Outcome) -> Answer:
    """The answer on another model, where it costs something else on the way, too."""
    before = answer.outcome.cost
    if not before:
        return answer
    spent = tuple((ms, cost * outcome.cost // before) for ms, cost in answer.spent)
    return replace(answer, outcome=outcome, spent=spent)
