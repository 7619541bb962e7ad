"""Logs forged fact by fact, and what the invariants say of them."""

from __future__ import annotations

from claude_pool.domain import workplace_events
from claude_pool.domain.chain_events import (
    ChainSubmitted,
    Plan,
    Step,
)
from claude_pool.domain.invariants import check
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.pool_events import (
    FundsSettled,
    OwnerStarted,
    PoolOpened,
    Settings,
)
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import (
    LaunchStarted,
    LaunchSucceeded,
    SlotAdded,
    SlotClaimed,
    SlotReleased,
)
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    SessionOpened,
    TaskCompleted,
    TaskSubmitted,
)
from claude_pool.domain.values import (
    End,
    Outcome,
    TaskSpec,
    Text,
)

At = tuple[str, Event]
TASK, OTHER, SLOT, NEXT, CHAIN = "task-a", "task-b", "slot-0", "slot-1", "chain-z"
DAY = ("day:2026-01-31",)


def numbered(*facts: At) -> list[tuple[int, str, int, Event]]:
    """Facts as a log holds them."""
    versions: dict[str, int] = {}
    log: list[tuple[int, str, int, Event]] = []
    for position, (stream, event) in enumerate(facts, 1):
        versions[stream] = versions.get(stream, 0) + 1
        log.append((position, stream, versions[stream], event))
    return log


def codes(*facts: At, final: bool = False) -> list[str]:
    """What is wrong with a log of these facts."""
    return [each.code for each in check(numbered(*facts), final)]


def pool(*events: Event) -> list[At]:
    return [("pool", event) for event in events]


def slot(*events: Event, slot_id: str = SLOT) -> list[At]:
    return [(slot_id, event) for event in events]


def task(*events: Event, task_id: str = TASK) -> list[At]:
    return [(task_id, event) for event in events]


def chain(*events: Event, chain_id: str = CHAIN) -> list[At]:
    return [(chain_id, event) for event in events]


def submitted(task_id: str = TASK, retries: int = 0, review: int | None = None) -> list[At]:
    return task(
        TaskSubmitted(task_id, TaskSpec(Text(), retries=retries, review=review), "f", 0), task_id=task_id
    )


def launched(slot_id: str = SLOT) -> list[At]:
    """A slot with a process."""
    return slot(SlotAdded(slot_id), LaunchStarted(1, "k", "s0"), LaunchSucceeded(1, 9, "2"), slot_id=slot_id)


def claimed(number: int = 1, task_id: str = TASK, slot_id: str = SLOT, launch: int = 1) -> list[At]:
    return slot(SlotClaimed(f"{task_id}.{number}", "s", launch, "k"), slot_id=slot_id)


def started(number: int = 1, task_id: str = TASK, slot_id: str = SLOT, session: str = "s") -> list[At]:
    return task(
        AttemptStarted(number, slot_id, 0), SessionOpened(number, session, "fresh", "/"), task_id=task_id
    )


def result(cost: int = 5, *, estimated: bool = False, retryable: bool = False) -> Outcome:
    return Outcome(End.FAILED, "provider_error", "m", retryable, cost=cost, estimated=estimated)


def settled(
    number: int = 1, task_id: str = TASK, slot_id: str = SLOT, *, cost: int = 5, estimated: bool = False
) -> list[At]:
    attempt = f"{task_id}.{number}"
    return [
        *pool(FundsSettled(attempt, cost, estimated, accounts=DAY)),
        *slot(SlotReleased(attempt, True, cost, 0, "s"), slot_id=slot_id),
    ]


OPENED = pool(PoolOpened("pool-1", 0), OwnerStarted("o", 1, "v", Settings()))
READY = [*OPENED, *launched(), *submitted()]
RUNS = [*READY, *claimed(), *started()]
DONE = AttemptSucceeded(1, result(), 0)
FAILS = AttemptFailed(1, result(), 0)
WHOLE = [*RUNS, *task(DONE, TaskCompleted()), *settled()]


def ended_as(*events: Event, number: int = 1) -> list[At]:
    """The task runs, and ends in this way."""
    return [*RUNS, *task(*events), *settled(number)]


def housed(slot_id: str = SLOT, path: str = "/trees/0") -> list[At]:
    place = Workplace(slot_id, "worktree", path, path, "/repo/.git", "b", "base", "main")
    return slot(
        SlotAdded(slot_id),
        workplace_events.WorkplaceWanted(),
        workplace_events.WorkplaceMade(place),
        slot_id=slot_id,
    )


def ordered(*steps: Step, isolation: str = "none", chain_id: str = CHAIN) -> list[At]:
    return chain(ChainSubmitted(chain_id, Plan(steps, isolation), "f", 0), chain_id=chain_id)


def step(name: str, *needs: str, recovery: Text | None = None) -> Step:
    return Step(name, TaskSpec(Text(name)), needs, ("previous_output",), recovery, ("error",))
