"""`fork`: a chain is taken up again from a step, or a task's conversation in another direction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from claude_pool.domain import chain, forking, task
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.chain_events import Fork, Plan, Step, StepReused
from claude_pool.domain.chain_graph import Draft, places
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import (
    InvalidArgument,
    IsolationFailed,
    LogBroken,
    VersionConflict,
    WrongState,
)
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.task_events import SessionOpened, TaskEvent
from claude_pool.domain.values import TaskSpec, derived_id, kind_of, parse_session

from .admission import checked_size, session_directory, submitted_before
from .config.options import MODES
from .origins import CALLER, Origin
from .queries import chain_state, events_of, task_state
from .requests import digest
from .service import Service
from .store.blobs import Texts
from .store.index import Index
from .system import System
from .texts import keep, whole
from .views import View

_PLAIN = "work"


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """What is taken up again: the chain `source` from `step` on, or the task `source`.

    `prompt` and `model` replace those of the step, or of the task.
    """

    source: str
    step: str | None = None
    prompt: str | None = None
    model: str | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """A digest of the arguments, for idempotency keys."""
        return digest({**asdict(self), "idempotency_key": None})


@dataclass(frozen=True, slots=True)
class _Run:
    """How a step's task ran: its number of attempts, its first conversation, and the last one."""

    attempts: int
    first: forking.Opened | None
    last: str


class Forks:
    """The verb `fork`. Errors are `PoolError`s."""

    def __init__(
        self, service: Service, texts: Texts, index: Index, system: System, workplaces: Workplaces
    ) -> None:
        """Forks in the pool that `service` keeps; `workplaces` knows the commits of copies."""
        self._service = service
        self._texts = texts
        self._index = index
        self._system = system
        self._workplaces = workplaces

    async def fork(self, request: ForkRequest, highest_mode: str, origin: Origin = CALLER) -> View:
        """Accept the new chain, or the new task; its id, and which steps are reused and run again.

        Nothing runs again in a permission mode above `highest_mode`.

        Raises:
            InvalidArgument, NotFound: there is no such chain, step or task. WrongState: what the step needs
                is not over, or the task has no conversation. IsolationFailed: the commit to begin at is gone.
            LogBroken: an output that is needed is lost. SessionBusy: its conversation runs just now.
            BudgetExceeded, Draining, IdempotencyConflict.
        """
        if request.prompt is not None:
            checked_size("prompt", request.prompt)
        match kind_of(request.source):
            case "chain":
                return await self._chain(request, highest_mode, origin)
            case "task":
                return await self._task(request, highest_mode, origin)
            case _:
                raise InvalidArgument(argument="id", problem="say the id of a chain or task")

    def _new_id(self, kind: str, request: ForkRequest) -> str:
        key = request.idempotency_key
        return self._system.new_id(kind) if key is None else derived_id(kind, "fork", key)

    async def _accepted(self, identity: str, request: ForkRequest) -> bool:
        """Whether the same call made `identity` before."""
        keyed = request.idempotency_key is not None
        return keyed and await submitted_before(self._service, identity, request.fingerprint)

    async def _accept(
        self, identity: str, request: ForkRequest, command: Callable[[], Command], origin: Origin
    ) -> None:
        try:
            await self._service.handle(command, origin)
        except (WrongState, VersionConflict):
            if not await self._accepted(identity, request):
                raise

    # Chains.

    async def _chain(self, request: ForkRequest, highest_mode: str, origin: Origin) -> View:
        state = await chain_state(self._service, request.source)
        names = [step.name for step in state.work.plan.steps]
        if request.step is None:
            problem = f"say from which step on {request.source} runs again: {', '.join(names)}"
            raise InvalidArgument(argument="step", problem=problem)
        chain_id = self._new_id("chain", request)
        if not await self._accepted(chain_id, request):
            parts = forking.cut(state, request.step)
            for name in parts.again:
                _check_mode(state.work.step(name).spec, highest_mode)
            await self._accept(
                chain_id, request, await self._submission(chain_id, state.work, parts, request), origin
            )
        return await self._told(chain_id)

    async def _told(self, chain_id: str) -> View:
        """What became of a fork's steps at its submission."""
        work = (await chain_state(self._service, chain_id)).work
        assert work.plan.fork is not None
        reused = [name for name, at in work.steps.items() if isinstance(at, chain.Done) and at.source]
        return {
            "chain_id": chain_id,
            "source": work.plan.fork.chain_id,
            "reused": reused,
            "again": [name for name in work.steps if name not in reused],
        }

    async def _submission(
        self, chain_id: str, work: chain.Work, parts: forking.Cut, request: ForkRequest
    ) -> Callable[[], Command]:
        assert request.step is not None
        runs = {name: run for name, at in work.steps.items() if (run := await self._run_of(at)) is not None}
        reused = tuple([await self._reused(work, name, runs[name]) for name in parts.reused])
        commit = await self._commit(work, parts)
        own = {runs[name].last for name in parts.again if name in runs} - {each.session for each in reused}
        steps: list[Step] = []
        for step in work.plan.steps:
            ran = runs.get(step.name)
            anew = step.name in parts.again
            steps.append(
                await self._anew(work.plan, step, request, ran.first if ran else None, own) if anew else step
            )
        fork = Fork(request.source, request.step, commit)
        plan = replace(work.plan, steps=tuple(steps), fork=fork)
        directories = await self._session_dirs([step.spec for step in steps if step.name in parts.again])
        return lambda: SubmitChain(
            chain_id, plan, request.fingerprint, self._system.now(), directories, reused
        )  # fmt: skip

    async def _run_of(self, at: chain.StepState) -> _Run | None:
        """How the task of a step has run so far; None: it has none."""
        if not isinstance(at, (chain.Done, chain.Started)):
            return None
        state: task.Task = task.ABSENT
        first: forking.Opened | None = None
        for recorded in await events_of(self._service, at.task_id):
            event: TaskEvent = recorded.event  # type: ignore[assignment]  # a task's stream holds task events
            state = task.evolve(state, event)
            if isinstance(event, SessionOpened) and first is None:
                first = forking.Opened(event.session, event.mode, event.parent)
        assert not isinstance(state, task.Absent)
        if isinstance(state, task.Running):
            return _Run(state.live.number, first, state.live.session)
        attempts = state.job.attempts
        return _Run(len(attempts), first, attempts[-1].session if attempts else "")

    async def _reused(self, work: chain.Work, name: str, run: _Run) -> StepReused:
        at = work.steps[name]
        assert isinstance(at, chain.Done)
        for text in (at.output, *(text for _, text in at.variables)):
            try:
                await whole(self._service, self._texts, text)
            except LogBroken as error:
                problem = f"what step {name} gave cannot be read any more, so fork from it or before it"
                raise LogBroken(**{**error.facts, "problem": f"{problem}: {error.message}"}) from error
        return forking.reused(work, name, run.attempts, run.last)

    async def _commit(self, work: chain.Work, parts: forking.Cut) -> str:
        """Where a copy of the repository begins: as the last reused step left it, or the first found it."""
        plan = work.plan
        if plan.isolation == "none":
            return ""
        if not parts.reused:
            commit = work.workplace.base if work.workplace is not None else ""
        else:
            last = parts.reused[-1]
            at = work.steps[last]
            commit = at.head if isinstance(at, chain.Done) else ""
            if not commit:
                problem = f"No commit is on record of what step {last} of {work.chain_id} left in its copy."
                raise IsolationFailed(problem=problem, hint="Fork the chain from its first step.")
        if commit:
            await asyncio.to_thread(self._workplaces.verify, plan.source_dir, commit)
        return commit

    async def _anew(
        self, plan: Plan, step: Step, request: ForkRequest, ran: forking.Opened | None, own: set[str]
    ) -> Step:
        """A step that runs again: in a conversation of its own, and the first one as the caller wants it."""
        spec = step.spec
        if plan.isolation == "none":
            spec = replace(spec, session=forking.session_again(spec.session, ran, own))
        if step.name != request.step:
            return replace(step, spec=spec)
        uses = step.uses
        if request.prompt is not None:
            drafts = [_draft(each, request.prompt if each is step else _PLAIN) for each in plan.steps]
            found = places(drafts)
            uses = next(place.uses for place, each in zip(found, plan.steps, strict=True) if each is step)
        return replace(step, spec=await self._changed(spec, request), uses=uses)

    async def _changed(self, spec: TaskSpec, request: ForkRequest) -> TaskSpec:
        if request.prompt is not None:
            prompt = await keep(self._service, self._texts, request.prompt, "prompt")
            spec = replace(spec, prompt=prompt, skill=None)
        if request.model is not None:
            spec = replace(spec, options=replace(spec.options, model=request.model))
        return spec

    async def _session_dirs(self, specs: list[TaskSpec]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for spec in specs:
            policy = parse_session(spec.session or "")
            known = await session_directory(self._service, self._index, spec.session)
            if policy is not None and policy.session is not None and known is not None:
                found[policy.session] = known
        return found

    # Tasks.

    async def _task(self, request: ForkRequest, highest_mode: str, origin: Origin) -> View:
        state = await task_state(self._service, request.source)
        job = state.job
        if job.spec.part is not None:
            part = job.spec.part
            problem = f"{request.source} is a step: fork {part.chain_id} from {part.step}"
            raise InvalidArgument(argument="id", problem=problem)
        if request.step is not None:
            raise InvalidArgument(argument="step", problem=f"{request.source} is a task and has no steps")
        _check_mode(job.spec, highest_mode)
        session = _conversation(state)
        task_id = self._new_id("task", request)
        answer: View = {"task_id": task_id, "source": request.source}
        if await self._accepted(task_id, request):
            return answer
        spec = await self._changed(job.spec, request)
        spec = replace(spec, session=f"fork:{session}", forked=request.source)
        directory = await session_directory(self._service, self._index, spec.session)
        await self._accept(
            task_id,
            request,
            lambda: Submit(task_id, spec, request.fingerprint, self._system.now(), directory),
            origin,
        )
        return answer


def _check_mode(spec: TaskSpec, highest: str) -> None:
    """Refuse what a caller could not have submitted.

    Raises:
        InvalidArgument: it would run in a mode above `highest`.
    """
    mode = spec.options.permission_mode
    if mode in MODES and MODES.index(mode) > MODES.index(highest):
        problem = f"it ran in {mode}, which is more than this pool allows its callers; {highest} is the most"
        raise InvalidArgument(argument="permission_mode", problem=problem)


def _conversation(state: task.Known) -> str:
    """The last conversation of a task in which anything was said.

    Raises:
        WrongState: there is none.
    """
    if isinstance(state, task.Running):
        return state.live.session
    for attempt in reversed(state.job.attempts):
        if attempt.session and attempt.outcome.turns:
            return attempt.session
    raise WrongState(
        subject=state.job.task_id,
        state=type(state).__name__.lower(),
        problem="nothing was said in a conversation of its own that could be forked. Submit it anew.",
    )


def _draft(step: Step, prompt: str) -> Draft:
    return Draft(step.name, prompt, step.needs, None, tuple(name for name, _ in step.spec.output_vars))
