"""The present work as a forecast sees it: what runs, what waits in which order, where, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import chain, slot, task
from .chain_events import Step
from .claiming import pool_options
from .funding import BUDGET, task_limit
from .histories import Traits
from .ledger import day_account, next_day
from .pool_status import serving
from .provider import HOLDS
from .simulation import Allowance, Queue, Seat, Work
from .values import Part, TaskSpec
from .world import World

_PASSING = frozenset((BUDGET, *HOLDS))
"""Why tasks are parked that go on by themselves, once others have settled or the pool's pause is over."""
_LAST = 1
"""A step that has no task yet comes behind the tasks of its priority."""


def workload(world: World, now: int, owned: bool) -> Queue:
    """The queue of `world` at `now` (ms). `owned`: an owner is at work; otherwise one has to start first,
    and what the log leaves running waits for someone's decision then."""
    return _Reading(world, now, owned).queue()


def skill_name(skill: str | None) -> str | None:
    """The name of the skill that a prompt was made of, without the digest of its version."""
    return None if skill is None else skill.partition("@")[0]


def traits(spec: TaskSpec, model: str | None) -> Traits:
    """What a task is known by; `model` is what it runs on where it names none."""
    return Traits(
        spec.options.model or model,
        skill_name(spec.skill),
        None if spec.part is None else spec.part.step,
        spec.tags,
    )


class _Reading:
    """What is found on the way through one World. `keys` names each work, `order` puts it into the queue."""

    def __init__(self, world: World, now: int, owned: bool) -> None:
        self.world, self.now, self.owned = world, now, owned
        self.pool = world.open_pool()
        self.model = self.pool.settings.options.model
        self.timeout_ms = pool_options(self.pool).timeout_ms
        self.works: dict[str, Work] = {}
        self.order: dict[str, tuple[int, int, int, str]] = {}
        self.needs: dict[str, tuple[str, ...]] = {}
        self.left_out = 0
        self.seats = _seats(world, owned)
        self.seat_of = {seat.name: n for n, seat in enumerate(self.seats)}

    def queue(self) -> Queue:
        for task_id, state in self.world.tasks.items():
            self._task(task_id, state)
        for going in self.world.chains.values():
            self._steps(going)
        self._drop_what_waits_for_someone()
        names = sorted(self.works, key=self.order.__getitem__)
        numbers = {name: number for number, name in enumerate(names)}
        for name, needs in self.needs.items():
            self.works[name] = replace(self.works[name], needs=tuple(numbers[need] for need in needs))
        pause = self.pool.paused
        return Queue(
            tuple(self.works[name] for name in names),
            self.seats,
            () if pause is None or pause.until is None else ((self.now, pause.until),),
            daily=self._daily(),
            at_once=self.pool.provider.concurrency,
            unspent=self.pool.budget.unspent,
            left_out=self.left_out,
            assumes=tuple(self._assumed()),
        )

    def _daily(self) -> Allowance | None:
        """What may be spent today and each day after, where there is a limit to that."""
        today = self.pool.budget.level(day_account(self.now))
        return None if today is None else Allowance(today.limit, today.unspent, next_day(self.now))

    def _assumed(self) -> Iterator[str]:
        pause = self.pool.paused
        if not self.owned:
            yield "an owner starts now"
        elif self.pool.stopping is not None:
            yield "the next owner starts now"
        if pause is not None and pause.until is None:
            yield f"someone resumes the pool now, which is paused ({pause.reason})"

    def _task(self, task_id: str, state: task.Known) -> None:
        spec, rank = state.job.spec, self.world.ranks.get(task_id, (0, 0, task_id))
        match state:
            case task.Running(job, live) if self.owned:
                work = self._work(job, live.model)
                work = replace(
                    work,
                    seat=self.seat_of.get(live.slot_id),
                    ran_ms=work.ran_ms + max(0, self.now - live.started_at),
                    held=live.reserved,
                    most_ms=None if live.deadline is None else max(0, live.deadline - self.now),
                )
            case task.Pending(job):
                work = self._work(job)
            case task.Parked(job, reason, until) if until is not None or reason in _PASSING:
                work = replace(self._work(job), not_before=until or 0)
            case _:
                self.left_out += 1
                return
        self.works[task_id] = work
        self.order[task_id] = (-spec.priority, 0, rank[1], task_id)

    def _steps(self, state: chain.Preparing | chain.Running | chain.Closing) -> None:
        """The steps of a chain that have no task yet; in a copy of the repository one after another."""
        if state.work.ending is not None:
            return
        names = {
            name: at.task_id if isinstance(at, chain.Started) else f"{state.work.chain_id} {name}"
            for name, at in state.work.steps.items()
            if not isinstance(at, chain.Done)
        }
        before: tuple[str, ...] = ()
        alone = state.work.plan.isolation != "none"
        if alone:
            before = tuple(at.task_id for _, at in state.work.started)
        for step in _in_order(state.work):
            key = names[step.name]
            tags = tuple(dict.fromkeys((*state.work.plan.tags, *step.spec.tags)))
            spec = replace(step.spec, tags=tags, part=Part(state.work.chain_id, step.name))
            self.works[key] = self._work(task.Job(key, spec, "", self.now))
            self.order[key] = (-spec.priority, _LAST, len(self.order), key)
            needs = (names[need] for need in step.needs if need in names)
            self.needs[key] = tuple(dict.fromkeys((*needs, *before)))
            before = (key,) if alone else ()

    def _work(self, job: task.Job, model: str | None = None) -> Work:
        """The task as it waits."""
        spec, limit = job.spec, task_limit(self.pool, job.spec)
        timeout = self.timeout_ms if spec.options.timeout_ms is None else spec.options.timeout_ms
        attempts = 1 + max(0, spec.retries - job.failures)
        return Work(
            traits(spec, model or self.model),
            ran_ms=sum(max(0, each.ended_at - each.started_at) for each in job.attempts),
            paid=job.cost,
            target=spec.slot,
            most_ms=None if timeout is None else timeout * attempts,
            most_cost=None if limit is None else max(0, limit - job.cost),
        )

    def _drop_what_waits_for_someone(self) -> None:
        changed = True
        while changed:
            lost = [key for key, needs in self.needs.items() if not all(need in self.works for need in needs)]
            changed = bool(lost)
            self.left_out += len(lost)
            for key in lost:
                del self.needs[key], self.works[key], self.order[key]


def _in_order(work: chain.Work) -> Iterator[Step]:
    """The waiting steps, each after those waiting ones that it needs, otherwise in the order of the plan."""
    left = {step.name: step for step in work.plan.steps if isinstance(work.steps[step.name], chain.Waiting)}
    while left:
        step = next(step for step in left.values() if not any(need in left for need in step.needs))
        yield left.pop(step.name)


def _seats(world: World, owned: bool) -> tuple[Seat, ...]:
    """The slots that take tasks now, or that a new owner would have, and those that the pool still adds."""
    pool, present = world.open_pool(), serving(world)
    if not owned:
        found = [Seat(at.card.slot_id, at.card.role) for at in present[: pool.settings.slots]]
        missing = pool.settings.slots - len(found)
    else:
        present = [at for at in present if not isinstance(at, slot.Stopped)]
        staying = [at for at in present if not _leaves(at)]
        found = [
            Seat(at.card.slot_id, at.card.role, _leaves(at))
            for at in present
            if not isinstance(at, slot.Failed)
        ]  # fmt: skip
        missing = pool.target - len(staying)
    return (*found, *(Seat(f"further-{n}") for n in range(missing)))


def _leaves(state: slot.Present) -> bool:
    """Whether the slot is on its way out of service."""
    return state.card.draining or (isinstance(state, slot.Stopping) and state.reason == "retire")
