"""A few commands of every kind for each aggregate: enough to lead it through all of its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import product
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.chain_events import Plan, Step, StepReused, WorkKept, WorkplaceMade, WorkplaceRefused
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import End, Limit, LimitKind, Outcome, TaskSpec, Text, Transcript

ID = "task-aaaaaaaaaaaaaaaa"
PROMPT = Text("Do it.", size=6)
OUTCOMES = (
    Outcome(End.SUCCEEDED, turns=1),
    Outcome(End.FAILED, code="provider_error", retryable=True, turns=1),
    Outcome(End.FAILED, code="session_not_found"),
    Outcome(End.INTERRUPTED, transcript=Transcript(length=1)),
    Outcome(End.FAILED, code="provider_limit", limit=Limit(next(iter(LimitKind)))),
)
SPECS = tuple(TaskSpec(PROMPT, retries=retries, review=review) for retries in (0, 1) for review in (None, 2))
REUSED = tuple(
    (StepReused("a", "chain-b", ID, 1, 1, status, PROMPT, ()),) for status in ("completed", "failed")
)
STEPS = (
    (Step("a", TaskSpec(PROMPT)), Step("b", TaskSpec(PROMPT), needs=("a",))),
    (Step("a", TaskSpec(PROMPT), recovery_prompt=PROMPT), Step("b", TaskSpec(PROMPT), on_failure="continue")),
)
PLANS = tuple(Plan(steps, isolation, timeout_ms=1) for steps in STEPS for isolation in ("none", "worktree"))
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "task_id": (ID,), "slot_id": ("slot-0",), "chain_id": ("chain-aaaaaaaaaaaaaaaa",), "now": (1_000,),
    "spec": SPECS, "outcome": OUTCOMES, "plan": PLANS,
    "reused": ((), *REUSED), "attempt": (1, 2, 3), "launch": (1, 2, 3, 4),
    "code": ("session_not_found", "timed_out_task", "interrupted"), "step": ("a", "b"), "run": (1, 2),
    "status": ("completed", "failed", "cancelled"), "owner": ("owner-1",), "mode": ("finish", "cancel"),
    "made": (WorkplaceMade("/w", "/w", "/r", "b", "c"), WorkplaceRefused("isolation_failed", "")),
    "kept": (WorkKept("b", "c", 0, Text()),), "settings": (Settings(),),
    "reason": ("recycle", "retire", "shutdown"),
    "expected": (True, False), "alive": (True, False), "faulty": (True, False),
    "succeeded": (True,), "replaces": (True, False), "resume": (True, False), "session": ("s1",),
    "unserved": (False,), "name": ("helper",), "automatic": (False,), "exit_code": (None,),
    "why": ("",), "limit_given": (False,),
    "key": ("key",), "remove": (True, False), "until": (5_000,),
}  # fmt: skip
"""What fields are given; others get one value of their type."""

EXPLORED: Mapping[str, tuple[Any, ...]] = {
    "task": get_args(task.TaskCommand), "slot": get_args(slot.SlotCommand),
    "chain": get_args(chain.ChainCommand),
    "pool": get_args(pool.PoolCommand),
}  # fmt: skip


def commands(aggregate: str) -> list[Any]:
    """The commands of an aggregate with all combinations of what their fields are given."""
    return [command for kind in EXPLORED[aggregate] for command in _each(kind)]


def _each(kind: Any) -> Iterator[Any]:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for values in product(*(_choices(name, hints[name]) for name in names)):
        yield kind(*values)


def _choices(name: str, hint: Any) -> tuple[Any, ...]:
    if name == "attempt" and hint is str:
        return (f"{ID}.1",)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (get_origin(hint) or hint,)
    fitting = tuple(each for each in CHOICES.get(name, ()) if isinstance(each, kinds))
    return fitting or ((False, True) if hint is bool else (_value(hint),))


def _value(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return None if type(None) in get_args(hint) else _value(get_args(hint)[0])
    if origin is tuple:
        return ()
    if hint in (str, int, bool, float):
        return hint(1) if hint is int else hint()
    if hasattr(hint, "__members__"):
        return next(iter(hint))
    hints = get_type_hints(hint)
    return hint(*(_value(hints[field.name]) for field in fields(hint)))
