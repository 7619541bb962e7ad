"""The whole core under random callers, processes, clocks and crashes; every invariant holds after each step.

Each rule is one thing that may happen to a pool; see `domain_pool_model` for what is checked after it, and
for how everything is healed at the end.
"""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain import chain, ledger, pool, slot, soft_limits, task
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.attempts import Claim, RecordSpend
from claude_pool.domain.chain_events import ChainEvent, Plan, Step, WorkKept, WorkplaceRefused
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import WrongState
from claude_pool.domain.funding import Quote
from claude_pool.domain.messaging import COORDINATOR, BroadcastMessage, ReadMessages, SendMessage
from claude_pool.domain.pool_events import PoolEvent, Settings
from claude_pool.domain.questions import AnswerQuestion, WithdrawQuestion
from claude_pool.domain.slot_events import SlotEvent
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.task_events import TaskEvent
from claude_pool.domain.values import End, Limit, LimitKind, Options, TaskSpec, Text
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .domain_chains import KEPT, chain_of, plan, step
from .domain_cli_model import Clearing, Effect, Housing, Keeping, Launching, Stopping, Turning
from .domain_events import chain_events, pool_events, slot_events, task_events
from .domain_forks import fork_of
from .domain_pool_model import ROLES, PoolModel
from .domain_story import outcome, session_name, task_name

MOST_TASKS = 32
MOST_CHAINS = 5
QUIET_STEPS = 10
PLAIN = TaskSpec(Text(inline="work", size=4))

costs = st.sampled_from([0, 1, 7, 40, 100, 1_000])
limits = st.sampled_from([None, None, None, 1, 100, 250, 1_000])
picks = st.integers(0, 7)
mostly = st.sampled_from([True, True, True, False])
cut_offs = st.sampled_from(["resume", "resume", "rerun", "ask"])
settings_drawn = st.builds(
    Settings,
    slots=st.integers(1, 3),
    max_slots=st.just(4),
    session=st.sampled_from(["fresh", "fresh", "slot"]),
    task_budget=st.sampled_from([None, None, 60]),
    task_timeout_ms=st.sampled_from([None, None, 30_000]),
    queue_timeout_ms=st.sampled_from([None, None, None, 20_000]),
    working_dir=st.just("/project"),
    recycle_turns=st.sampled_from([3, 200]),
    worktree=st.sampled_from([False, False, True]),
)
options_drawn = st.builds(
    Options,
    model=st.sampled_from([None, "opus"]),
    system_prompt=st.sampled_from([None, None, "Be brief."]),
    max_budget=st.sampled_from([None, None, None, 30, 90]),
    timeout_ms=st.sampled_from([None, None, 5_000]),
)
NAMES = ("a", "b", "c", "d")


@st.composite
def plans_drawn(draw: st.DrawFn) -> Plan:
    """Up to four steps, each of which needs some of those before it."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, len(NAMES)))):
        needs = tuple(name for name in NAMES[:number] if draw(st.booleans()))
        uses = ("previous_output", *(f"steps.{need}.output" for need in needs))
        steps.append(
            step(
                NAMES[number],
                *needs,
                uses=uses,
                recovery=draw(st.sampled_from([None, "mend"])),
                recovery_uses=("error", *uses),
                on_failure=draw(st.sampled_from(["stop", "continue", "skip_rest"])),
                retries=draw(st.sampled_from([0, 0, 1])),
                review=draw(st.sampled_from([None, None, None, 2])),
                max_budget=draw(st.sampled_from([None, None, None, 30])),
                on_interrupt=draw(cut_offs),
            )
        )
    return plan(
        *steps,
        isolation=draw(st.sampled_from(["none", "none", "worktree"])),
        max_budget=draw(st.sampled_from([None, None, 2, 100])),
        timeout_ms=draw(st.sampled_from([None, None, 5_000])),
    )


addresses = st.sampled_from(["slot-0", "slot-0", "slot-1", "slot-9", COORDINATOR, "all"])
changes = st.one_of(
    st.builds(ledger.ResetBudget),
    st.builds(
        ledger.SetLimits,
        scope=st.sampled_from(["pool", "day", "tag:a"]),
        limit=limits,
        soft=st.sampled_from([None, 1, 60, 240]),
    ),
    st.builds(ledger.ChargeFunds, slot_id=st.just("slot-0"), cost=costs, why=st.just("unsolicited")),
    st.builds(pool.SetContext, key=st.just("branch"), value=st.sampled_from(["a", "b"])),
    st.builds(pool.DeleteContext, key=st.just("branch")),
    st.builds(pool.SetTargetSlots, target=st.integers(0, 5)),
    st.builds(pool.ScaleSlots, by=st.integers(-1, 1), key=st.sampled_from([None, "key"])),
)
ends_of_limits = st.sampled_from([None, None, -5, 1, 3_000, 30 * 60_000, 10**12])
ends_drawn = st.sampled_from(
    [
        (End.SUCCEEDED, None, False),
        (End.SUCCEEDED, None, False),
        (End.FAILED, "provider_error", True),
        (End.FAILED, "turn_limit", False),
        (End.FAILED, "not_logged_in", False),
        (End.FAILED, "slot_failed", True),
        (End.INTERRUPTED, None, False),
    ]
)


class CoreMachine(RuleBasedStateMachine):
    """See the module. A rule that makes no sense in the present state is held back by its precondition."""

    def __init__(self) -> None:
        """An empty log."""
        super().__init__()
        self.model = PoolModel()
        self.submitted = 0
        self.chains = 0
        self.intact = False
        self.calm = 0

    def ask(self, command: Command) -> None:
        """A caller wants something."""
        self.intact = False
        self.model.ask(command)

    def tell(self, command: Command) -> None:
        """Something happened."""
        self.intact = False
        self.model.tell(command)

    @invariant()
    def nothing_is_broken(self) -> None:
        """After every step."""
        self.model.check()
        self.intact = True
        self.calm += 1

    def teardown(self) -> None:
        """All accepted work comes to its end; not after a failure, which is what is to be reported."""
        if self.intact and self.model.owners:
            self.model.finish()

    # Owners.

    @initialize(settings=settings_drawn, limit=limits, warm=st.booleans(), worst=st.sampled_from([None, 40]))
    def an_owner_starts(self, settings: Settings, limit: int | None, warm: bool, worst: int | None) -> None:
        """The log begins; calls have a price or not."""
        self.model.story.surroundings = Surroundings(
            {}, lambda _model, context, _mode: Quote(1 + context // 50, worst)
        )
        self.model.start(settings, limit)
        if warm:
            self.model.all_well(cost=0)

    def quiet(self) -> bool:
        """Whether nothing disturbed the pool for some steps: else it would hardly get any work done."""
        return self.calm >= QUIET_STEPS

    @precondition(quiet)
    @rule(settings=settings_drawn, limit=limits, steps=st.integers(0, 4), cost=costs)
    def it_crashes(self, settings: Settings, limit: int | None, steps: int, cost: int) -> None:
        """The owner dies between any two appends, perhaps with a task just accepted; another one starts."""
        self.intact, self.calm = False, 0
        accepted = self.submission(PLAIN) if self.submitted < MOST_TASKS else None
        self.model.crash(accepted, steps, cost)
        self.model.start(settings, limit)

    @rule(left=st.sampled_from([None, None, 0, 606, 956]))
    def memory_comes_and_goes(self, left: int | None) -> None:
        """Others take it, or give it back."""
        self.intact = False
        self.model.leave_memory(left)

    @precondition(quiet)
    @rule(now=st.booleans())
    def a_caller_stops_the_owner(self, now: bool) -> None:
        """In order, or at once."""
        self.calm = 0
        self.ask(pool.StopOwner(now))

    @precondition(lambda self: self.model.world.open_pool().stopping is not None)
    @rule(settings=settings_drawn, limit=limits)
    def the_owner_ends(self, settings: Settings, limit: int | None) -> None:
        """When no slot has a process any more; some day another owner starts."""
        self.intact = False
        self.model.work_until(self.model.has_stopped)
        self.model.end_owner()
        self.model.start(settings, limit)

    # Callers.

    @precondition(lambda self: self.submitted < MOST_TASKS)
    @rule(
        options=options_drawn,
        session=st.sampled_from([None, None, None, "fresh", "slot", "resume", "fork"]),
        which=picks,
        where=st.sampled_from([None, None, None, None, "slot-0", "slot-1", "slot-2", *ROLES]),
        priority=st.integers(-1, 1),
        retries=st.integers(0, 2),
        review=st.sampled_from([None, None, 1, 2]),
        tags=st.sampled_from([(), (), ("a",), ("b", "a")]),
        on_interrupt=cut_offs,
    )
    def a_caller_submits(
        self,
        options: Options,
        session: str | None,
        which: int,
        where: str | None,
        priority: int,
        retries: int,
        review: int | None,
        tags: tuple[str, ...],
        on_interrupt: str,
    ) -> None:
        """Any task."""
        if session in ("resume", "fork"):
            session = f"{session}:{self.model.sessions[-1 - which % len(self.model.sessions)]}"
        prompt = Text(inline="work", size=4)
        spec = TaskSpec(prompt, options, session, where, priority, tags, retries, on_interrupt, review)
        self.ask(self.submission(spec))

    @precondition(lambda self: self.submitted + 3 <= MOST_TASKS)
    @rule(number=st.integers(1, 3))
    def a_caller_fans_out(self, number: int) -> None:
        """Some plain tasks at once."""
        for _ in range(number):
            self.ask(self.submission(PLAIN))

    def submission(self, spec: TaskSpec) -> Submit:
        """The next task."""
        self.submitted += 1
        return Submit(task_name(self.submitted - 1), spec, "fingerprint", self.model.now)

    @precondition(lambda self: self.chains < MOST_CHAINS)
    @rule(order=plans_drawn())
    def a_caller_submits_a_chain(self, order: Plan) -> None:
        """Steps that need each other."""
        chain_id = f"chain-{'abcdefgh'[self.chains] * 16}"
        self.chains += 1
        self.ask(SubmitChain(chain_id, order, "fingerprint", self.model.now))

    @precondition(lambda self: bool(self.chains) and self.chains < MOST_CHAINS)
    @rule(which=picks, where=picks)
    def a_caller_takes_up_a_chain_again(self, which: int, where: int) -> None:
        """Any of them, live or over, from any of its steps on."""
        known = list(self.model.chains.books)
        if not known:
            return
        state = chain_of(self.model.story, known[which % len(known)])
        assert not isinstance(state, chain.Absent)
        first = state.work.plan.steps[where % len(state.work.plan.steps)].name
        chain_id = f"chain-{'abcdefgh'[self.chains] * 16}"
        try:
            forked = fork_of(self.model.story, state, first, chain_id, self.model.now)
        except WrongState:
            return
        self.chains += 1
        self.ask(forked)

    @precondition(lambda self: bool(self.model.world.chains))
    @rule(which=picks)
    def a_caller_cancels_a_chain(self, which: int) -> None:
        """Any that has not ended."""
        names = list(self.model.world.chains)
        self.ask(chain.CancelChain(names[which % len(names)], self.model.now))

    @precondition(lambda self: bool(self.model.copying))
    @rule(which=picks, works=mostly)
    def a_copy_is_made_or_its_work_kept(self, which: int, works: bool) -> None:
        """Or it is refused, or it cannot be merged."""
        self.intact = False
        names = list(self.model.copying)
        chain_id = names[which % len(names)]
        if works:
            self.model.copied(chain_id)
        elif self.model.copying[chain_id]:
            refused = WorkplaceRefused("isolation_failed", "There is no repository.")
            self.model.copied(chain_id, chain.RecordWorkplace(chain_id, refused, self.model.now))
        else:
            torn = WorkKept(KEPT.branch, "", 0, KEPT.diff, None, "merge_conflict", "It does not fit.")
            self.model.copied(chain_id, chain.RecordWorkKept(chain_id, torn))

    @precondition(lambda self: bool(self.model.world.tasks))
    @rule(which=picks)
    def a_caller_cancels(self, which: int) -> None:
        """Any task that is not finished."""
        names = list(self.model.world.tasks)
        self.ask(task.CancelTask(names[which % len(names)], self.model.now))

    @precondition(lambda self: self.model.at_work(Turning))
    @rule(which=picks, patience=st.sampled_from([0, 500, 3_000]))
    def an_attempt_asks_for_leave(self, which: int, patience: int) -> None:
        """And is refused where it is being ended."""
        effect = self.model.cli.effects[self._at(Turning, which)]
        assert isinstance(effect, Turning)
        self.ask(self.model.question(effect.claim.attempt, patience))

    @precondition(lambda self: self.model.world.questions)
    @rule(which=picks, how=st.sampled_from(["allow", "deny", "withdraw"]))
    def a_question_is_closed(self, which: int, how: str) -> None:
        """Somebody answers it, or the slot wants no answer any more."""
        names = list(self.model.world.questions)
        question_id = names[which % len(names)]
        task_id, now = self.model.world.questions[question_id], self.model.now
        if how == "withdraw":
            self.tell(WithdrawQuestion(task_id, question_id, now))
        else:
            self.ask(AnswerQuestion(task_id, question_id, how, None, None, now))

    @precondition(lambda self: self.model.soft_questions())
    @rule(which=picks, choice=st.sampled_from(["continue", "continue", "stop"]), amount=limits)
    def a_soft_limit_is_answered(self, which: int, choice: str, amount: int | None) -> None:
        """Somebody lets it go on, for a while or for good, or stops it."""
        asked = self.model.soft_questions()
        question = asked[which % len(asked)].question_id
        more = amount if choice == "continue" else None
        self.ask(soft_limits.AnswerSoftLimit(question, choice, more, self.model.now))

    @precondition(lambda self: self.model.world.sealed)
    @rule(which=picks, resume=st.booleans())
    def a_caller_reopens_a_sealed_task(self, which: int, resume: bool) -> None:
        """To run it again, or to go on with it where it was cut off."""
        sealed = [n for n, state in self.model.world.tasks.items() if isinstance(state, task.Sealed)]
        self.ask(task.ReopenTask(sealed[which % len(sealed)], resume, self.model.now))

    @precondition(lambda self: self.model.world.in_review)
    @rule(approves=st.booleans())
    def a_caller_judges(self, approves: bool) -> None:
        """The first result that waits for a verdict."""
        self.ask(self.model.verdict(approves))

    @rule(command=changes)
    def a_caller_changes_the_pool(self, command: Command) -> None:
        """Its budget, its context, its number of slots; or a turn that nobody asked for costs something."""
        self.ask(command)

    @rule(
        sender=addresses, to=addresses, size=st.sampled_from([0, 5, 5, 5, 16_384]), number=st.integers(0, 9)
    )
    def someone_sends_a_message(self, sender: str, to: str, size: int, number: int) -> None:
        """To one or to all; perhaps the same once more."""
        message_id, content = f"msg-{number}", Text(inline="x" * size, size=size)
        if to == "all":
            self.ask(BroadcastMessage(f"{message_id}-all", sender, content, self.model.now))
        else:
            self.ask(SendMessage(message_id, sender, to, content, self.model.now))

    @rule(owner=addresses, only=st.sampled_from([None, None, "msg-1"]))
    def someone_reads_messages(self, owner: str, only: str | None) -> None:
        """All that wait, or one."""
        self.ask(ReadMessages(owner, COORDINATOR, self.model.now, only))

    @precondition(lambda self: bool(self.model.world.slots))
    @rule(which=picks, role=st.sampled_from([None, *ROLES, "slot-1"]), revive=st.booleans())
    def a_caller_changes_a_slot(self, which: int, role: str | None, revive: bool) -> None:
        """Its role, which may read like a slot's id; or revives it, where it is stopped or failed."""
        slot_id = self._slot(which)
        self.ask(slot.ReviveSlot(slot_id) if revive else slot.ConfigureSlot(slot_id, role=role))

    def _slot(self, which: int) -> str:
        return list(self.model.world.slots)[which % len(self.model.world.slots)]

    @precondition(quiet)
    @rule(how=st.sampled_from(["finish", "cancel", None, 0, 3_000]))
    def a_caller_holds_the_pool(self, how: str | int | None) -> None:
        """By a drain, or by a pause for some time or until someone lifts it."""
        self.calm = 0
        if isinstance(how, str):
            self.ask(pool.StartDrain(how))
        else:
            until = None if how is None else self.model.now + how
            self.ask(pool.PausePool("provider_limit", until))

    @precondition(lambda self: self.model.held())
    @rule()
    def a_caller_lets_the_pool_go(self) -> None:
        """Lifts the drain and the pause."""
        self.ask(pool.LiftDrain())
        self.ask(pool.ResumePool())

    @precondition(lambda self: self.model.world.pending and self.model.world.slots)
    @rule(which=picks, where=picks)
    def a_caller_claims_by_hand(self, which: int, where: int) -> None:
        """The ordinary decision for one slot: it bypasses nothing."""
        task_id = self.model.world.pending[which % len(self.model.world.pending)][2]
        before = self.model.world.open_pool()
        self.ask(Claim(task_id, self._slot(where), "", self.model.now))
        claimed = task_id in self.model.world.running
        assert not claimed or (before.paused is None and before.stopping is None)

    # What happens in the world.

    def _at(self, kind: type[Effect], which: int) -> str:
        slots = self.model.at_work(kind)
        return slots[which % len(slots)]

    @precondition(lambda self: self.model.at_work(Launching))
    @rule(which=picks, works=mostly)
    def a_launch_ends(self, which: int, works: bool) -> None:
        """The process answers, or it does not come up; also one that a claim asked for."""
        slot_id, cli = self._at(Launching, which), self.model.cli
        end = cli.launched if works else cli.launch_failed
        self.tell(end(slot_id, self.model.now))

    @precondition(lambda self: self.model.at_work(Turning))
    @rule(which=picks, how=ends_drawn, cost=costs, alive=mostly, rss_mb=st.sampled_from([100, 900]))
    def an_attempt_ends(
        self, which: int, how: tuple[End, str | None, bool], cost: int, alive: bool, rss_mb: int
    ) -> None:
        """Well or badly; with or without its process."""
        end, code, retryable = how
        what = outcome(end, code, cost=cost, retryable=retryable)
        slot_id = self._at(Turning, which)
        self.tell(self.model.cli.turn_ended(slot_id, what, alive=alive, rss_mb=rss_mb, now=self.model.now))

    @precondition(lambda self: self.model.at_work(Turning))
    @rule(which=picks, kind=st.sampled_from(LimitKind), ends_in=ends_of_limits, alive=mostly)
    def an_attempt_meets_a_limit(self, which: int, kind: LimitKind, ends_in: int | None, alive: bool) -> None:
        """The provider serves nobody for now: the task waits, and has used up none of its retries."""
        slot_id, now = self._at(Turning, which), self.model.now
        effect = self.model.cli.effects[slot_id]
        assert isinstance(effect, Turning)
        task_id = effect.claim.attempt.rpartition(".")[0]
        before = self.model.world.tasks[task_id].job
        limit = Limit(kind, None if ends_in is None else now + ends_in)
        what = replace(outcome(End.FAILED, "provider_limit", retryable=True, turns=0), limit=limit)
        self.tell(self.model.cli.turn_ended(slot_id, what, alive=alive, rss_mb=100, now=now))
        after = self.model.world.tasks.get(task_id)
        if after is not None and after.job.attempts[-1].outcome.limit is not None:
            assert after.job.failures == before.failures

    @precondition(lambda self: self.model.at_work(Turning))
    @rule(which=picks, metered=costs)
    def an_attempt_spends(self, which: int, metered: int) -> None:
        """Its meter moves on: it is topped up, or interrupted where it has a cap or nothing is free."""
        effect = self.model.cli.effects[self._at(Turning, which)]
        assert isinstance(effect, Turning)
        task_id, _, number = effect.claim.attempt.rpartition(".")
        self.tell(RecordSpend(task_id, int(number), metered, self.model.now))

    @precondition(lambda self: self.model.at_work(Clearing))
    @rule(which=picks, works=mostly)
    def a_clear_ends(self, which: int, works: bool) -> None:
        """With an empty conversation, or with the end of the process."""
        slot_id = self._at(Clearing, which)
        self.tell(
            self.model.cli.cleared_now(slot_id)
            if works
            else self.model.cli.gone(slot_id, expected=False, now=self.model.now)
        )

    @precondition(lambda self: self.model.at_work(Stopping))
    @rule(which=picks)
    def a_process_has_stopped(self, which: int) -> None:
        """As it was told to."""
        self.tell(self.model.cli.gone(self._at(Stopping, which), expected=True, now=self.model.now))

    @precondition(lambda self: self.model.at_work(Housing))
    @rule(which=picks, works=mostly)
    def a_work_tree_is_made(self, which: int, works: bool) -> None:
        """Or it cannot be made."""
        self.tell(self.model.cli.housed(self._at(Housing, which), self.model.now, works))

    @precondition(lambda self: self.model.at_work(Keeping))
    @rule(which=picks, works=mostly)
    def work_is_kept(self, which: int, works: bool) -> None:
        """Or it cannot be committed."""
        self.tell(self.model.cli.kept(self._at(Keeping, which), works))

    @precondition(lambda self: self.quiet() and self.model.idle())
    @rule(which=picks)
    def an_idle_process_dies(self, which: int) -> None:
        """By itself."""
        idle = self.model.idle()
        self.tell(self.model.cli.gone(idle[which % len(idle)], expected=False, now=self.model.now))

    @precondition(lambda self: bool(self.model.cli.effects or self.model.copying))
    @rule(cost=costs, rounds=st.integers(1, 4))
    def all_goes_well(self, cost: int, rounds: int) -> None:
        """Everything that is under way ends well, and what follows from it, too."""
        self.intact = False
        for _ in range(rounds):
            self.model.all_well(cost)

    @precondition(quiet)
    @rule(which=picks, launch=st.integers(1, 3))
    def an_old_word_arrives_late(self, which: int, launch: int) -> None:
        """About a process or a conversation that is long gone: nothing changes."""
        slot_id = self._slot(which)
        at = self.model.world.slots[slot_id]
        before = len(self.model.story.log)
        if at.card.launches > launch:
            self.tell(slot.RecordLaunched(slot_id, launch, 1, "2.1.330"))
            self.tell(slot.RecordLaunchFailed(slot_id, launch, "slot_failed", "", self.model.now))
        if not isinstance(at, slot.Clearing):
            self.tell(slot.RecordCleared(slot_id, session_name(9)))
        if not isinstance(at, (slot.Idle, slot.Clearing, slot.Stopping)):
            self.tell(slot.RecordProcessEnded(slot_id, False, 1, 0, "", self.model.now))
        assert len(self.model.story.log) == before

    @precondition(quiet)
    @rule(which=picks)
    def a_conversation_is_lost(self, which: int) -> None:
        """Someone deleted the file of one that no process holds."""
        held = {process.holds for process in self.model.cli.processes.values()}
        lost = [session for session in self.model.cli.disk if session not in held]
        if lost:
            del self.model.cli.disk[lost[which % len(lost)]]

    @rule(ms=st.sampled_from([1, 900, 900, 4_000, 60_000]))
    def time_passes(self, ms: int) -> None:
        """And the owner's timer rings if it has to."""
        self.model.now += ms
        self.tell(ledger.ChargeFunds("slot-0", 0, "nothing"))

    @precondition(quiet)
    @rule(of_pool=pool_events, of_slot=slot_events, of_task=task_events, of_chain=chain_events)
    def any_fact_can_be_folded(
        self, of_pool: PoolEvent, of_slot: SlotEvent, of_task: TaskEvent, of_chain: ChainEvent
    ) -> None:
        """Onto every state that was reached; nothing is recorded."""
        world = self.model.world
        pool.evolve(world.pool, of_pool)
        for at in world.slots.values():
            slot.evolve(at, of_slot)
        for state in world.tasks.values():
            task.evolve(state, of_task)
        for going in self.model.world.chains.values():
            chain.evolve(going, of_chain)
