"""Why a task waits, runs, failed or cost what it did, and who allowed it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from . import slot, standing, task
from .answers import Answer, Because, clock, span
from .claiming import eligible
from .pool_status import slot_status
from .prices import PriceList
from .reasons import NEXT_STEPS
from .records import Recorded
from .task_board import TaskCard, task_card
from .task_events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    CancelRequested,
    InterruptRequested,
    QuestionAnswered,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskFailed,
    TaskRejected,
    TaskReopened,
    TaskSubmitted,
)
from .values import counted, dollars
from .why_cost import money_of
from .world import World

SLOTS_NAMED = 8
"""So many of the slots that a task could take are named."""

_BROUGHT = {"coordinator": "a coordinator", "shell": "somebody at a shell", "policy": "the pool's own rules",
            "slot": "what a slot did", "recovery": "the owner's start or end"}  # fmt: skip

REMEDIES = {
    "budget_exceeded": "raise the limit by `claude-pool budget set`, and submit it again",
    "task_budget_reached": "give it a larger max_budget_usd, or less to do",
    "not_logged_in": "mend the login, then submit it again",
    "model_not_found": "name a model that the account has",
    "session_not_found": "let it begin a fresh session",
    "cli_missing": "see `claude-pool doctor`",
    "slot_failed": "see `claude-pool slots` and `claude-pool doctor`",
    "turn_limit": "give it more max_turns, or less to do",
    "prompt_too_long": "shorten its prompt, or let it begin a fresh session",
    "output_limit": "ask for a shorter answer",
    "permission_denied": "allow the tool by allowed_tools, or answer its question in time",
    "schema_mismatch": "loosen its json_schema, or say in the prompt what it asks for",
    "timed_out_task": "give it a larger timeout_seconds, or less to do",
    "timed_out_queue": "give the pool more slots, or raise its queue timeout",
    "review_rejected": "read the feedback, and submit it anew with another prompt",
}
"""What somebody can do about the codes with which tasks fail."""


def brought(recorded: Recorded) -> str:
    """Who caused an event, in words."""
    return _BROUGHT[recorded.meta.actor.value]


def task_answer(
    state: task.Known, events: Sequence[Recorded], world: World, now: int, prices: PriceList
) -> Answer:
    """Why the task is as it is at `now` (ms).

    `events` are its own and, of the same appends, those of its slots and its money, in order. `prices` are
    those of now.
    """
    card = task_card(state, now, world)
    own = [each for each in events if each.stream == card.task_id]
    question, said = _conclusion(state, card, own, world, now)
    because = (*said, *money_of(events, prices), *_who(own))
    ahead = _ahead(card.task_id, world) if isinstance(state, task.Pending) else None
    return Answer(card.task_id, card.state, question, because, _to_do(card), ahead)


def _to_do(card: TaskCard) -> str | None:
    if card.state == "failed" and card.error is not None:
        again = "submit it again: that may help" if card.error.retryable else None
        return REMEDIES.get(card.error.code, again)
    return NEXT_STEPS.get(card.reason or "")


def _conclusion(
    state: task.Known, card: TaskCard, own: Sequence[Recorded], world: World, now: int
) -> tuple[str, tuple[Because, ...]]:
    match state:
        case task.Completed():
            tries = "in one attempt" if card.attempts == 1 else f"after {card.attempts} attempts"
            took = f"it ran {span(card.elapsed_ms)} and waited {span(card.waited_ms)}"
            text = f"completed {tries} for {dollars(card.cost)}: {took}"
            return "completed", (Because("completed", text, own[-1].position),)
        case task.Failed():
            return "failed", _failure(own)
        case task.Cancelled():
            return "cancelled", _cancel(own)
        case _ if card.reason is None:
            return "runs", _run(own, now)
        case _:
            return "waits", _wait(card, card.reason, state, own, world)


def _wait(
    card: TaskCard, reason: str, state: task.Known, own: Sequence[Recorded], world: World
) -> tuple[Because, ...]:
    since = own[-1]
    text = f"waits for {reason} since {clock(since.meta.recorded_at)}"
    text += f", until {clock(card.until)} at the latest" if card.until is not None else ""
    found = [Because(reason, text, since.position)]
    if not isinstance(state, task.Pending):
        return tuple(found)
    before = _ahead(card.task_id, world)
    found.append(
        Because("queue", f"{counted(before, 'task')} before it, of {len(world.pending)} that wait for a slot")
    )
    able = [at for at in standing.in_service(world) if eligible(state.job.spec, at.card)]
    found += [Because("slot", slot_holds(world, at)) for at in able[:SLOTS_NAMED]]
    if len(able) > SLOTS_NAMED:
        found.append(Because("slot", f"{len(able) - SLOTS_NAMED} more slots that it could take"))
    elif not able:
        found.append(Because("slot", "no slot in service is one that it could take"))
    return tuple(found)


def slot_holds(world: World, at: slot.Present) -> str:
    """What a slot does now, or what keeps it from taking work."""
    status = slot_status(world, at)
    text = f"{status.slot_id} is {status.state}"
    if status.task_id is not None:
        text += f" with {status.task_id}"
    if status.waits is not None:
        text += f" ({status.waits.reason}"
        text += f" until {clock(status.waits.until)})" if status.waits.until is not None else ")"
    return text + (f": {status.problem}" if status.problem else "")


def _ahead(task_id: str, world: World) -> int:
    return bisect_left(world.pending, world.ranks[task_id])


def _run(own: Sequence[Recorded], now: int) -> tuple[Because, ...]:
    started = _last(own, AttemptStarted)
    if started is None:
        return ()
    event = started.event
    assert isinstance(event, AttemptStarted)
    text = (
        f"attempt {event.attempt} runs in {event.slot_id} since {clock(event.at)}, for {span(now - event.at)}"
    )
    found = [Because("runs", text, started.position)]
    first = own[0].event
    named = first.spec.slot if isinstance(first, TaskSubmitted) else None
    session = _last(own, SessionOpened)
    if session is not None:
        opened = session.event
        assert isinstance(opened, SessionOpened)
        held = (
            f"it goes on with {opened.parent or opened.session}" if opened.mode != "fresh" else "it was free"
        )
        held = f"the task names {named}, and {held}" if named is not None else held
        found.append(Because("placed", f"there because {held}; {opened.mode} session {opened.session} "
                             f"in {opened.working_dir}", session.position))  # fmt: skip
    return tuple(found)


def _failure(own: Sequence[Recorded]) -> tuple[Because, ...]:
    failed = _last(own, TaskFailed)
    if failed is None:
        return ()
    event = failed.event
    assert isinstance(event, TaskFailed)
    found = [Because(event.code, f"failed with {event.code}: {event.message}", failed.position)]
    tried = sum(isinstance(each.event, AttemptStarted) for each in own)
    found.append(Because("attempts", f"it was tried {'once' if tried == 1 else f'{tried} times'}"))
    decisive = _last(own, AttemptFailed, AttemptSealed, AttemptCancelled, TaskRejected)
    if decisive is not None:
        text = f"decided by {decisive.event.NAME}, which came of {brought(decisive)}"
        found.append(Because("decided", text, decisive.position))
    interrupt = _last(own, InterruptRequested)
    if interrupt is not None:
        found.append(
            Because("interrupted", f"it was interrupted by {brought(interrupt)}", interrupt.position)
        )
    return tuple(found)


def _cancel(own: Sequence[Recorded]) -> tuple[Because, ...]:
    asked = _last(own, CancelRequested) or _last(own, TaskCancelled)
    if asked is None:
        return ()
    why = getattr(asked.event, "why", "")
    text = f"cancelled by {brought(asked)} at {clock(asked.meta.recorded_at)}" + (f": {why}" if why else "")
    return (Because("cancelled", text, asked.position),)


def _who(own: Sequence[Recorded]) -> tuple[Because, ...]:
    """Who brought the task in, and who allowed or refused what."""
    found: list[Because] = []
    for each in own:
        match each.event:
            case TaskSubmitted():
                text = f"submitted by {brought(each)} at {clock(each.meta.recorded_at)}"
                found.append(Because("submitted", f"{text} (call {each.meta.correlation})", each.position))
            case QuestionAnswered(_, choice):
                found.append(Because("answered", f"{brought(each)} answered {choice}", each.position))
            case TaskApproved():
                found.append(Because("approved", f"{brought(each)} approved the result", each.position))
            case TaskRejected(number):
                found.append(Because("rejected", f"{brought(each)} gave rejection {number}", each.position))
            case TaskReopened(how, _, _, automatic):
                whose = "its on_interrupt" if automatic else brought(each)
                found.append(Because("reopened", f"{whose} decided: {how}", each.position))
            case _:
                pass
    return tuple(found)


def _last(own: Sequence[Recorded], *kinds: type) -> Recorded | None:
    return next((each for each in reversed(own) if isinstance(each.event, kinds)), None)
