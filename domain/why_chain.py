"""Why a chain waits, runs, failed or cost what it did."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import Answer, Because, clock
from .chain_board import ChainCard
from .chain_events import ChainCancelled, ChainFailed, EndingBegun, StepFailed
from .reasons import NEXT_STEPS
from .records import Recorded
from .values import counted, dollars
from .why_task import REMEDIES, brought


def chain_answer(card: ChainCard, events: Sequence[Recorded]) -> Answer:
    """Why the chain is as `card` shows it; `events` are its own, in order."""
    because = (*_conclusion(card, events), *_steps(card), *_submitted(events))
    question = card.state
    if card.state == "running":
        question = "runs" if card.reason is None else "waits"
    return Answer(card.chain_id, card.state, question, because, _to_do(card))


def _to_do(card: ChainCard) -> str | None:
    if card.error is not None:
        codes = (*(step.error.code for step in card.steps if step.error is not None), card.error.code)
        return next((REMEDIES[code] for code in codes if code in REMEDIES), None)
    held = (step.reason for step in card.steps if step.task is not None)
    return next((NEXT_STEPS[reason] for reason in held if reason is not None and reason in NEXT_STEPS), None)


def _conclusion(card: ChainCard, events: Sequence[Recorded]) -> tuple[Because, ...]:
    last = events[-1]
    if card.error is not None:
        text = f"failed with {card.error.code}: {card.error.message}"
        decisive = _positions(events, StepFailed, EndingBegun, ChainFailed)
        return (Because(card.error.code, text, decisive),)
    if card.state == "cancelled":
        asked = next((e for e in events if isinstance(e.event, (EndingBegun, ChainCancelled))), last)
        text = f"cancelled by {brought(asked)} at {clock(asked.meta.recorded_at)}"
        return (Because("cancelled", text, asked.position),)
    if card.state == "completed":
        text = f"completed {counted(len(card.steps), 'step')} for {dollars(card.cost)}"
        return (Because("completed", text, last.position),)
    if card.reason is not None:
        return (Because(card.reason, f"waits: {card.reason}", last.position),)
    running = ", ".join(step.name for step in card.steps if step.state == "running")
    return (Because("runs", f"runs: {running or 'its steps are being started'}", last.position),)


def _positions(events: Sequence[Recorded], *kinds: type) -> int | None:
    return next((each.position for each in events if isinstance(each.event, kinds)), None)


def _steps(card: ChainCard) -> tuple[Because, ...]:
    found: list[Because] = []
    for step in card.steps:
        text = f"step {step.name} is {step.state}"
        text += (
            f" ({step.task_id}, {counted(step.attempts, 'attempt')}, {dollars(step.cost)})"
            if step.task_id
            else ""
        )
        text += f": {step.reason}" if step.reason else ""
        text += f": {step.error.code}: {step.error.message}" if step.error is not None else ""
        found.append(Because("step", text))
    return tuple(found)


def _submitted(events: Sequence[Recorded]) -> tuple[Because, ...]:
    first = events[0]
    text = f"submitted by {brought(first)} at {clock(first.meta.recorded_at)} (call {first.meta.correlation})"
    return (Because("submitted", text, first.position),)
