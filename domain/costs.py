"""Who spent what: attempts with their costs, put into groups, and the figures of each group.

Every attempt counts once in the total, whatever groups it is in; so does every charge, which is money that
a slot spent on something no attempt asked for. The total is therefore what the log has settled, to the
microdollar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .values import ROUTER_TAG, Tokens


class By(StrEnum):
    """What costs are put into groups by."""

    TASK = "task"
    CHAIN = "chain"
    SLOT = "slot"
    MODEL = "model"
    TAG = "tag"
    SKILL = "skill"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class AttemptCost:
    """A settled attempt: whose it is, how it ended, and what it took.

    Times are ms since the epoch, `cost` and `overdrawn` are microdollars. `position` is the settlement's,
    `day` its date by UTC (2026-01-31). `state` is succeeded, failed, cancelled or sealed, and `code` says
    why where it is not succeeded. `skill` is the name of the skill that the prompt was made of, and
    `skill_digest` says of which version of it; `step` and `run` are a chain's.
    """

    attempt: str
    task_id: str
    number: int
    position: int
    settled_at: int
    day: str
    state: str
    code: str | None = None
    slot_id: str | None = None
    model: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    cost: int = 0
    estimated: bool = False
    overdrawn: int = 0
    tokens: Tokens = Tokens()
    turns: int = 0
    chain_id: str | None = None
    step: str | None = None
    run: int = 1
    skill: str | None = None
    skill_digest: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def elapsed_ms(self) -> int:
        """How long it ran; 0 where that is not known."""
        if self.started_at is None or self.ended_at is None:
            return 0
        return max(0, self.ended_at - self.started_at)

    @property
    def routing(self) -> bool:
        """Whether it asked which way other work shall be done."""
        return ROUTER_TAG in self.tags


@dataclass(frozen=True, slots=True)
class Charge:
    """What a slot spent outside of any attempt, because of `why`; `day` as in `AttemptCost`."""

    position: int
    slot_id: str
    settled_at: int
    day: str
    why: str
    cost: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the upper end of some numbers, by nearest rank: each is one of them (0 of none)."""

    p50: int = 0
    p95: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What some attempts, and charges, come to. `estimated` is the part of `cost` that was metered.

    `costs` and `times` (ms) are those of single attempts.
    """

    attempts: int
    tasks: int
    cost: int
    estimated: int
    overdrawn: int
    charged: int
    tokens: Tokens
    turns: int
    costs: Spread
    times: Spread


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a report. `key` is None for what belongs to none (see `label`), as are other rows together."""

    key: str | None
    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """Rows and the total, in which everything counts once. `left_out` rows stand together in the last one."""

    by: By
    groups: tuple[Group, ...]
    total: Figures
    left_out: int = 0


NO_TASK = "(no task)"
"""The row of charges where a grouping cannot place them."""

_NONE: Mapping[By, str] = {
    By.CHAIN: "(no chain)",
    By.SLOT: "(no slot)",
    By.MODEL: "(unknown)",
    By.TAG: "(untagged)",
    By.SKILL: "(no skill)",
}

_KEYS: Mapping[By, Callable[[AttemptCost], tuple[str | None, ...]]] = {
    By.TASK: lambda each: (each.task_id,),
    By.CHAIN: lambda each: (each.chain_id,),
    By.SLOT: lambda each: (each.slot_id,),
    By.MODEL: lambda each: (each.model,),
    By.TAG: lambda each: tuple(dict.fromkeys(each.tags)) or (None,),
    By.SKILL: lambda each: (each.skill,),
    By.DAY: lambda each: (each.day,),
}

Item = AttemptCost | Charge


def spread(values: Sequence[int]) -> Spread:
    """The spread of `values`: a percentile is the smallest of them that so many are not above."""
    if not values:
        return Spread()
    ordered = sorted(values)
    p50, p95 = (ordered[(len(ordered) * percent + 99) // 100 - 1] for percent in (50, 95))
    return Spread(p50, p95, ordered[-1])


def figures(attempts: Sequence[AttemptCost], charges: Sequence[Charge] = ()) -> Figures:
    """What these come to."""
    charged = sum(charge.cost for charge in charges)
    tokens = [each.tokens for each in attempts]
    return Figures(
        attempts=len(attempts),
        tasks=len({each.task_id for each in attempts}),
        cost=sum(each.cost for each in attempts) + charged,
        estimated=sum(each.cost for each in attempts if each.estimated),
        overdrawn=sum(each.overdrawn for each in attempts),
        charged=charged,
        tokens=Tokens(
            sum(each.input for each in tokens),
            sum(each.output for each in tokens),
            sum(each.cache_read for each in tokens),
            sum(each.cache_write for each in tokens),
        ),
        turns=sum(each.turns for each in attempts),
        costs=spread([each.cost for each in attempts]),
        times=spread([each.elapsed_ms for each in attempts]),
    )


def report(
    by: By, attempts: Sequence[AttemptCost], charges: Sequence[Charge] = (), limit: int | None = None
) -> Report:
    """Costs by group, dearest first; days in their order.

    An attempt with several tags is in the group of each. Of more than `limit` (at least 1) groups, the
    cheapest, or the earliest days, stand together in one more.
    """
    found: dict[tuple[str | None, str], list[Item]] = {}
    for each in attempts:
        for key in _KEYS[by](each):
            found.setdefault((key, _NONE[by] if key is None else key), []).append(each)
    for charge in charges:
        key = charge.slot_id if by is By.SLOT else charge.day if by is By.DAY else None
        found.setdefault((key, NO_TASK if key is None else key), []).append(charge)
    groups = [Group(*name, _figures(items)) for name, items in found.items()]
    groups.sort(key=lambda each: (-each.figures.cost, each.label))
    if by is By.DAY:
        groups.sort(key=lambda each: each.label, reverse=True)
    left_out = () if limit is None else tuple(groups[limit:])
    groups = groups[: len(groups) - len(left_out)]
    if left_out:
        rest = {item: None for each in left_out for item in found[each.key, each.label]}
        groups.append(Group(None, f"({len(left_out)} more)", _figures([*rest])))
    if by is By.DAY:
        groups.reverse()
    return Report(by, tuple(groups), figures(attempts, charges), len(left_out))


def _figures(items: Sequence[Item]) -> Figures:
    return figures(
        [each for each in items if isinstance(each, AttemptCost)],
        [each for each in items if isinstance(each, Charge)],
    )
