"""One run: a pool in chaos, then healed; all it accepted must then come to its end.

Everything happens one after the other on a virtual clock, in an order that the seed alone decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from heapq import heappop, heappush
from random import Random

from claude_pool.adapters.system import RealSystem
from claude_pool.adapters.whatif.owner import Ended, Owner, has_stopped
from claude_pool.domain import ledger, pool, slot, task
from claude_pool.domain.coordination import Command, Recover, Resume, decide
from claude_pool.domain.errors import PoolError, StoreFull
from claude_pool.domain.funding import Quote
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.room import Disk, Memory
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import End, Options, Outcome, Tokens, Transcript
from claude_pool.domain.violations import Violation
from claude_pool.domain.world import World

from tests.support.domain_cli_model import CliModel
from tests.support.domain_processes import check_processes

from .clients import ROLE, Clients
from .effects import Effects
from .faults import Faults
from .store import Crash, SimulatedLog
from .timers import Timers

BEGAN = 1_767_250_000_000
"""2026-01-01, early in the morning (ms)."""

CHAOS_MS = 60_000
HEALING_MS = 40 * 86_400_000
MOST_STEPS = 6_000


class Broken(AssertionError):
    """Something that may never be true. `step` is the number of what happened last."""

    def __init__(self, seed: int, step: int, what: str, last: Sequence[str]) -> None:
        """`last` are the events that came last."""
        super().__init__(what)
        self.seed, self.step, self.what, self.last = seed, step, what, last


class Simulation:
    """See the module. `run` goes through all phases; `step` counts what has happened."""

    def __init__(self, seed: int) -> None:
        """The same seed gives the same run."""
        self.seed = seed
        self.random = Random(seed)
        self.faults = Faults(self.random)
        self.log = SimulatedLog(self.faults)
        self.log.watch = self._written
        self.cli = CliModel()
        self.time = 0
        self.offset = 0
        self.frozen: int | None = None
        self.owner: Owner | None = None
        self.owners = 0
        self.step = 0
        self.healing = False
        self.effects = Effects(self)
        self.clients = Clients(self)
        self.timers = Timers()
        self.trace: Callable[[str], None] | None = None
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._order = 0
        self._ringing: tuple[Owner, int] | None = None
        self._settled: tuple[Owner, int] | None = None
        self._checked = 0
        worst = self.random.choice((None, 40))
        self.surroundings = Surroundings({}, lambda _m, context, _p: Quote(1 + context // 50, worst))
        self.settings = self._settings()

    # Time.

    def wall(self) -> int:
        """What the machine's clock shows (ms)."""
        return self.frozen if self.frozen is not None else BEGAN + self.time + self.offset

    def later(self, ms: int, happens: Callable[[], object]) -> None:
        """Have something happen in `ms`."""
        self._order += 1
        heappush(self._agenda, (self.time + ms, self._order, happens))

    def _pass(self, until: int) -> None:
        """Let everything happen that is due by `until`."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, happens = heappop(self._agenda)
            self.time = max(self.time, at)
            self.step += 1
            assert self.step < MOST_STEPS, "it does not come to rest"
            self._alive(happens)
            self._check_step()
        self.time = max(self.time, until)

    def _alive(self, happens: Callable[[], object]) -> None:
        """Whatever ends the owner in this leaves processes to their keepers, and the log as it is."""
        try:
            happens()
            self._react()
        except Crash:
            self.lose_owner()
        except Ended:
            self.lose_owner()

    def _react(self) -> None:
        owner = self.owner
        if owner is None or self._settled == (owner, len(self.log.entries)):
            return  # since the policies came to rest neither the time nor the log has given them a reason
        wake = owner.react()
        self._settled = owner, len(self.log.entries)
        if has_stopped(owner.world):
            owner.policies_on = False
            owner.tell(pool.RecordOwnerStopped())
            self.lose_owner(wanted=not self.healing)
        else:
            self._arm(owner, wake)

    def _arm(self, owner: Owner, wake: int | None) -> None:
        """The timer of the service: it looks again at the latest after a while."""
        if wake is None:
            self._ringing = None
            return
        if self._ringing == (owner, wake):
            return
        assert wake > owner.now, "the timer would ring for ever"
        self._ringing = owner, wake

        def ring() -> None:
            if self._ringing == (owner, wake):
                self._ringing = self._settled = None

        self.later(wake - owner.now, ring)

    # Owners.

    def _settings(self) -> Settings:
        draw = self.random.choice
        return Settings(
            slots=self.random.randint(1, 3),
            max_slots=4,
            options=Options(model=draw(("haiku", "opus"))),
            session=draw(("fresh", "fresh", "slot")),
            task_budget=draw((None, None, 60)),
            task_timeout_ms=draw((None, 30_000)),
            queue_timeout_ms=draw((None, None, None, 20_000)),
            working_dir="/project",
            recycle_turns=draw((3, 200)),
            worktree=draw((False, False, True)),
        )

    def begin(self) -> Owner | None:
        """The owner that runs, or a new one: it recovers what the last one left. None: it cannot start."""
        if self.owner is not None:
            return self.owner
        if self.log.broken is not None and (self.healing or self.random.random() < 0.3):
            self.log.broken = None  # the disk works again, or there is room
        owner = Owner(self.log, RealSystem(self.wall, lambda: self.time), self.surroundings)
        self.log.recovering = True
        try:
            owner.tell(Recover(self._transcripts(owner), owner.now))
            assert not owner.tell(Recover(self._transcripts(owner), owner.now)), "recovery is not idempotent"
            if self.faults.strikes("settings_change"):
                self.settings = self._settings()
            self.owners += 1
            limit = None if self.healing else self.random.choice((None, None, 400, 2_000))
            owner.tell(
                pool.StartOwner(
                    "pool-1", f"owner-{self.owners}", 10, "0.1.0", self.settings, limit,
                    limit is not None, owner.now,
                )
            )  # fmt: skip
        except (Crash, Ended):
            return None
        finally:
            self.log.recovering = False
        self.owner = owner
        self.timers.excuse(owner.now)
        owner.listen = self._heard
        owner.policies_on = True
        self._react_safely()
        return self.owner

    def _react_safely(self) -> None:
        try:
            self._react()
        except (Crash, Ended):
            self.lose_owner()

    def _transcripts(self, owner: Owner) -> dict[str, Outcome]:
        """What is to be seen of the attempts that a dead owner left."""
        seen: dict[str, Outcome] = {}
        for task_id in owner.world.running:
            state = owner.world.tasks[task_id]
            if isinstance(state, task.Running):
                number = state.live.number
                cost = (7 * number + len(seen)) % 50
                some = Outcome(End.INTERRUPTED, cost=cost, estimated=True, tokens=Tokens(1, cost))
                if number % 2:
                    some = replace(some, transcript=Transcript(100, "0" * 64))
                seen[task.live_attempt_id(state)] = some if cost else Outcome(End.INTERRUPTED)
        return seen

    def lose_owner(self, wanted: bool = True) -> None:
        """It is gone, and its keepers end its processes; somebody needs a pool again before long."""
        self.owner = None
        self._ringing = None
        self.cli.crash()
        self.effects.forget()
        if wanted:
            self.later(self.random.randint(100, 2_000), self._wanted)

    def _wanted(self) -> None:
        if self.begin() is None:
            self.later(500, self._wanted)

    def _written(self, facts: Sequence[Fact], now: int) -> None:
        self.timers.observe(facts, now, self.owner is not None and self.owner.reacting)

    def _heard(self, facts: Sequence[Fact]) -> None:
        owner = self.owner
        assert owner is not None
        self.cli.observe(facts)
        self.effects.begin(facts)
        if self.trace is not None:
            for fact in facts:
                self.trace(f"{self.step:5} {owner.now - BEGAN:8} {fact.stream} {fact.event}")

    # What must hold.

    def _check_step(self) -> None:
        found = self.log.invariants.found
        assert not found, describe(found[0])
        if self.owner is not None and self._checked != len(self.log.entries):
            self._checked = len(self.log.entries)
            assert self.owner.world.position == len(self.log.entries) or self.log.broken is not None
            check_processes(self.owner.world, self.cli, orphans=True)
            if self.owner.world.position == len(self.log.entries):
                self._check_money(self.owner.world)  # after a commit in doubt the view lacks something

    def _check_money(self, world: World) -> None:
        if world.position != len(self.log.entries):
            return  # the last append counts only once an owner reads it
        budget, account = world.open_pool().budget, self.log.invariants.books.level("pool")
        believed, counted = (budget.spent, budget.reserved), (account.spent, account.reserved)
        assert believed == counted, f"the view has spent and reserved {believed}, the log {counted}"

    def _check_all(self) -> None:
        assert self.owner is not None
        left = self.log.invariants.close(final=True)
        assert not left, describe(left[0])
        assert canonical(self.log.folded()) == canonical(self.owner.world), "the live view is not the log's"
        self.clients.check()

    # Phases.

    def run(self) -> Simulation:
        """Chaos, healing, and the end of all that was accepted.

        Raises:
            Broken: something held that may never be true.
        """
        try:
            self._chaos()
            self._heal()
            self._finish()
        except (AssertionError, PoolError, LookupError, TypeError) as error:
            last = [f"{p} {stream} {event}" for p, stream, _, event in self.log.entries[-12:]]
            what = f"{type(error).__name__}: {error}"
            raise Broken(self.seed, self.step, what, last) from error
        return self

    def _chaos(self) -> None:
        self.later(0, self._wanted)
        self.clients.plan(CHAOS_MS)
        self.later(500, self._clocks)
        self._pass(CHAOS_MS)

    def _clocks(self) -> None:
        strikes, draw = self.faults.strikes, self.random.choice
        if isinstance(self.log.broken, StoreFull) and self.random.random() < 0.3:
            self.log.broken = None  # somebody made room
        if strikes("clock_forward"):
            self.offset += draw((1_000, 3_600_000, 86_400_000))
        if strikes("clock_back"):
            self.offset -= draw((1_000, 3_600_000, 86_400_000))
        if strikes("clock_freeze"):
            self.frozen = self.wall() if self.frozen is None else None
        if strikes("machine_sleeps"):
            self.time += draw((5_000, 60_000))
            if self.owner is not None:
                self.timers.excuse(self.owner.now)
            self._settled = None
        self._fill()
        self.effects.stir()
        if strikes("crash"):
            raise Crash
        if not self.healing:
            self.later(500, self._clocks)

    def _fill(self) -> None:
        """Others take memory and room on the disk, or give it back."""
        if self.random.random() < 0.2:
            self._have(None, None)
        memory = (
            Memory(self.random.choice((0, 500, 700)), 256) if self.faults.strikes("memory_short") else None
        )
        disk = Disk(self.random.choice((100, 210)), 200) if self.faults.strikes("disk_short") else None
        if memory is not None or disk is not None:
            self._have(memory or self.surroundings.memory, disk or self.surroundings.disk)

    def _have(self, memory: Memory | None, disk: Disk | None) -> None:
        self.surroundings = replace(self.surroundings, memory=memory, disk=disk)
        if self.owner is not None:
            self.owner.surroundings = self.surroundings

    def _heal(self) -> None:
        """Nothing goes wrong any more, and nobody holds the pool; what can go on by itself does."""
        self.faults.heal()
        self.healing = True
        self._have(None, None)
        self.frozen = None
        if self.log.broken is not None:
            self.lose_owner()
        self._let_go()
        self._rest()
        self._do(Resume())  # what was under way may have met the last faults
        self._rest()
        waiting = (task.Sealed, task.PendingReview)
        stuck = {n: type(at).__name__ for n, at in self._world.tasks.items() if not isinstance(at, waiting)}
        assert not stuck, f"accepted work does not go on: {stuck}"

    @property
    def _world(self) -> World:
        owner = self.begin()
        assert owner is not None, "no owner can start although nothing is wrong"
        return owner.world

    def _let_go(self) -> None:
        """Lift whatever a person holds."""
        for _ in range(MOST_STEPS):
            if self._world.open_pool().stopping is None:
                break
            self._pass(self.time + 1_000)
        commands: list[Command] = [ledger.ResetBudget(), pool.LiftDrain(), Resume(), pool.SetTargetSlots(3)]
        commands += [ledger.SetLimits(scope, None, None) for scope in ("pool", "day", "tag:a")]
        for command in commands:
            self._do(command)
        self._rest()
        serving = [n for n, at in self._world.slots.items() if not isinstance(at, slot.Stopped)]
        for slot_id in serving:
            self._do(slot.ConfigureSlot(slot_id, role=ROLE))

    def _do(self, command: Command) -> None:
        """A person wants this, and nothing stands in the way but the core itself."""

        def happens() -> None:
            owner = self.begin()
            assert owner is not None
            with suppress(PoolError):
                owner.ask(command)

        self._alive(happens)
        self._check_step()

    def _rest(self) -> None:
        """Everything that can happen by itself happens."""
        end = self.time + HEALING_MS
        while self._agenda and self.time < end:
            self._pass(self._agenda[0][0])

    def _finish(self) -> None:
        """People say what they have to say, until nothing is left; then the owner ends in order."""
        for _ in range(MOST_STEPS):
            if not self._world.tasks:
                break
            self._alive(self.clients.answer)
            self._rest()
        assert not self._world.tasks and not self._world.chains, "accepted work does not come to its end"
        self._check_all()
        self._do(pool.StopOwner())
        self._rest()
        assert self.owner is None, "the owner does not end"
        assert not self.cli.processes and not self.cli.effects, "an owner ended and left processes behind"
        assert not decide(Recover({}, BEGAN), self.log.opened()), "an orderly end needs no recovery"


def describe(violation: Violation) -> str:
    """A violation in a line."""
    return f"event {violation.position}: {violation.text} ({violation.code})"


def simulate(seed: int, trace: Callable[[str], None] | None = None) -> Simulation:
    """The run of a seed; `trace` is told of each event.

    Raises:
        Broken: something held that may never be true.
    """
    simulation = Simulation(seed)
    simulation.trace = trace
    return simulation.run()
