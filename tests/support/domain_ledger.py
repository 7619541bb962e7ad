"""An account of a log kept apart from the domain's own folds: what may never be true of any log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_pool.domain import slot, task
from claude_pool.domain.audit import POOL
from claude_pool.domain.invariants import Invariants
from claude_pool.domain.pool_events import (
    BudgetLimitChanged,
    BudgetOpened,
    FundsCharged,
    FundsReserved,
    FundsSettled,
    FundsToppedUp,
    LimitsSet,
    SoftLimitAnswered,
    SoftLimitAsked,
)
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotClaimed, SlotQuarantined, SlotRetired, SlotRevived, SlotTried
from claude_pool.domain.task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    SessionOpened,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    TaskSubmitted,
)
from claude_pool.domain.world import World

ENDS = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed)
TERMINAL = (TaskCompleted, TaskFailed, TaskCancelled)


@dataclass(slots=True)
class Ledger:
    """Who runs what, and every microdollar, counted from the facts alone. `observe` sees each append."""

    limit: int | None = None
    spent: int = 0
    open: dict[str, int] = field(default_factory=dict[str, int])
    limits: dict[str, int | None] = field(default_factory=dict[str, int | None])
    softs: dict[str, int | None] = field(default_factory=dict[str, int | None])
    questions: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    rulings: dict[str, tuple[str, int | None, int | None]] = field(
        default_factory=dict[str, tuple[str, int | None, int | None]]
    )
    posted: dict[str, int] = field(default_factory=dict[str, int])
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    reserved_once: set[str] = field(default_factory=set[str])
    settled: dict[str, int] = field(default_factory=dict[str, int])
    costs: dict[str, int] = field(default_factory=dict[str, int])
    live: dict[str, str] = field(default_factory=dict[str, str])
    sessions: dict[str, str] = field(default_factory=dict[str, str])
    attempts: dict[str, int] = field(default_factory=dict[str, int])
    finished: dict[str, str] = field(default_factory=dict[str, str])
    barred: set[str] = field(default_factory=set[str])
    asked: dict[str, str] = field(default_factory=dict[str, str])
    invariants: Invariants = field(default_factory=Invariants)
    versions: dict[str, int] = field(default_factory=dict[str, int])
    cut_off: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    seen: int = 0

    def observe(self, facts: Sequence[Fact]) -> None:
        """Count one append, and object to what no log may hold."""
        for fact in facts:
            self.seen += 1
            version = self.versions[fact.stream] = self.versions.get(fact.stream, 0) + 1
            self.invariants.observe(self.seen, fact.stream, version, fact.event)
            self._money(fact)
            self._work(fact)
        assert not self.invariants.close()
        assert set(self.open) <= set(self.live), "money is set aside for an attempt that is over"
        assert set(self.costs) == set(self.settled), "an attempt ended without its settlement"

    def _money(self, fact: Fact) -> None:
        match fact.event:
            case FundsReserved(attempt, amount, accounts):
                assert attempt not in self.reserved_once
                assert amount > 0
                tags = self.tags.get(attempt.rpartition(".")[0], ())
                day, *limited = accounts
                assert day.startswith("day:") and day >= self._today(), "a day that is over was posted to"
                assert limited == [f"tag:{tag}" for tag in tags if f"tag:{tag}" in self.limits]
                for account in ("", *accounts):
                    soft, stopped = self._in_force(account)[1:]
                    assert not stopped, "something started where it was stopped"
                    assert soft is None or sum(self._standing(account)) < soft, "it did not ask"
                self.reserved_once.add(attempt)
                self.open[attempt] = amount
                self.accounts[attempt] = accounts
                self._check_limits(accounts)
            case FundsToppedUp(attempt, amount):
                assert amount > 0
                self.open[attempt] += amount
                self._check_limits(self.accounts[attempt])
            case FundsSettled(attempt, cost, _, overdrawn, accounts):
                assert attempt not in self.settled
                assert overdrawn == max(0, cost - self.open.get(attempt, cost))
                assert accounts == self.accounts.pop(attempt, accounts)
                self.open.pop(attempt, None)
                self.settled[attempt] = cost
                self._post(cost, accounts)
            case FundsCharged(_, cost, _, accounts):
                self._post(cost, accounts)
            case BudgetOpened(limit):
                self.limit, self.spent = limit, 0
                self.posted = dict.fromkeys(self.posted, 0)
                self.questions, self.rulings = {}, {}
            case BudgetLimitChanged(limit):
                self.limit = limit
                self._forget("pool")
            case LimitsSet("pool", limit, soft):
                self.limit, self.softs["pool"] = limit, soft
                self._forget("pool")
            case LimitsSet(scope, limit, soft):
                self.limits[scope], self.softs[scope] = limit, soft
                self._forget(scope)
            case SoftLimitAsked(question, scope, account, soft, spent):
                assert scope not in self.questions or self.questions[scope][1] != account, "it asked twice"
                assert (spent, soft) == (self._standing(account)[0], self._in_force(account)[1])
                assert spent >= soft
                self.questions[scope] = (question, account)
            case SoftLimitAnswered(question, scope, account, choice, soft, limit):
                assert self.questions.pop(scope) == (question, account), "nobody was asked"
                assert (choice == "stop") == (limit is not None)
                self.rulings[scope] = (account, soft, limit)
            case _:
                pass

    def _forget(self, scope: str) -> None:
        self.questions.pop(scope, None)
        self.rulings.pop(scope, None)

    def _standing(self, account: str) -> tuple[int, int]:
        """What is spent and what is reserved."""
        if account == "":
            return self.spent, sum(self.open.values())
        held = sum(amount for attempt, amount in self.open.items() if account in self.accounts[attempt])
        return self.posted.get(account, 0), held

    def _in_force(self, account: str) -> tuple[int | None, int | None, bool]:
        """The hard and the soft limit, and whether somebody stopped it."""
        scope = "pool" if account == "" else "day" if account.startswith("day:") else account
        of, soft, stopped = self.rulings.get(scope, ("?", None, None))
        hard = self.limit if account == "" else self.limits.get(scope)
        if of != account:
            return hard, self.softs.get(scope), False
        return (hard if stopped is None else stopped), soft, stopped is not None

    def _post(self, cost: int, accounts: tuple[str, ...]) -> None:
        self.spent += cost
        for account in accounts:
            if account.startswith("day:") or account in self.limits:
                self.posted[account] = self.posted.get(account, 0) + cost

    def _today(self) -> str:
        return max((account for account in self.posted if account.startswith("day:")), default="")

    def _check_limits(self, accounts: tuple[str, ...]) -> None:
        for account in ("", *accounts):
            limit = self._in_force(account)[0]
            held = sum(self._standing(account))
            assert limit is None or held <= limit, f"a reservation broke the limit of {account or 'the pool'}"

    def _work(self, fact: Fact) -> None:
        stream = fact.stream
        match fact.event:
            case TaskSubmitted(_, spec):
                assert stream not in self.attempts
                self.tags[stream] = spec.tags
                self.cut_off[stream] = {"resume": ["resume"], "rerun": ["rerun"] * 3}.get(
                    spec.on_interrupt, []
                )
                self.attempts[stream] = 0
            case AttemptStarted(number, slot_id):
                assert number == self.attempts[stream] + 1
                assert stream not in self.finished
                assert slot_id not in self.live.values()
                self.attempts[stream] = number
                self.live[f"{stream}.{number}"] = slot_id
            case SessionOpened(number, session):
                assert session not in self.sessions, "two live attempts in one conversation"
                self.sessions[session] = f"{stream}.{number}"
            case (
                AttemptSucceeded(number, outcome)
                | AttemptFailed(number, outcome)
                | AttemptCancelled(number, outcome)
                | AttemptSealed(number, outcome)
            ):
                attempt = f"{stream}.{number}"
                self.costs[attempt] = outcome.cost
                del self.live[attempt]
                self.asked = {q: a for q, a in self.asked.items() if a != attempt}
                self.sessions = {s: a for s, a in self.sessions.items() if a != attempt}
            case TaskCompleted() | TaskFailed() | TaskCancelled() as last:
                assert stream not in self.finished
                self.finished[stream] = last.code if isinstance(last, TaskFailed) else last.NAME
            case TaskReopened(how, _, _, True):
                self.cut_off[stream].remove(how)  # as ordered, and not oftener than it may by itself
            case QuestionAsked(question, number):
                assert f"{stream}.{number}" in self.live
                assert question not in self.asked
                self.asked[question] = f"{stream}.{number}"
            case QuestionAnswered(question) | QuestionExpired(question):
                del self.asked[question]  # it was open: a question is closed once
            case SlotQuarantined() | SlotRetired():
                self.barred.add(stream)
            case SlotRevived() | SlotTried():
                self.barred.discard(stream)
            case SlotClaimed():
                assert stream not in self.barred, "a slot out of service was claimed"
            case _:
                pass

    def check(self, world: World) -> None:
        """The live view says what the facts say."""
        assert sum(self.settled.values()) == sum(self.costs.values())
        assert self.settled == self.costs
        budget, pool = world.open_pool().budget, self.invariants.books.level(POOL)
        assert (budget.spent, budget.reserved) == (pool.spent, pool.reserved)
        assert (budget.limit, budget.spent, budget.reservations) == (self.limit, self.spent, self.open)
        for name, scope in budget.scopes.items():
            assert scope.limit == self.limits.get(name)
            assert scope.spent == self.posted.get(scope.account, 0), f"{name} does not add up"
        assert {
            name: (each.question_id, each.account) for name, each in budget.asked.items()
        } == self.questions
        busy = {at.attempt: name for name, at in world.slots.items() if isinstance(at, slot.Busy)}
        assert busy == self.live
        running = {
            task.live_attempt_id(state): state.live
            for state in world.tasks.values()
            if isinstance(state, task.Running)
        }
        assert {attempt: live.slot_id for attempt, live in running.items()} == busy
        for name, at in world.slots.items():
            if isinstance(at, slot.Busy):
                assert running[at.attempt].session == at.session, f"{name} and its task disagree"
        assert world.sessions == {s: a.rpartition(".")[0] for s, a in self.sessions.items()}
        assert world.questions == {q: a.rpartition(".")[0] for q, a in self.asked.items()}
        self._check_queues(world)

    def _check_queues(self, world: World) -> None:
        kinds = {name: type(state) for name, state in world.tasks.items()}
        assert [name for _, _, name in world.pending] == [
            name for _, _, name in sorted(world.ranks[n] for n, kind in kinds.items() if kind is task.Pending)
        ]
        assert set(world.parked) == {name for name, kind in kinds.items() if kind is task.Parked}
        assert set(world.running) == {name for name, kind in kinds.items() if kind is task.Running}
        assert set(world.sealed) == {name for name, kind in kinds.items() if kind is task.Sealed}
        assert world.in_review == sum(kind is task.PendingReview for kind in kinds.values())
        assert task.Settling not in kinds.values()
        assert set(kinds) == set(self.attempts) - set(self.finished)
        assert set(world.ranks) <= set(kinds)
        assert world.completed + world.failed + world.cancelled == len(self.finished)
