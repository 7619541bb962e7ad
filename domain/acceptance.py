"""What the pool takes on, and what it refuses because it could never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import chain, slot, soft_limits, standing, task
from .chain_events import Plan, StepReused
from .claiming import pool_options, workplaces
from .errors import CliMissing, Draining, InvalidArgument, IsolationFailed, NotFound, SessionBusy, SlotsFailed
from .funding import accounts_of, levels, task_limit
from .records import Fact, on
from .values import SessionMode, TaskSpec, is_slot_id, parse_session
from .world import World


@dataclass(frozen=True, slots=True)
class Submit:
    """Accept a task. `session_dir` is where the session that it resumes or forks has run (None: unknown)."""

    task_id: str
    spec: TaskSpec
    fingerprint: str
    now: int
    session_dir: str | None = None


@dataclass(frozen=True, slots=True)
class SubmitChain:
    """Accept a chain. `session_dirs` maps sessions that its steps resume or fork to where they have run.

    The steps `reused` are over, as they were in the chain that it takes up again.
    """

    chain_id: str
    plan: Plan
    fingerprint: str
    now: int
    session_dirs: Mapping[str, str] = field(default_factory=dict[str, str])
    reused: tuple[StepReused, ...] = ()


def submit(command: Submit, world: World) -> tuple[Fact, ...]:
    """Take a task on.

    Raises:
        PoolError: the pool takes nothing new, or this could never run.
    """
    _check_admission(world, command.now)
    _check_spec(command.spec, world, command.session_dir, command.now)
    spec = command.spec
    state = world.tasks.get(command.task_id, task.ABSENT)
    submitted = task.SubmitTask(command.task_id, spec, command.fingerprint, command.now)
    return on(command.task_id, task.decide(submitted, state))


def _check_admission(world: World, now: int) -> None:
    at = world.open_pool()
    if at.draining is not None or at.stopping is not None:
        raise Draining()
    _check_health(world, now)


def _check_spec(spec: TaskSpec, world: World, session_dir: str | None, now: int) -> None:
    """Refuse what could never run."""
    at = world.open_pool()
    _check_slot(spec, world)
    _check_session(spec, session_dir, world)
    limit = task_limit(at, spec)
    if limit is not None and limit <= 0:
        raise InvalidArgument(argument="max_budget_usd", problem="a budget is above 0")
    needed = 1 if limit is None else limit
    for level in levels(world, spec, accounts_of(world, spec, now)):
        # what is only spent for today runs tomorrow
        if level.unspent < needed and not (level.of_a_day and needed <= level.limit):
            raise level.exceeded(needed)
    held = soft_limits.held(at.budget, at.budget.accounts(spec.tags, now))
    if held is not None and held.why == "stopped" and not held.level.of_a_day:
        raise held.level.exceeded(needed)


def submit_chain(command: SubmitChain, world: World) -> tuple[Fact, ...]:
    """Take a chain on, whose every step could run.

    Raises:
        PoolError: the pool takes nothing new, or this could never run.
    """
    _check_admission(world, command.now)
    over = {each.step for each in command.reused}
    for step in command.plan.steps:
        if step.name in over:
            continue
        policy = parse_session(step.spec.session or "")
        session = policy.session if policy is not None else None
        _check_spec(step.spec, world, command.session_dirs.get(session or ""), command.now)
    limit, of_pool = command.plan.max_budget, world.open_pool().budget.level("")
    if limit is not None and limit <= 0:
        raise InvalidArgument(argument="max_budget_usd", problem="a budget is above 0")
    if limit is not None and of_pool is not None and of_pool.unspent < limit:
        raise of_pool.exceeded(limit)
    submitted = chain.SubmitChain(
        command.chain_id, command.plan, command.fingerprint, command.now, command.reused
    )  # fmt: skip
    state = world.chains.get(command.chain_id, chain.ABSENT)
    return on(command.chain_id, chain.decide(submitted, state))


def _check_slot(spec: TaskSpec, world: World) -> None:
    if spec.slot is None or not is_slot_id(spec.slot):
        return
    if spec.slot not in world.slots or standing.out_of_service(world, spec.slot):
        raise NotFound(kind="slot", id=spec.slot, hint="pool_status lists the slots in service.")


def _check_health(world: World, now: int) -> None:
    """Refuse what would wait for long because no slot is left that could run it."""
    serving = standing.in_service(world)
    failed = [at for at in serving if isinstance(at, slot.Failed)]
    if not serving or not all(standing.is_unfit(at) for at in serving):
        return
    hint = f"{_next_trial(world, now)} pool_resume tries at once."
    code, problem = (failed[0].code, failed[0].problem) if failed else ("", "a slot is being tried again")
    if code == CliMissing.code:
        raise CliMissing(problem=problem, hint=hint)
    if code == IsolationFailed.code:
        raise IsolationFailed(problem=problem, hint=hint)
    raise SlotsFailed(problem=problem, hint=hint)


def _next_trial(world: World, now: int) -> str:
    due = standing.next_trial(world)
    if due is None:
        return "Slots are tried again once nothing holds the pool and no other slot is being tried."
    return f"The next slot is tried again in {max(0, due - now + 999) // 1000} s."


def _check_session(spec: TaskSpec, session_dir: str | None, world: World) -> None:
    policy = parse_session(spec.session) if spec.session is not None else None
    if policy is None or policy.session is None:
        return
    if policy.mode is SessionMode.FORK and policy.session in world.sessions:
        raise SessionBusy(session=policy.session, attempt=world.sessions[policy.session])
    at = world.open_pool()
    usual = "the work tree of a slot" if at.settings.worktree else pool_options(at).working_dir
    wanted = spec.options.working_dir or usual
    if spec.options.working_dir is None and session_dir in workplaces(world):
        return  # it runs in the slot that works there
    if session_dir is not None and session_dir != wanted:
        raise InvalidArgument(
            argument="session",
            problem=f"session {policy.session} belongs to {session_dir}; a conversation is never "
            f"continued in another directory ({wanted})",
        )
