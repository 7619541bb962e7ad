"""A pool with everything around it: callers' words, processes, a clock, owners that come and go.

`PoolModel` drives `World`, `coordination.decide` and `policies.next_command` as the owner's service does, and
answers effects from `CliModel`. `check` holds after every step; `finish` heals all and brings all to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from claude_pool.domain import chain, ledger, pool, slot, soft_limits, task
from claude_pool.domain.chain_events import ClosingRequested, WorkplaceRequested
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.errors import PoolError
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.questions import AskQuestion, Question
from claude_pool.domain.records import Fact
from claude_pool.domain.room import Memory
from claude_pool.domain.slot_events import LaunchStarted, SessionPrepared, SlotTried
from claude_pool.domain.task_events import SessionOpened
from claude_pool.domain.values import End, Outcome, Text, Transcript
from claude_pool.domain.world import World

from .domain_chain_ledger import ChainLedger
from .domain_chains import KEPT, MADE
from .domain_claims import check_rest, check_views, check_wake
from .domain_cli_model import Clearing, CliModel, Effect, Housing, Keeping, Launching, Stopping, Turning
from .domain_ledger import Ledger
from .domain_messages import Post
from .domain_processes import check_processes
from .domain_story import NOW, Story, outcome, session_name

HEALING_ROUNDS = 400
ROLES = ("builder", "reviewer")
EXPLAINED = frozenset(
    {
        "task.completed",
        "task.cancelled",
        "task_budget_reached",
        "timed_out_queue",
        "session_not_found",
        "not_found",
        "timed_out_chain",
        "budget_exceeded",
    }
)
"""How work may end once all is well. These failures are of the task's own making (money, slot, session), or
of the chain's whose step it is (time, money)."""


class PoolModel:
    """See the module."""

    def __init__(self) -> None:
        """An empty log at the beginning of the stories' time."""
        self.story = Story()
        self.cli = CliModel()
        self.ledger = Ledger()
        self.post = Post()
        self.chains = ChainLedger(self.ledger)
        self.copying: dict[str, bool] = {}
        self.story.watchers += [
            self.ledger.observe, self.chains.observe, self.cli.observe, self.post.observe, self._learn,
        ]  # fmt: skip
        self.now = NOW
        self.owners = 0
        self.asked = 0
        self.sessions = [session_name(1)]

    @property
    def world(self) -> World:
        """The live view."""
        return self.story.world

    def _learn(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact.event, (SessionOpened, LaunchStarted, SessionPrepared)):
                self.sessions.append(fact.event.session)
            if isinstance(fact.event, (WorkplaceRequested, ClosingRequested)):
                assert fact.stream not in self.copying, "two effects at once in one copy"
                self.copying[fact.stream] = isinstance(fact.event, WorkplaceRequested)
            if isinstance(fact.event, SlotTried):
                self._check_trial(self.world.slots[fact.stream])

    def _check_trial(self, tried: slot.Present) -> None:
        """After its cool-down, while nothing holds the pool, and one slot at a time."""
        assert isinstance(tried, slot.Failed) and tried.until is not None and tried.until <= self.now
        assert not self.held() and self.world.open_pool().stopping is None
        launching = (slot.Cold, slot.Preparing, slot.Starting)
        others = [at for at in self.world.slots.values() if isinstance(at, launching)]
        assert not any(at.card.health.on_trial for at in others), "two slots are tried out at once"

    def tell(self, command: Command) -> None:
        """Record what happened in the world: that is never refused. Then let the policies react."""
        self.story.do(command)
        self.story.settle(self.now)

    def ask(self, command: Command) -> None:
        """What a caller asks for may be refused; then nothing has changed."""
        before = len(self.story.log)
        try:
            self.story.do(command)
        except PoolError:
            assert len(self.story.log) == before
        self.story.settle(self.now)

    def leave_memory(self, megabytes: int | None) -> None:
        """So much memory is left; None: any amount."""
        memory = None if megabytes is None else Memory(megabytes, 256)
        self.story.surroundings = replace(self.story.surroundings, memory=memory)
        self.story.settle(self.now)

    # What is true after every step.

    def check(self) -> None:
        """Facts, live view, its replay, the processes and the views of callers agree."""
        assert repr(vars(self.story.replayed())) == repr(vars(self.world))
        self.ledger.check(self.world)
        self.chains.check(self.world, self.now)
        self.post.check(self.world)
        check_processes(self.world, self.cli)
        check_rest(self.story, self.now)
        check_wake(self.story, self.now)
        check_views(self.story, self.now)

    # Owners.

    def start(self, settings: Settings, limit: int | None) -> None:
        """An owner starts."""
        self.owners += 1
        owner, given = f"owner-{self.owners}", limit is not None
        self.tell(pool.StartOwner("pool-1", owner, 10, "0.1.0", settings, limit, given, self.now))

    def crash(self, unsettled: Command | None, steps: int, cost: int) -> None:
        """The owner dies after a command and so many reactions to it; then it is recovered, twice over."""
        if unsettled is not None:
            with suppress(PoolError):
                self.story.do(unsettled)
        for _ in range(steps):
            command = self.story.wanted(self.now)
            if command is None:
                break
            self.story.do(command)
        self.cli.crash()
        self.copying.clear()
        seen = self._transcripts(cost)
        self.story.do(Recover(seen, self.now))
        assert self.story.do(Recover(seen, self.now)) == (), "recovery is not idempotent"

    def _transcripts(self, cost: int) -> Mapping[str, Outcome]:
        """Every other attempt left one."""
        running = [state for state in self.world.tasks.values() if isinstance(state, task.Running)]
        seen = outcome(End.INTERRUPTED, cost=cost)
        traced = replace(seen, transcript=Transcript(100, "0" * 64))
        return {
            task.live_attempt_id(state): traced if number % 2 else seen
            for number, state in enumerate(running[::2], 1)
        }

    def has_stopped(self) -> bool:
        """Whether an owner that is stopping may end."""
        done = (slot.Stopped, slot.Failed)
        slots = self.world.slots.values()
        at_rest = all(isinstance(at, done) and not at.card.housing.unkept for at in slots)
        return self.world.open_pool().stopping is not None and at_rest

    def soft_questions(self) -> tuple[ledger.Asked, ...]:
        """What is asked about soft limits."""
        return soft_limits.open_questions(self.world.open_pool().budget, self.now)

    def held(self) -> bool:
        """Whether a drain or a pause keeps the pool from work."""
        at = self.world.open_pool()
        return at.draining is not None or at.paused is not None

    def end_owner(self) -> None:
        """An owner that has stopped its slots ends, and leaves nothing to recover."""
        self.tell(pool.RecordOwnerStopped())
        self.copying.clear()
        assert not self.cli.processes and not self.cli.effects, "an owner ended and left processes behind"
        assert not self.world.running
        assert check_wake(self.story, self.now) is None
        assert self.story.do(Recover({}, self.now)) == (), "an orderly end needs no recovery"

    def verdict(self, approves: bool) -> Command:
        """What someone says of the first result that waits for a verdict."""
        task_id = next(n for n, state in self.world.tasks.items() if isinstance(state, task.PendingReview))
        why = Text(inline="not yet", size=7)
        return task.ApproveTask(task_id, self.now) if approves else task.RejectTask(task_id, why, self.now)

    def question(self, attempt: str, patience: int) -> Command:
        """What an attempt asks, as often as it likes."""
        task_id, _, number = attempt.rpartition(".")
        self.asked += 1
        command = Text(inline='{"command": "touch x"}', size=22)
        name = f"question-{self.asked}"
        asks = Question(name, "Bash", command, "Bash: touch x", self.now + patience, self.now)
        return AskQuestion(task_id, int(number), asks)

    # Processes.

    def at_work(self, kind: type[Effect]) -> list[str]:
        """The slots with an effect of this kind under way."""
        return [slot_id for slot_id, effect in self.cli.effects.items() if isinstance(effect, kind)]

    def idle(self) -> list[str]:
        """The slots whose process waits for work."""
        return [slot_id for slot_id in self.cli.processes if slot_id not in self.cli.effects]

    def all_well(self, cost: int) -> None:
        """Everything that is under way ends well."""
        for slot_id, effect in list(self.cli.effects.items()):
            match effect:
                case Launching():
                    self.tell(self.cli.launched(slot_id, self.now))
                case Turning():
                    what = outcome(cost=cost)
                    self.tell(self.cli.turn_ended(slot_id, what, alive=True, rss_mb=100, now=self.now))
                case Clearing():
                    self.tell(self.cli.cleared_now(slot_id))
                case Stopping():
                    self.tell(self.cli.gone(slot_id, expected=True, now=self.now))
                case Housing():
                    self.tell(self.cli.housed(slot_id, self.now))
                case Keeping():
                    self.tell(self.cli.kept(slot_id))
        for chain_id in list(self.copying):
            self.copied(chain_id)

    def copied(self, chain_id: str, made: chain.RecordWorkplace | chain.RecordWorkKept | None = None) -> None:
        """The copy of a chain is made, or its work is kept; or `made` says what became of that."""
        preparing = self.copying.pop(chain_id)
        if made is None and preparing:
            made = chain.RecordWorkplace(chain_id, replace(MADE, path=f"/copies/{chain_id}"), self.now)
        self.tell(made or chain.RecordWorkKept(chain_id, KEPT))

    # The end.

    def finish(self) -> None:
        """Heal everything: all accepted work comes to its end, and an owner ends with nothing left behind."""
        self.leave_memory(None)
        if self.world.open_pool().stopping is not None:
            self.work_until(self.has_stopped)
            self.end_owner()
            self.start(Settings(slots=3, max_slots=4, working_dir="/project"), None)
        self.ask(ledger.SetLimits("pool", None, None))
        for scope in (ledger.WHOLE, *self.world.open_pool().budget.scopes):
            self.ask(ledger.SetLimits(scope, None, None))
        waiting = [name for name, state in self.world.tasks.items() if _is_unhurt(state)]
        self._heal()
        self._bring_all_to_its_end()
        self.work_until(lambda: not any(isinstance(at, slot.Failed) for at in self.world.slots.values()))
        ends = {name: self.ledger.finished[name] for name in waiting}
        unexplained = {name: last for name, last in ends.items() if last not in EXPLAINED}
        assert not unexplained, f"accepted work did not end well: {unexplained}"
        self.tell(pool.StopOwner())
        self.work_until(self.has_stopped)
        self.end_owner()
        self.check()

    def _bring_all_to_its_end(self) -> None:
        """What someone has to say is said, and what it lets happen next happens, until nothing is left."""
        for _ in range(HEALING_ROUNDS):
            self.work_until(self._at_rest)
            if self.world.in_review:
                self.tell(self.verdict(approves=True))
            elif self.world.tasks:
                self.tell(task.CancelTask(next(iter(self.world.tasks)), self.now))
            else:
                break
        assert not self.world.tasks
        assert not self.world.chains, "a chain did not come to its end"
        assert all(book.end is not None for book in self.chains.books.values())

    def _at_rest(self) -> bool:
        """Whether nothing goes on that could end by itself."""
        return not (self.world.pending or self.world.parked or self.world.running or self.world.isolating)

    def _heal(self) -> None:
        for command in (pool.LiftDrain(), pool.ResumePool(), pool.SetTargetSlots(4)):
            self.ask(command)
        self.work_until(lambda: not self.cli.effects)
        serving = [name for name, at in self.world.slots.items() if not isinstance(at, slot.Stopped)]
        for role, slot_id in zip(ROLES, reversed(serving), strict=False):
            self.ask(slot.ConfigureSlot(slot_id, role=role))

    def work_until(self, done: Callable[[], bool]) -> None:
        """All goes well, and time passes where nothing else happens, until it is `done`."""
        for _ in range(HEALING_ROUNDS):
            if done():
                return
            if self.cli.effects or self.copying:
                self.all_well(cost=1)
                continue
            wake = check_wake(self.story, self.now)
            assert wake is not None, f"nothing will ever happen again, but {self.world.tasks} wait"
            self.now = wake
            self.story.settle(self.now)
        raise AssertionError(f"the pool does not come to an end: {self.world.tasks}")


def _is_unhurt(state: task.Known) -> bool:
    """Neither sealed nor being interrupted: from here on it has to end well.

    One that goes on where it was cut off may find its conversation gone, and ask.
    """
    if isinstance(state, task.Running):
        return state.live.interrupt is None and not state.live.resumed
    return not isinstance(state, task.Sealed) and state.job.resume is None
