"""What slots, processes, the provider and git do in a simulated pool, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_pool.domain import chain, ledger, slot
from claude_pool.domain.attempts import RecordSpend
from claude_pool.domain.chain_events import ClosingRequested, WorkKept, WorkplaceRefused, WorkplaceRequested
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import PoolError, StoreError
from claude_pool.domain.questions import AskQuestion, Question, WithdrawQuestion
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import CancelRequested, InterruptRequested
from claude_pool.domain.values import End, Limit, LimitKind, Outcome, Text

from tests.support.domain_chains import KEPT, MADE
from tests.support.domain_cli_model import Clearing, Effect, Housing, Keeping, Launching, Stopping, Turning
from tests.support.domain_story import outcome

if TYPE_CHECKING:
    from .simulation import Simulation

LIMITS = {
    "rate_limit": LimitKind.RATE,
    "rate_limit_blind": LimitKind.RATE,
    "overloaded": LimitKind.OVERLOADED,
    "unreachable": LimitKind.UNREACHABLE,
    "usage_limit": LimitKind.USAGE,
    "login_refused": LimitKind.LOGIN,
    "no_credit": LimitKind.BILLING,
}
ENDLESS = ("rate_limit_blind", "unreachable", "login_refused", "no_credit")
"""Limits that nobody says the end of."""
FAILURES = {
    "process_crash": ("slot_failed", True, False),
    "killed": ("slot_failed", True, False),
    "exit_without_result": ("no_result", False, False),
    "answer_cut": ("provider_error", True, True),
}
"""How an attempt fails: its code, whether it may be tried again, and whether the process lives on."""

SILENCE_MS = 300_000
KILL_MS = 8_000
LAUNCH_MS = 60_000


class Effects:
    """Everything that is under way outside the core. The owner's end ends it all."""

    def __init__(self, sim: Simulation) -> None:
        """Nothing is under way."""
        self._sim = sim
        self._known: dict[str, Effect] = {}
        self._asked = 0

    def forget(self) -> None:
        """The owner is gone, and everything with it."""
        self._known.clear()

    def begin(self, facts: Sequence[Fact]) -> None:
        """Start what `facts` ask for, and what followed from an effect that ended."""
        cli = self._sim.cli
        for slot_id, effect in list(cli.effects.items()):
            if self._known.get(slot_id) is not effect:
                self._known[slot_id] = effect
                self._start(slot_id, effect)
        for fact in facts:
            match fact.event:
                case CancelRequested() | InterruptRequested():
                    self._interrupt(fact.stream)
                case WorkplaceRequested():
                    self._copy(fact.stream)
                case ClosingRequested():
                    self._close(fact.stream)
                case _:
                    pass

    def _tell(self, command: Command) -> None:
        owner = self._sim.owner
        assert owner is not None
        owner.tell(command)
        self.begin(())

    def _late(self, command: Command) -> None:
        """A word about what is over: it changes nothing."""
        owner = self._sim.owner
        if owner is None:
            return
        before = len(self._sim.log.entries)
        try:
            owner.ask(command)
        except StoreError:
            return
        except PoolError:
            pass
        assert len(self._sim.log.entries) == before, f"a late word was believed: {command}"

    def _after(self, ms: int, happens: Callable[[], None]) -> None:
        """In `ms`, unless the owner is another by then."""
        owner = self._sim.owner

        def now() -> None:
            if self._sim.owner is owner:
                happens()

        self._sim.later(ms, now)

    def _when(self, slot_id: str, effect: Effect, ms: int, ends: Callable[[], Command]) -> None:
        """The effect ends in `ms`, unless it has by then."""

        def end() -> None:
            if self._sim.cli.effects.get(slot_id) is effect:
                self._known.pop(slot_id, None)
                self._tell(ends())

        self._after(ms, end)

    @property
    def _now(self) -> int:
        owner = self._sim.owner
        assert owner is not None
        return owner.now

    def _start(self, slot_id: str, effect: Effect) -> None:
        draw, strikes, cli = self._sim.random.randint, self._sim.faults.strikes, self._sim.cli
        if isinstance(effect, (Launching, Clearing, Stopping)) and strikes("never_answers"):
            return  # until the core gives it up
        match effect:
            case Launching():
                self._launch(slot_id, effect)
            case Turning():
                self._turn(slot_id, effect)
            case Clearing():
                works = not strikes("clear_fails")
                self._when(
                    slot_id, effect, draw(5, 50),
                    lambda: cli.cleared_now(slot_id)
                    if works
                    else cli.gone(slot_id, expected=False, now=self._now),
                )  # fmt: skip
            case Stopping():
                self._when(
                    slot_id, effect, draw(10, 100), lambda: cli.gone(slot_id, expected=True, now=self._now)
                )
            case Housing():
                works = not strikes("tree_fails")
                ms = 30_000 if strikes("tree_slow") else draw(10, 200)
                self._when(slot_id, effect, ms, lambda: cli.housed(slot_id, works))
            case Keeping():
                works = not strikes("work_not_kept")
                self._when(slot_id, effect, draw(10, 200), lambda: cli.kept(slot_id, works))

    def _launch(self, slot_id: str, effect: Launching) -> None:
        draw, strikes, cli = self._sim.random.randint, self._sim.faults.strikes, self._sim.cli
        if strikes("launch_never"):
            self._when(slot_id, effect, LAUNCH_MS, lambda: cli.launch_failed(slot_id, self._now))
        elif strikes("launch_fails"):
            self._when(slot_id, effect, draw(20, 300), lambda: cli.launch_failed(slot_id, self._now))
        else:
            ms = 20_000 if strikes("launch_slow") else draw(20, 300)
            self._when(slot_id, effect, ms, lambda: cli.launched(slot_id, self._now))

    # Attempts.

    def _turn(self, slot_id: str, effect: Turning) -> None:
        draw, strikes = self._sim.random.randint, self._sim.faults.strikes
        task_id, _, number = effect.claim.attempt.rpartition(".")
        what, alive = self._outcome()
        ms = draw(50, 4_000)
        if strikes("mute"):
            what, alive, ms = outcome(End.FAILED, "slot_failed", retryable=True), False, SILENCE_MS
        for part in range(draw(0, 2)):
            metered = what.cost * (part + 1) // 3
            self._word(slot_id, effect, ms * (part + 1) // 3, RecordSpend(task_id, int(number), metered, 0))
        if draw(0, 9) == 0:
            self._ask(slot_id, effect, task_id, int(number), ms // 2)
        self._end_turn(slot_id, effect, ms, what, alive)
        if task_id in self._sim.cli.asked:
            self._interrupt(task_id)

    def _word(self, slot_id: str, effect: Effect, ms: int, command: RecordSpend) -> None:
        def say() -> None:
            if self._sim.cli.effects.get(slot_id) is effect:
                self._tell(replace(command, now=self._now))

        self._after(ms, say)

    def _end_turn(self, slot_id: str, effect: Turning, ms: int, what: Outcome, alive: bool) -> None:
        strikes, rss = self._sim.faults.strikes, 900 if self._sim.faults.strikes("memory_grows") else 100
        task_id, _, number = effect.claim.attempt.rpartition(".")

        def ends() -> Command:
            end = self._sim.cli.turn_ended(slot_id, what, alive=alive, rss_mb=rss, now=self._now)
            if strikes("double_result"):
                self._sim.later(0, lambda: self._late(end))
            if strikes("late_result"):
                self._sim.later(5_000, lambda: self._late(end))
            if strikes("late_words"):
                spend = RecordSpend(task_id, int(number), 10_000, self._now)
                self._sim.later(self._sim.random.randint(1, 8_000), lambda: self._late(spend))
            if alive and strikes("stray_turn"):
                self._after(20, lambda: self._tell(ledger.ChargeFunds(slot_id, 3, "unsolicited", self._now)))
            return end

        self._when(slot_id, effect, ms, ends)

    def _outcome(self) -> tuple[Outcome, bool]:
        strikes, draw = self._sim.faults.strikes, self._sim.random.randint
        for kind, limit in LIMITS.items():
            if strikes(kind):
                until = None if kind in ENDLESS else draw(500, 20_000)
                met = Limit(limit, None if until is None else self._now + until)
                code = "not_logged_in" if limit is LimitKind.LOGIN else "provider_limit"
                return replace(outcome(End.FAILED, code, retryable=True, turns=0), limit=met), True
        cost, estimated = self._cost()
        for kind, (code, retryable, alive) in FAILURES.items():
            if strikes(kind):
                failed = outcome(End.FAILED, code, retryable=retryable, cost=cost)
                return replace(failed, estimated=not alive), alive
        return replace(outcome(cost=cost), estimated=estimated), True

    def _cost(self) -> tuple[int, bool]:
        strikes = self._sim.faults.strikes
        if strikes("cost_zero"):
            return 0, False
        cost = self._sim.random.choice((1, 7, 40))
        if strikes("cost_jumps"):
            cost = 300
        if strikes("overdrawn"):
            cost = 5_000
        return cost, strikes("cost_unknown")

    def _ask(self, slot_id: str, effect: Turning, task_id: str, number: int, ms: int) -> None:
        self._asked += 1
        name = f"question-{self._asked}"

        def ask() -> None:
            if self._sim.cli.effects.get(slot_id) is not effect:
                return
            asks = Question(name, "Bash", Text("{}", size=2), "Bash", self._now + 1_000, self._now)
            try:
                self._tell(AskQuestion(task_id, number, asks))
            except PoolError:
                return  # it is being ended
            if self._sim.faults.strikes("question_withdrawn"):
                self._after(5, lambda: self._tell(WithdrawQuestion(task_id, name, self._now)))

        self._after(ms, ask)

    def _interrupt(self, task_id: str) -> None:
        """The slot is told to stop its turn; one that does not listen is killed."""
        for slot_id, effect in self._sim.cli.effects.items():
            if isinstance(effect, Turning) and effect.claim.attempt.startswith(f"{task_id}."):
                if self._sim.faults.strikes("never_answers"):
                    self._known[slot_id] = hangs = replace(effect)
                    self._sim.cli.effects[slot_id] = hangs  # nor does its own end come
                    continue
                ignores = self._sim.faults.strikes("interrupt_ignored")
                ms = KILL_MS if ignores else self._sim.random.randint(5, 200)
                what = outcome(End.INTERRUPTED, cost=self._sim.random.choice((0, 1, 7)))
                self._end_turn(slot_id, effect, ms, replace(what, estimated=ignores), not ignores)

    # What happens without anybody's doing.

    def stir(self) -> None:
        """Idle processes die, conversations get lost, and somebody speaks of processes that are long gone."""
        cli, strikes, owner = self._sim.cli, self._sim.faults.strikes, self._sim.owner
        if owner is None:
            return
        idle = [slot_id for slot_id in cli.processes if slot_id not in cli.effects]
        if idle and strikes("idle_death"):
            self._tell(cli.gone(self._sim.random.choice(idle), expected=False, now=self._now))
        held = {process.holds for process in cli.processes.values()}
        lost = [session for session in cli.disk if session not in held]
        if lost and strikes("session_lost"):
            del cli.disk[self._sim.random.choice(lost)]
        for slot_id, at in list(owner.world.slots.items()):
            if at.card.launches > 1 and strikes("late_words"):
                self._late(slot.RecordLaunched(slot_id, at.card.launches - 1, 1, "2.1.330"))
                self._late(
                    slot.RecordLaunchFailed(slot_id, at.card.launches - 1, "slot_failed", "", self._now)
                )

    # Copies of repositories.

    def _copy(self, chain_id: str) -> None:
        ms = 20_000 if self._sim.faults.strikes("copy_slow") else self._sim.random.randint(10, 300)
        refused = WorkplaceRefused("isolation_failed", "There is no repository.")
        made = replace(MADE, path=f"/copies/{chain_id}")
        outcome = refused if self._sim.faults.strikes("copy_fails") else made
        self._after(ms, lambda: self._tell(chain.RecordWorkplace(chain_id, outcome, self._now)))

    def _close(self, chain_id: str) -> None:
        torn = WorkKept(KEPT.branch, "", 0, KEPT.diff, None, "merge_conflict", "It does not fit.")
        kept = torn if self._sim.faults.strikes("merge_fails") else KEPT
        self._after(
            self._sim.random.randint(10, 300), lambda: self._tell(chain.RecordWorkKept(chain_id, kept))
        )
