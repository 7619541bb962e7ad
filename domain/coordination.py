"""Decisions that concern several aggregates at once, each as one set of facts for one atomic append.

`decide(command, world)` is the single door: every command of callers, policies and slots goes through
it. Single-aggregate commands pass straight to their aggregate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import acceptance, attempts, chain, messaging, pool, slot, task
from .acceptance import Submit, SubmitChain
from .attempts import Claim, RecordEnd, RecordSpend
from .chaining import follow
from .pool_events import ProviderServed
from .records import Fact, on
from .slot_events import SlotEvent
from .values import End, Outcome
from .world import POOL, World


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
            return acceptance.submit(command, world)
        case SubmitChain():
            return acceptance.submit_chain(command, world)
        case chain.CancelChain() | chain.ExpireChain():
            return _end_chain(command, world)
        case Claim():
            return attempts.claim(command, world)
        case RecordSpend():
            return attempts.on_spend(command, world)
        case RecordEnd():
            return attempts.end(command, world)
        case Abandon():
            return _abandon(command, world)
        case slot.AbandonEffect(slot_id) if isinstance(at := world.slots.get(slot_id), slot.Busy):
            return attempts.give_up(command, at, world)
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
        return on(POOL, pool.decide(command, world.pool))
    if isinstance(command, slot.SlotCommand):
        return on(command.slot_id, slot.decide(command, world.slots.get(command.slot_id, slot.ABSENT)))
    return on(command.task_id, task.decide(command, world.tasks.get(command.task_id, task.ABSENT)))


def _on_chain(command: chain.ChainCommand, world: World) -> tuple[Fact, ...]:
    state = world.chains.get(command.chain_id, chain.ABSENT)
    return on(command.chain_id, chain.decide(command, state))


def _end_chain(command: chain.CancelChain | chain.ExpireChain, world: World) -> tuple[Fact, ...]:
    """Nothing more starts, and what runs is ended: cancelled, or interrupted because its time is over."""
    facts = list(_on_chain(command, world))
    state = world.chains.get(command.chain_id)
    if not facts or state is None:
        return tuple(facts)
    for _, at in state.work.started:
        ending = _ending_of(at.task_id, command, world)
        facts += on(at.task_id, task.decide(ending, world.tasks[at.task_id]))
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


def _abandon(command: Abandon, world: World) -> tuple[Fact, ...]:
    """A chain that is putting its work away goes on: it has nothing left to cancel."""
    facts: list[Fact] = []
    for stream in command.ids:
        if isinstance(world.chains.get(stream), (chain.Preparing, chain.Running)):
            facts += _end_chain(chain.CancelChain(stream, command.now, command.why), world)
        elif (state := world.tasks.get(stream)) is not None and state.job.spec.part is None:
            facts += on(stream, task.decide(task.CancelTask(stream, command.now, command.why), state))
    return tuple(facts)


def _resume(world: World) -> tuple[Fact, ...]:
    facts = list(on(POOL, pool.decide(pool.ResumePool(), world.pool)))
    if world.open_pool().provider.concurrency is not None:
        facts += on(POOL, (ProviderServed(None),))  # whoever resumes says that all is well
    for slot_id, at in world.slots.items():
        if isinstance(at, slot.Failed):
            facts += on(slot_id, slot.decide(slot.ReviveSlot(slot_id), at))
    return tuple(facts)


def _recover(command: Recover, world: World) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    for task_id in world.running:
        state = world.tasks[task_id]
        assert isinstance(state, task.Running)
        attempt = task.live_attempt_id(state)
        seen = command.seen.get(attempt, _UNSEEN)
        sealed = task.SealAttempt(task_id, seen, command.now)
        facts += on(task_id, task.decide(sealed, state))
        facts += attempts.settle(world, state, attempt, seen, command.now)
    for slot_id, at in world.slots.items():
        facts += on(slot_id, _abandoned(slot_id, at, command))
    return tuple(facts)


def _abandoned(slot_id: str, at: slot.Slot, command: Recover) -> tuple[SlotEvent, ...]:
    """A slot whose owner is gone: its attempt, if any, is over, and it has no process any more."""
    released: tuple[SlotEvent, ...] = ()
    if isinstance(at, slot.Busy):
        seen = command.seen.get(at.attempt, _UNSEEN)
        over = slot.ReleaseSlot(
            slot_id, at.attempt, alive=False, faulty=False, succeeded=False, cost=seen.cost, rss_mb=0,
            problem="owner_lost", now=command.now, unserved=attempts.is_unserved(seen),
        )  # fmt: skip
        released = slot.decide(over, at)
    for event in released:
        at = slot.evolve(at, event)
    return (*released, *slot.decide(slot.StopSlot(slot_id, slot.OWNER_LOST), at))
