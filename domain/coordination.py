"""Decisions that concern several aggregates at once, each as one set of facts for one atomic append.

`decide(command, world)` is the single door: every command of callers, policies and slots goes through
it. Single-aggregate commands pass straight to their aggregate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import chain, ledger, messaging, pool, provider, slot, soft_limits, standing, task
from .chain_events import Plan, StepReused
from .chaining import follow
from .claiming import (
    claim_plan,
    eligible,
    pool_options,
    slowed,
    unhoused,
    wanted_session,
    workplaces,
)
from .errors import (
    CliMissing,
    Draining,
    InvalidArgument,
    IsolationFailed,
    NotFound,
    Paused,
    SessionBusy,
    SlotsFailed,
    WrongState,
)
from .funding import (
    ANY_PRICE,
    Funding,
    Quote,
    Unaffordable,
    accounts_of,
    funding,
    levels,
    task_limit,
    top_up,
)
from .pool_events import ProviderServed
from .records import Event, Fact
from .slot_events import EffectAbandoned, SlotEvent
from .values import End, Outcome, SessionMode, TaskSpec, attempt_id, is_slot_id, parse_session
from .world import POOL, World


@dataclass(frozen=True, slots=True)
class Submit:
    """Accept a task. `session_dir` is where the session that it resumes or forks has run (None: unknown)."""

    task_id: str
    spec: TaskSpec
    fingerprint: str
    now: int
    session_dir: str | None = None


@dataclass(frozen=True, slots=True)
class SubmitChain:
    """Accept a chain. `session_dirs` maps sessions that its steps resume or fork to where they have run.

    The steps `reused` are over, as they were in the chain that it takes up again.
    """

    chain_id: str
    plan: Plan
    fingerprint: str
    now: int
    session_dirs: Mapping[str, str] = field(default_factory=dict[str, str])
    reused: tuple[StepReused, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Start the task's next attempt in the slot. `surroundings` digests what the adapter adds to a launch,
    `quote` prices its first call."""

    task_id: str
    slot_id: str
    surroundings: str
    now: int
    quote: Quote = ANY_PRICE


@dataclass(frozen=True, slots=True)
class RecordSpend:
    """The attempt has cost `metered` microdollars so far: top it up from free funds, or interrupt it."""

    task_id: str
    attempt: int
    metered: int
    now: int


@dataclass(frozen=True, slots=True)
class RecordEnd:
    """The attempt ended: settle it, release its slot, and say what it means for the task."""

    task_id: str
    attempt: int
    slot_id: str
    outcome: Outcome
    session: str
    alive: bool
    rss_mb: int
    now: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Cancel those of `ids` (tasks and chains) that have not ended: nobody wants them because of `why`."""

    ids: tuple[str, ...]
    why: str
    now: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Someone has mended what was wrong: lift the pause and take failed slots back into service."""


@dataclass(frozen=True, slots=True)
class Recover:
    """A new owner closes everything a dead one left open.

    `seen` maps the id of a live attempt to what its transcript shows of it.
    """

    seen: Mapping[str, Outcome]
    now: int


Command = (
    Submit | SubmitChain | Claim | RecordSpend | RecordEnd | Abandon | Resume | Recover
    | messaging.MessageCommand | pool.PoolCommand | slot.SlotCommand | task.TaskCommand | chain.ChainCommand
)  # fmt: skip

_UNSEEN = Outcome(End.INTERRUPTED, estimated=True)
"""An attempt of a dead owner that left no transcript: what it cost is not known to be nothing."""

SAID_LENGTH = 500
"""So many characters of what the provider said are kept with a limit."""


_NOT_THE_SLOTS_FAULT = frozenset({"session_not_found", "not_logged_in", "task_budget_reached"})


def decide(command: Command, world: World) -> tuple[Fact, ...]:
    """The facts that `command` brings about in `world`, to be appended together or not at all.

    Raises:
        PoolError: a refusal, as its message says; nothing changes.
    """
    # every command that can end a task, and so start the next step of a chain, says when
    return follow(_decide(command, world), world, getattr(command, "now", 0))


def _decide(command: Command, world: World) -> tuple[Fact, ...]:
    match command:
        case Submit():
            return _submit(command, world)
        case SubmitChain():
            return _submit_chain(command, world)
        case chain.CancelChain() | chain.ExpireChain():
            return _end_chain(command, world)
        case Claim():
            return _claim(command, world)
        case RecordSpend():
            return _on_spend(command, world)
        case RecordEnd():
            return _end(command, world)
        case Abandon():
            return _abandon(command, world)
        case slot.AbandonEffect(slot_id) if isinstance(at := world.slots.get(slot_id), slot.Busy):
            return _give_up(command, at, world)
        case Resume():
            return _resume(world)
        case Recover():
            return _recover(command, world)
        case _:
            pass
    if isinstance(command, messaging.MessageCommand):
        return messaging.decide(command, world)
    if isinstance(command, chain.ChainCommand):
        return _on_chain(command, world)
    if isinstance(command, pool.PoolCommand):
        return _on(POOL, pool.decide(command, world.pool))
    if isinstance(command, slot.SlotCommand):
        return _on(command.slot_id, slot.decide(command, world.slots.get(command.slot_id, slot.ABSENT)))
    return _on(command.task_id, task.decide(command, world.tasks.get(command.task_id, task.ABSENT)))


def _on(stream: str, events: Iterable[Event]) -> tuple[Fact, ...]:
    return tuple(Fact(stream, event) for event in events)


def _submit(command: Submit, world: World) -> tuple[Fact, ...]:
    _check_admission(world, command.now)
    _check_spec(command.spec, world, command.session_dir, command.now)
    spec = command.spec
    state = world.tasks.get(command.task_id, task.ABSENT)
    submitted = task.SubmitTask(command.task_id, spec, command.fingerprint, command.now)
    return _on(command.task_id, task.decide(submitted, state))


def _check_admission(world: World, now: int) -> None:
    at = world.open_pool()
    if at.draining is not None or at.stopping is not None:
        raise Draining()
    _check_health(world, now)


def _check_spec(spec: TaskSpec, world: World, session_dir: str | None, now: int) -> None:
    """Refuse what could never run."""
    at = world.open_pool()
    _check_slot(spec, world)
    _check_session(spec, session_dir, world)
    limit = task_limit(at, spec)
    if limit is not None and limit <= 0:
        raise InvalidArgument(argument="max_budget_usd", problem="a budget is above 0")
    needed = 1 if limit is None else limit
    for level in levels(world, spec, accounts_of(world, spec, now)):
        # what is only spent for today runs tomorrow
        if level.unspent < needed and not (level.of_a_day and needed <= level.limit):
            raise level.exceeded(needed)
    held = soft_limits.held(at.budget, at.budget.accounts(spec.tags, now))
    if held is not None and held.why == "stopped" and not held.level.of_a_day:
        raise held.level.exceeded(needed)


def _submit_chain(command: SubmitChain, world: World) -> tuple[Fact, ...]:
    _check_admission(world, command.now)
    over = {each.step for each in command.reused}
    for step in command.plan.steps:
        if step.name in over:
            continue
        policy = parse_session(step.spec.session or "")
        session = policy.session if policy is not None else None
        _check_spec(step.spec, world, command.session_dirs.get(session or ""), command.now)
    limit, of_pool = command.plan.max_budget, world.open_pool().budget.level("")
    if limit is not None and limit <= 0:
        raise InvalidArgument(argument="max_budget_usd", problem="a budget is above 0")
    if limit is not None and of_pool is not None and of_pool.unspent < limit:
        raise of_pool.exceeded(limit)
    submitted = chain.SubmitChain(
        command.chain_id, command.plan, command.fingerprint, command.now, command.reused
    )  # fmt: skip
    return _on_chain(submitted, world)


def _on_chain(command: chain.ChainCommand, world: World) -> tuple[Fact, ...]:
    state = world.chains.get(command.chain_id, chain.ABSENT)
    return _on(command.chain_id, chain.decide(command, state))


def _end_chain(command: chain.CancelChain | chain.ExpireChain, world: World) -> tuple[Fact, ...]:
    """Nothing more starts, and what runs is ended: cancelled, or interrupted because its time is over."""
    facts = list(_on_chain(command, world))
    state = world.chains.get(command.chain_id)
    if not facts or state is None:
        return tuple(facts)
    for _, at in state.work.started:
        ending = _ending_of(at.task_id, command, world)
        facts += _on(at.task_id, task.decide(ending, world.tasks[at.task_id]))
    return tuple(facts)


def _ending_of(
    task_id: str, command: chain.CancelChain | chain.ExpireChain, world: World
) -> task.TaskCommand:
    state, now = world.tasks[task_id], command.now
    if isinstance(command, chain.CancelChain):
        return task.CancelTask(task_id, now, command.why)
    if isinstance(state, task.Running):
        return task.InterruptAttempt(task_id, state.live.number, "timed_out_chain", now)
    if isinstance(state, (task.Pending, task.Parked)):
        return task.FailTask(task_id, "timed_out_chain", "The chain ran out of its time.", now)
    return task.CancelTask(task_id, now)


def _check_slot(spec: TaskSpec, world: World) -> None:
    if spec.slot is None or not is_slot_id(spec.slot):
        return
    at = world.slots.get(spec.slot)
    if at is None or (isinstance(at, slot.Stopped) and at.retired):
        raise NotFound(kind="slot", id=spec.slot, hint="pool_status lists the slots in service.")


def _check_health(world: World, now: int) -> None:
    """Refuse what would wait for long because no slot is left that could run it."""
    serving = standing.in_service(world)
    failed = [at for at in serving if isinstance(at, slot.Failed)]
    if not serving or not all(standing.is_unfit(at) for at in serving):
        return
    hint = f"{_next_trial(world, now)} pool_resume tries at once."
    code, problem = (failed[0].code, failed[0].problem) if failed else ("", "a slot is being tried again")
    if code == CliMissing.code:
        raise CliMissing(problem=problem, hint=hint)
    if code == IsolationFailed.code:
        raise IsolationFailed(problem=problem, hint=hint)
    raise SlotsFailed(problem=problem, hint=hint)


def _next_trial(world: World, now: int) -> str:
    due = standing.next_trial(world)
    if due is None:
        return "Slots are tried again once nothing holds the pool and no other slot is being tried."
    return f"The next slot is tried again in {max(0, due - now + 999) // 1000} s."


def _check_session(spec: TaskSpec, session_dir: str | None, world: World) -> None:
    policy = parse_session(spec.session) if spec.session is not None else None
    if policy is None or policy.session is None:
        return
    if policy.mode is SessionMode.FORK and policy.session in world.sessions:
        raise SessionBusy(session=policy.session, attempt=world.sessions[policy.session])
    at = world.open_pool()
    usual = "the work tree of a slot" if at.settings.worktree else pool_options(at).working_dir
    wanted = spec.options.working_dir or usual
    if spec.options.working_dir is None and session_dir in workplaces(world):
        return  # it runs in the slot that works there
    if session_dir is not None and session_dir != wanted:
        raise InvalidArgument(
            argument="session",
            problem=f"session {policy.session} belongs to {session_dir}; a conversation is never "
            f"continued in another directory ({wanted})",
        )


def _claim(command: Claim, world: World) -> tuple[Fact, ...]:
    state = world.tasks.get(command.task_id, task.ABSENT)
    at = world.slots.get(command.slot_id, slot.ABSENT)
    if not isinstance(state, task.Pending):
        raise WrongState(
            subject=command.task_id, state=type(state).__name__.lower(), problem="it is not pending"
        )
    if not isinstance(at, (slot.Idle, slot.Cold)):
        raise WrongState(subject=command.slot_id, state=type(at).__name__.lower(), problem="it is not free")
    _check_claim(world, state.job.spec, at, command.now)
    plan = claim_plan(world, state.job, at, command.surroundings)
    if plan is None:
        session = wanted_session(world.open_pool(), state.job, at.card) or ""
        if session not in world.sessions:
            problem = "the task's conversation belongs to another slot's work tree"
            raise WrongState(subject=command.slot_id, state="free", problem=problem)
        raise SessionBusy(session=session, attempt=world.sessions[session])
    if not plan.session:
        raise WrongState(
            subject=command.slot_id, state="idle", problem="its conversation must be cleared first"
        )
    funds = funding(world, state.job, command.quote, command.now)
    if isinstance(funds, Unaffordable):
        raise funds.level.exceeded(funds.needed)
    attempt = attempt_id(command.task_id, state.job.next_attempt)
    claimed = slot.ClaimSlot(command.slot_id, attempt, plan.session, plan.key, plan.replaces)
    options = plan.resolved.options
    context = _context_to_show(world, plan.session)
    started = task.StartAttempt(
        command.task_id, command.slot_id, plan.session, plan.mode.value, plan.resume,
        options.working_dir or "/", funds.amount, funds.cap, _deadline(options.timeout_ms, command.now),
        context, provider.model_after(options, state.job.overloads), options.effort,
        options.permission_mode, command.now, funds.ahead,
    )  # fmt: skip
    return (
        *_on(command.slot_id, slot.decide(claimed, at)),
        *_on(command.task_id, task.decide(started, state)),
        *_reserve(world, attempt, funds),
    )


def _check_claim(world: World, spec: TaskSpec, at: slot.Idle | slot.Cold, now: int) -> None:
    """Refuse what the policies would not ask for, whoever asks."""
    owned = world.open_pool()
    if owned.paused is not None:
        raise Paused(reason=owned.paused.reason)
    if owned.stopping is not None:
        raise WrongState(subject="the pool", state="stopping", problem="no attempt starts any more")
    if slowed(world):
        raise too_many(world)
    if isinstance(at, slot.Cold) and unhoused(owned, at.card):
        raise WrongState(subject=at.card.slot_id, state="free", problem="but its work tree is not ready")
    if (problem := standing.objection(world, at, now)) is not None:
        raise WrongState(subject=at.card.slot_id, state="free", problem=problem)
    if not eligible(spec, at.card):
        raise WrongState(subject=at.card.slot_id, state="free", problem=f"but the task is for {spec.slot}")


def too_many(world: World) -> WrongState:
    """The refusal of an attempt more than the provider bears at present."""
    most = world.open_pool().provider.concurrency
    problem = f"the provider bears {most} at once until one of them succeeds"
    return WrongState(subject="the pool", state="slowed down", problem=problem)


def _reserve(world: World, attempt: str, funds: Funding) -> tuple[Fact, ...]:
    return _on(POOL, pool.decide(ledger.ReserveFunds(attempt, funds.amount, funds.accounts), world.pool))


def _on_spend(command: RecordSpend, world: World) -> tuple[Fact, ...]:
    state = world.tasks.get(command.task_id)
    if not isinstance(state, task.Running) or state.live.number != command.attempt or state.live.ending:
        return ()  # a late word: the attempt is over, or ending anyway
    attempt = task.live_attempt_id(state)
    more = top_up(world, state, command.metered)
    facts = _on(POOL, pool.decide(ledger.TopUpFunds(attempt, more), world.pool)) if more else ()
    held = world.open_pool().budget.held.get(attempt)
    funded = state.live.cap if held is None or state.live.cap is not None else held.amount + more
    if funded is None or command.metered < funded:
        return facts
    ended = task.InterruptAttempt(command.task_id, command.attempt, "task_budget_reached", command.now)
    return (*facts, *_on(command.task_id, task.decide(ended, state)))


def _deadline(timeout_ms: int | None, now: int) -> int | None:
    return None if timeout_ms is None else now + timeout_ms


def _context_to_show(world: World, session: str) -> int | None:
    """The version of the shared context that the prompt shows: none where the session has seen it."""
    at = world.open_pool()
    seen = world.shown.get(session)
    if seen == at.context_version or (seen is None and not at.context):
        return None
    return at.context_version


def _give_up(command: slot.AbandonEffect, at: slot.Busy, world: World) -> tuple[Fact, ...]:
    """The attempt is over as if the driver had said so: nothing was asked of a process that never came, and
    of one that does not end the whole reservation may be spent."""
    task_id, _, number = at.attempt.rpartition(".")
    if at.process is None:
        problem = "Its start did not come to an end and was given up."
        outcome = Outcome(End.FAILED, "timed_out_start", problem, retryable=True)
    else:
        held = world.open_pool().budget.held.get(at.attempt)
        problem = "It did not end when it was asked to, and was killed."
        cost = 0 if held is None else held.amount
        outcome = Outcome(End.INTERRUPTED, message=problem, cost=cost, estimated=True)
    effect = "launch" if at.process is None else "attempt"
    given_up = EffectAbandoned(at.launch, effect, command.now)
    ended = RecordEnd(task_id, int(number), command.slot_id, outcome, at.session, False, 0, command.now)
    return (Fact(command.slot_id, given_up), *_end(ended, world, hung=True))


def _end(command: RecordEnd, world: World, hung: bool = False) -> tuple[Fact, ...]:
    state = world.tasks.get(command.task_id, task.ABSENT)
    at = world.slots.get(command.slot_id, slot.ABSENT)
    outcome, attempt = command.outcome, attempt_id(command.task_id, command.attempt)
    interrupted = isinstance(state, task.Running) and (state.live.cancel or state.live.interrupt is not None)
    innocent = outcome.code in _NOT_THE_SLOTS_FAULT or outcome.limit is not None
    faulty = hung or (outcome.end is not End.SUCCEEDED and not interrupted and not innocent)
    ended = task.RecordAttemptEnded(command.task_id, command.attempt, outcome, command.now)
    session = "" if outcome.code == "session_not_found" else command.session or None
    released = slot.ReleaseSlot(
        command.slot_id, attempt, command.alive, faulty, outcome.end is End.SUCCEEDED, outcome.cost,
        command.rss_mb, outcome.message or "", command.now, session, _is_unserved(outcome),
    )  # fmt: skip
    facts = _on(command.task_id, task.decide(ended, state))
    assert not isinstance(state, task.Absent)
    return (
        *facts,
        *_settle(world, state, attempt, outcome, command.now),
        *_on(command.slot_id, slot.decide(released, at)),
        *_provider_facts(attempt, outcome, world, command.now),
    )


def _settle(world: World, state: task.Known, attempt: str, outcome: Outcome, now: int) -> tuple[Fact, ...]:
    accounts = accounts_of(world, state.job.spec, now)
    settled = ledger.SettleFunds(attempt, outcome.cost, outcome.estimated, accounts)
    return _on(POOL, pool.decide(settled, world.pool))


def _provider_facts(attempt: str, outcome: Outcome, world: World, now: int) -> tuple[Fact, ...]:
    """What an attempt's end says about the provider, which concerns all that wait."""
    if outcome.limit is not None:
        said, running = (outcome.message or "")[:SAID_LENGTH], len(world.running)
        noted: pool.PoolCommand = pool.NoteLimit(outcome.limit, attempt, said, running, now)
    elif outcome.end is End.SUCCEEDED:
        noted = pool.NoteSuccess(now)
    else:
        return ()
    return _on(POOL, pool.decide(noted, world.pool))


def _is_unserved(outcome: Outcome) -> bool:
    """Whether no model can have been shown the attempt's prompt."""
    return outcome.end is not End.SUCCEEDED and not outcome.tokens.total


def _abandon(command: Abandon, world: World) -> tuple[Fact, ...]:
    """A chain that is putting its work away goes on: it has nothing left to cancel."""
    facts: list[Fact] = []
    for stream in command.ids:
        if isinstance(world.chains.get(stream), (chain.Preparing, chain.Running)):
            facts += _end_chain(chain.CancelChain(stream, command.now, command.why), world)
        elif (state := world.tasks.get(stream)) is not None and state.job.spec.part is None:
            facts += _on(stream, task.decide(task.CancelTask(stream, command.now, command.why), state))
    return tuple(facts)


def _resume(world: World) -> tuple[Fact, ...]:
    facts = list(_on(POOL, pool.decide(pool.ResumePool(), world.pool)))
    if world.open_pool().provider.concurrency is not None:
        facts += _on(POOL, (ProviderServed(None),))  # whoever resumes says that all is well
    for slot_id, at in world.slots.items():
        if isinstance(at, slot.Failed):
            facts += _on(slot_id, slot.decide(slot.ReviveSlot(slot_id), at))
    return tuple(facts)


def _recover(command: Recover, world: World) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    for task_id in world.running:
        state = world.tasks[task_id]
        assert isinstance(state, task.Running)
        attempt = task.live_attempt_id(state)
        seen = command.seen.get(attempt, _UNSEEN)
        sealed = task.SealAttempt(task_id, seen, command.now)
        facts += _on(task_id, task.decide(sealed, state))
        facts += _settle(world, state, attempt, seen, command.now)
    for slot_id, at in world.slots.items():
        facts += _on(slot_id, _abandoned(slot_id, at, command))
    return tuple(facts)


def _abandoned(slot_id: str, at: slot.Slot, command: Recover) -> tuple[SlotEvent, ...]:
    """A slot whose owner is gone: its attempt, if any, is over, and it has no process any more."""
    released: tuple[SlotEvent, ...] = ()
    if isinstance(at, slot.Busy):
        seen = command.seen.get(at.attempt, _UNSEEN)
        over = slot.ReleaseSlot(
            slot_id, at.attempt, alive=False, faulty=False, succeeded=False, cost=seen.cost, rss_mb=0,
            problem="owner_lost", now=command.now, unserved=_is_unserved(seen),
        )  # fmt: skip
        released = slot.decide(over, at)
    for event in released:
        at = slot.evolve(at, event)
    return (*released, *slot.decide(slot.StopSlot(slot_id, slot.OWNER_LOST), at))
