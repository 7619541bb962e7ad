"""What callers are shown: plain dictionaries with the names of the published interface."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from claude_pool.domain.values import Text

from .json_fields import with_every_field

if TYPE_CHECKING:
    from claude_pool.domain.chain_board import ChainCard, StepCard
    from claude_pool.domain.inbox import Message
    from claude_pool.domain.pool_status import PoolStatus, SlotStatus
    from claude_pool.domain.questions import Question
    from claude_pool.domain.task_board import Refused, TaskCard

    from .store.index import TaskRow

View = dict[str, Any]

OUTPUT_SHOWN_BYTES = 20_000
"""A longer output is shown by its beginning and a reference, because clients cut long results."""


def usd(microdollars: int) -> float:
    """Microdollars as US dollars, for people; sums are made of the integers."""
    return microdollars / 1_000_000


def task_view(card: TaskCard, read: Callable[[Text], str]) -> View:
    """A task as `pool_result` shows it; `read` gets a text that lies in a file."""
    view: View = {
        "task_id": card.task_id,
        "state": card.state,
        "success": card.success,
        "output": None,
        "error": None if card.error is None else asdict(card.error),
        "cost_usd": usd(card.cost),
        "cost_microdollars": card.cost,
        "cost_estimated": card.cost_estimated,
        "tokens": asdict(card.tokens),
        "turns": card.turns,
        "elapsed_ms": card.elapsed_ms,
        "waited_ms": card.waited_ms,
        "model": card.model,
        "slot_id": card.slot_id,
        "session_id": card.session_id,
        "attempts": card.attempts,
        "tags": list(card.tags),
        "permission_denials": [asdict(denial) for denial in card.denials],
        "reason": card.reason,
    }
    if card.until is not None:
        view["until"] = card.until
    if card.unpriced:
        view["unpriced"] = True
    if card.part is not None:
        view["chain_id"], view["step"] = card.part.chain_id, card.part.step
    if card.output is not None:
        view["output"] = _output(card.output, read)
        if card.output.size > OUTPUT_SHOWN_BYTES:
            view["output_ref"] = f"pool://results/{card.task_id}"
    if card.skill is not None:
        view["skill"] = card.skill
    if card.max_rejections is not None:
        view["max_rejections"] = card.max_rejections
    if card.rejections:
        view["rejections"] = [_refused_view(each, read) for each in card.rejections]
    if card.questions:
        view["questions"] = [_question_view(each) for each in card.questions]
    if card.structured_output is not None:
        view["structured_output"] = json.loads(read(card.structured_output))
    return view


def _refused_view(refused: Refused, read: Callable[[Text], str]) -> View:
    output, feedback = refused.output, read(refused.feedback)
    short = output.inline if output.blob is None else f"{output.head}… ({output.size} bytes)"
    return {"attempt": refused.attempt, "feedback": feedback, "output": short or "", "at": refused.at}


def chain_view(card: ChainCard, read: Callable[[Text], str]) -> View:
    """A chain as `pool_chain_result` shows it; `read` gets a text that lies in a file."""
    view: View = {
        "chain_id": card.chain_id,
        "state": card.state,
        "steps": [_step_view(step, read) for step in card.steps],
        "final_output": _output(card.final_output, read),
        "cost_usd": usd(card.cost),
        "cost_microdollars": card.cost,
        "reason": card.reason,
        "error": None if card.error is None else asdict(card.error),
        "tags": list(card.tags),
    }
    if card.final_output is not None and card.final_output.size > OUTPUT_SHOWN_BYTES:
        view["output_ref"] = f"pool://results/{card.final_task}"
    for name in ("branch", "base", "head", "path", "files_changed", "merged"):
        if (value := getattr(card, name)) is not None:
            view[name] = value
    if card.notes:
        view["notes"] = list(card.notes)
    if card.diff is not None:
        view["diff_ref"] = f"pool://chains/{card.chain_id}/diff"
    if card.fork is not None:
        view["forked_from"] = {"chain_id": card.fork.chain_id, "step": card.fork.step}
    return view


def _step_view(step: StepCard, read: Callable[[Text], str]) -> View:
    view: View = {
        "name": step.name,
        "state": step.state,
        "task_id": step.task_id,
        "needs": list(step.needs),
        "attempts": step.attempts,
        "cost_microdollars": step.cost,
        "output": _output(step.output, read),
        "error": None if step.error is None else asdict(step.error),
        "reason": step.reason,
    }
    if step.output is not None and step.output.size > OUTPUT_SHOWN_BYTES:
        view["output_ref"] = f"pool://results/{step.task_id}"
    if step.source is not None:
        view["reused_from"] = step.source
    return view


def _output(text: Text | None, read: Callable[[Text], str]) -> str | None:
    if text is None:
        return None
    return read(text) if text.size <= OUTPUT_SHOWN_BYTES else _beginning(text)


def _question_view(question: Question) -> View:
    from claude_pool.domain.task_board import PERMISSION_CHOICES, question_text

    return {
        "question_id": question.question_id,
        "text": question_text(question),
        "choices": list(PERMISSION_CHOICES),
        "deadline": question.deadline,
    }


def _beginning(text: Text) -> str:
    return f"{text.head or ''}… ({text.size} bytes; read the whole of it at output_ref)"


def row_view(row: TaskRow) -> View:
    """A task in a list over history, from the index: no texts."""
    done = {"completed": True, "failed": False, "cancelled": False}
    return {
        "task_id": row.task_id,
        "state": row.state,
        "success": done.get(row.state),
        "cost_usd": usd(row.cost),
        "cost_microdollars": row.cost,
        "tokens": {
            "input": row.tokens_input,
            "output": row.tokens_output,
            "cache_read": row.tokens_cache_read,
            "cache_write": row.tokens_cache_write,
        },
        "turns": row.turns,
        "elapsed_ms": row.ran_ms,
        "waited_ms": max(0, row.started_at - row.submitted_at) if row.started_at is not None else None,
        "model": row.model,
        "slot_id": row.slot_id,
        "attempts": row.attempts,
        "tags": list(row.tags),
        "priority": row.priority,
        "submitted_at": row.submitted_at,
    }


def message_view(owner: str, message: Message, content: str | None = None) -> View:
    """A message in the inbox of `owner`; without `content` what its sender is told."""
    view: View = {
        "message_id": message.message_id,
        "from": message.sender,
        "to": owner,
        "kind": message.kind,
        "state": message.state,
        "at": message.at,
    }
    return view if content is None else {**view, "content": content}


def slot_view(status: SlotStatus) -> View:
    """One slot as `pool_status` shows it."""
    view: View = with_every_field(status)
    return view


def status_view(status: PoolStatus) -> View:
    """The pool as `pool_status` shows it."""
    view: View = with_every_field(status)
    return view
