"""An attempt over all it concerns: its task, its slot, its conversation and its money.

It is claimed, topped up while it spends, and settled when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import ledger, pool, provider, slot, standing, task
from .claiming import claim_plan, eligible, slowed, unhoused, wanted_session
from .errors import Paused, SessionBusy, WrongState
from .funding import ANY_PRICE, Funding, Quote, Unaffordable, accounts_of, funding, top_up
from .records import Fact, on
from .slot_events import EffectAbandoned
from .values import End, Outcome, TaskSpec, attempt_id
from .world import POOL, World


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


SAID_LENGTH = 500
"""So many characters of what the provider said are kept with a limit."""


_NOT_THE_SLOTS_FAULT = frozenset({"session_not_found", "not_logged_in", "task_budget_reached"})


def claim(command: Claim, world: World) -> tuple[Fact, ...]:
    """Start the next attempt: the slot is claimed, the money set aside, the conversation opened."""
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
        *on(command.slot_id, slot.decide(claimed, at)),
        *on(command.task_id, task.decide(started, state)),
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
    return on(POOL, pool.decide(ledger.ReserveFunds(attempt, funds.amount, funds.accounts), world.pool))


def on_spend(command: RecordSpend, world: World) -> tuple[Fact, ...]:
    """Fund what the attempt has spent so far, or interrupt it where nothing is left for it."""
    state = world.tasks.get(command.task_id)
    if not isinstance(state, task.Running) or state.live.number != command.attempt or state.live.ending:
        return ()  # a late word: the attempt is over, or ending anyway
    attempt = task.live_attempt_id(state)
    more = top_up(world, state, command.metered)
    facts = on(POOL, pool.decide(ledger.TopUpFunds(attempt, more), world.pool)) if more else ()
    held = world.open_pool().budget.held.get(attempt)
    funded = state.live.cap if held is None or state.live.cap is not None else held.amount + more
    if funded is None or command.metered < funded:
        return facts
    ended = task.InterruptAttempt(command.task_id, command.attempt, "task_budget_reached", command.now)
    return (*facts, *on(command.task_id, task.decide(ended, state)))


def _deadline(timeout_ms: int | None, now: int) -> int | None:
    return None if timeout_ms is None else now + timeout_ms


def _context_to_show(world: World, session: str) -> int | None:
    """The version of the shared context that the prompt shows: none where the session has seen it."""
    at = world.open_pool()
    seen = world.shown.get(session)
    if seen == at.context_version or (seen is None and not at.context):
        return None
    return at.context_version


def give_up(command: slot.AbandonEffect, at: slot.Busy, world: World) -> tuple[Fact, ...]:
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
    return (Fact(command.slot_id, given_up), *end(ended, world, hung=True))


def end(command: RecordEnd, world: World, hung: bool = False) -> tuple[Fact, ...]:
    """Close the attempt; `hung`: it had to be killed, which counts against its slot."""
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
        command.rss_mb, outcome.message or "", command.now, session, is_unserved(outcome),
    )  # fmt: skip
    facts = on(command.task_id, task.decide(ended, state))
    assert not isinstance(state, task.Absent)
    return (
        *facts,
        *settle(world, state, attempt, outcome, command.now),
        *on(command.slot_id, slot.decide(released, at)),
        *_provider_facts(attempt, outcome, world, command.now),
    )


def settle(world: World, state: task.Known, attempt: str, outcome: Outcome, now: int) -> tuple[Fact, ...]:
    """Give back what the attempt had set aside and count what it cost, on every account it concerns."""
    accounts = accounts_of(world, state.job.spec, now)
    settled = ledger.SettleFunds(attempt, outcome.cost, outcome.estimated, accounts)
    return on(POOL, pool.decide(settled, world.pool))


def _provider_facts(attempt: str, outcome: Outcome, world: World, now: int) -> tuple[Fact, ...]:
    """What an attempt's end says about the provider, which concerns all that wait."""
    if outcome.limit is not None:
        said, running = (outcome.message or "")[:SAID_LENGTH], len(world.running)
        noted: pool.PoolCommand = pool.NoteLimit(outcome.limit, attempt, said, running, now)
    elif outcome.end is End.SUCCEEDED:
        noted = pool.NoteSuccess(now)
    else:
        return ()
    return on(POOL, pool.decide(noted, world.pool))


def is_unserved(outcome: Outcome) -> bool:
    """Whether no model can have been shown the attempt's prompt."""
    return outcome.end is not End.SUCCEEDED and not outcome.tokens.total
