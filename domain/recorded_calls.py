"""What callers, people and owners asked for, read back from the facts of one append that it brought about.

With the same state before it, deciding such a command anew gives the same facts, as far as decisions have
not changed. Commands of policies and results of slots are not here: the first are asked for again by
themselves, the second are whatever slots do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import ledger, messaging, pool, questions, slot, soft_limits, task
from .acceptance import Submit, SubmitChain
from .attempts import Claim
from .chain import CANCELLED_BY_CALLER, CancelChain
from .chain_events import ChainSubmitted, EndingBegun, StepReused
from .coordination import Abandon, Command, Recover, Resume
from .message_events import MessageAccepted, MessagesRead
from .pool_events import (
    AccountChanged,
    BudgetLimitChanged,
    BudgetOpened,
    CliIdentified,
    ContextValueDeleted,
    ContextValueSet,
    DrainLifted,
    DrainStarted,
    LimitsSet,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    ProviderServed,
    RollbackAccepted,
    SoftLimitAnswered,
    TargetSlotsSet,
)
from .records import Actor, Fact
from .slot_events import SlotClaimed, SlotConfigured, SlotRevived, SlotStopped
from .task_events import (
    AttemptSealed,
    CancelRequested,
    QuestionAnswered,
    TaskApproved,
    TaskCancelled,
    TaskRejected,
    TaskReopened,
    TaskSubmitted,
)
from .values import Outcome, attempt_id
from .world import POOL, World

OUTSIDE = (Actor.COORDINATOR, Actor.SHELL, Actor.RECOVERY)
"""Whose commands come from outside of the pool's own loop."""


def comes_from_outside(actor: Actor, facts: Sequence[Fact]) -> bool:
    """Whether an append was asked for by somebody, rather than by a policy or by what a slot did."""
    return actor in OUTSIDE or (actor is Actor.POLICY and bool(_abandoned(facts)))


def call_of(facts: Sequence[Fact], world: World, at: int) -> Command | None:
    """The command that brought about `facts`, one append of `comes_from_outside`; None: it cannot be told.

    `world` is the view before it, `at` (ms) when it was recorded. Of a `Claim` only task, slot and time are
    known; of a session that a task resumes not where it has run.
    """
    if ids := _abandoned(facts):
        return Abandon(ids, _why(facts[0]), at)
    first = facts[0]
    event = first.event
    if first.stream.startswith("task-"):
        return _on_task(first.stream, facts, at)
    if first.stream.startswith("slot-"):
        return _on_slot(first, facts, at)
    match event:
        case ChainSubmitted(chain_id, plan, fingerprint, when):
            reused = tuple(fact.event for fact in facts if isinstance(fact.event, StepReused))
            return SubmitChain(chain_id, plan, fingerprint, when, reused=reused)
        case EndingBegun():
            return CancelChain(first.stream, at)
        case PoolOpened() | OwnerStarted():
            return _start(facts, at)
        case _:
            return _on_messages(facts) or _on_money(event, facts, world) or _on_pool(event)


def _on_task(task_id: str, facts: Sequence[Fact], at: int) -> Command | None:
    match facts[0].event:
        case TaskSubmitted(spec=spec, fingerprint=fingerprint, at=when):
            return Submit(task_id, spec, fingerprint, when)
        case CancelRequested(when):
            return task.CancelTask(task_id, when)
        case TaskCancelled():
            return task.CancelTask(task_id, at)
        case TaskApproved(when):
            return task.ApproveTask(task_id, when)
        case TaskRejected(_, feedback, when):
            return task.RejectTask(task_id, feedback, when)
        case TaskReopened(how, _, when, automatic):
            return task.ReopenTask(task_id, how == "resume", when, automatic)
        case QuestionAnswered(question_id, choice, message, updated_input, when):
            return questions.AnswerQuestion(task_id, question_id, choice, message, updated_input, when)
        case AttemptSealed():
            return _recovery(facts, at)
        case _:
            return None


def _on_slot(first: Fact, facts: Sequence[Fact], at: int) -> Command | None:
    match first.event:
        case SlotConfigured(name, role, description, options):
            return slot.ConfigureSlot(first.stream, name, role, description, options)
        case SlotRevived():
            return Resume()
        case SlotClaimed(attempt):
            return Claim(attempt.rpartition(".")[0], first.stream, "", at)
        case _ if any(isinstance(fact.event, SlotStopped) for fact in facts):
            return _recovery(facts, at)
        case _:
            return _on_messages(facts)


def _on_pool(event: object) -> Command | None:
    match event:
        case ContextValueSet(key, value):
            return pool.SetContext(key, value)
        case ContextValueDeleted(key):
            return pool.DeleteContext(key)
        case DrainStarted(mode):
            return pool.StartDrain(mode)
        case DrainLifted():
            return pool.LiftDrain()
        case PoolPaused(reason, until):
            return pool.PausePool(reason, until)
        case PoolResumed() | ProviderServed():
            return Resume()
        case TargetSlotsSet(target, by, key):
            return pool.ScaleSlots(by, key) if by else pool.SetTargetSlots(target)
        case OwnerStopping(now):
            return pool.StopOwner(now)
        case OwnerStopped():
            return pool.RecordOwnerStopped()
        case CliIdentified(path, version, sha256):
            return pool.IdentifyCli(path, version, sha256)
        case AccountChanged(account):
            return pool.ChangeAccount(account)
        case RollbackAccepted(acknowledged, kept, when):
            return pool.AcceptRollback(acknowledged, kept, when)
        case _:
            return None


def _on_money(event: object, facts: Sequence[Fact], world: World) -> Command | None:
    match event:
        case BudgetOpened():
            limits = [fact.event for fact in facts if isinstance(fact.event, LimitsSet)]
            then = ledger.SetLimits(limits[0].scope, limits[0].limit, limits[0].soft) if limits else None
            return ledger.ResetBudget(then)
        case BudgetLimitChanged(limit):
            return ledger.SetLimits(ledger.WHOLE, limit, world.open_pool().budget.soft)
        case LimitsSet(scope, limit, soft):
            return ledger.SetLimits(scope, limit, soft)
        case SoftLimitAnswered(question_id, _, account, choice, soft, _, when):
            spent = world.open_pool().budget.standing(account)[0]
            more = None if soft is None else soft - spent
            return soft_limits.AnswerSoftLimit(question_id, choice, more, when)
        case _:
            return None


def _on_messages(facts: Sequence[Fact]) -> Command | None:
    stream, event = facts[0].stream, facts[0].event
    owner = messaging.COORDINATOR if stream == POOL else stream
    match event:
        case MessagesRead(ids, reader, at):
            return messaging.ReadMessages(owner, reader, at, ids[0] if len(ids) == 1 else None)
        case MessageAccepted(name, sender, content, at) if len(facts) > 1:
            return messaging.BroadcastMessage(name, sender, content, at)
        case MessageAccepted(name, sender, content, at, kind):
            return messaging.SendMessage(name, sender, owner, content, at, kind)
        case _:
            return None


def _start(facts: Sequence[Fact], at: int) -> pool.StartOwner | None:
    """The start of an owner: what its facts leave open had no effect."""
    start: pool.StartOwner | None = None
    pool_id = ""
    for fact in facts:
        match fact.event:
            case PoolOpened(name, when):
                pool_id, at = name, when
            case OwnerStarted(owner, pid, version, settings, account):
                start = pool.StartOwner(pool_id, owner, pid, version, settings, None, False, at, account)
            case BudgetOpened(limit) | BudgetLimitChanged(limit) if start is not None:
                start = replace(start, limit=limit, limit_given=True)
            case LimitsSet(soft=soft) if start is not None:
                start = replace(start, soft=soft)
            case _:
                pass
    return start


def _abandoned(facts: Sequence[Fact]) -> tuple[str, ...]:
    """The tasks and chains that ended, or are to end, because nobody wanted them any more."""
    return tuple(dict.fromkeys(fact.stream for fact in facts)) if _why(facts[0]) else ()


def _why(fact: Fact) -> str:
    match fact.event:
        case CancelRequested(why=why) | TaskCancelled(why=why):
            return why
        case EndingBegun("cancelled", why) if why != CANCELLED_BY_CALLER:
            return why
        case _:
            return ""


def _recovery(facts: Sequence[Fact], at: int) -> Recover:
    """What a new owner saw of each attempt that a dead one had left."""
    seen: dict[str, Outcome] = {}
    for fact in facts:
        if isinstance(fact.event, AttemptSealed):
            seen[attempt_id(fact.stream, fact.event.attempt)] = fact.event.outcome
    return Recover(seen, at)
