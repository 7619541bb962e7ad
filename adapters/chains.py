"""What the pool does for its callers with chains: submit, watch, wait for and cancel them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from claude_pool.domain import chain
from claude_pool.domain.acceptance import SubmitChain
from claude_pool.domain.chain_board import ChainCard
from claude_pool.domain.chain_events import Plan, Step
from claude_pool.domain.chain_graph import Draft, places
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.errors import InvalidArgument, PoolError, VersionConflict, WrongState
from claude_pool.domain.values import TaskSpec, Text, attempt_id, derived_id, is_chain_id, parse_session

from .accepting import accept_each
from .admission import checked_size, session_directory, submitted_before
from .origins import CALLER, Origin
from .progress import Progress
from .queries import chain_shown, chain_state
from .requests import ChainRequest, StepRequest
from .service import Service
from .store.blobs import Texts
from .store.index import Index
from .system import System
from .texts import keep, whole
from .views import View, chain_view
from .waiting import capped

CHAIN_BYTES = 10_000_000
"""The prompts of one chain are no longer together."""


class Chains:
    """The verbs of chains. Errors are `PoolError`s."""

    def __init__(
        self, service: Service, texts: Texts, index: Index, system: System, progress: Progress
    ) -> None:
        """Chains of the pool that `service` keeps; `progress` tells of the steps that run."""
        self._service = service
        self._texts = texts
        self._index = index
        self._system = system
        self._progress = progress

    async def submit(self, request: ChainRequest, origin: Origin = CALLER, tool: str = "chain") -> str:
        """Accept a chain; its id. The same idempotency key gives the same chain.

        Raises:
            InvalidArgument, NotFound, SessionBusy, BudgetExceeded, Draining, IdempotencyConflict.
        """
        found = places([_draft(step) for step in request.steps])
        self._check(request)
        key = request.idempotency_key
        chain_id = self._system.new_id("chain") if key is None else derived_id("chain", tool, key)
        if key is not None and await submitted_before(self._service, chain_id, request.fingerprint):
            return chain_id
        steps: list[Step] = []
        for step, place in zip(request.steps, found, strict=True):
            recovery = step.recovery_prompt
            steps.append(
                Step(
                    step.name,
                    await self._spec(step),
                    place.needs,
                    place.uses,
                    None
                    if recovery is None
                    else await keep(self._service, self._texts, recovery, "recovery_prompt"),
                    place.recovery_uses,
                    step.on_failure,
                )
            )
        plan = Plan(
            tuple(steps), request.isolation, request.merge, self._source(request), request.tags,
            request.max_budget, request.timeout_ms,
        )  # fmt: skip
        directories = await self._session_dirs(request)
        try:
            await self._service.handle(
                lambda: SubmitChain(
                    chain_id, plan, request.fingerprint, self._system.now(), directories
                ),
                origin,
            )  # fmt: skip
        except (WrongState, VersionConflict):
            if key is not None and await submitted_before(self._service, chain_id, request.fingerprint):
                return chain_id
            raise
        return chain_id

    def _check(self, request: ChainRequest) -> None:
        size = 0
        for number, step in enumerate(request.steps):
            where = f"steps.{number}"
            length = checked_size(f"{where}.prompt", step.task.prompt)
            size += length + len((step.recovery_prompt or "").encode("utf-8", "replace"))
            self._check_isolated(request, step, where)
        if size > CHAIN_BYTES:
            raise InvalidArgument(
                argument="steps",
                problem=f"prompts of {size} bytes are more than the {CHAIN_BYTES} that a chain can carry",
            )
        if request.merge != "none" and request.isolation == "none":
            raise InvalidArgument(
                argument="merge", problem="there is a branch to merge only with isolation worktree or clone"
            )

    def _check_isolated(self, request: ChainRequest, step: StepRequest, where: str) -> None:
        if request.isolation == "none":
            return
        if step.task.options.working_dir is not None:
            raise InvalidArgument(
                argument=f"{where}.working_dir",
                problem="in a worktree or clone every step works in the chain's own directory",
            )
        policy = parse_session(step.task.session or "")
        if policy is not None and policy.session is not None:
            raise InvalidArgument(
                argument=f"{where}.session",
                problem="a conversation is never continued in another directory, such as a worktree or clone",
            )

    def _source(self, request: ChainRequest) -> str:
        if request.isolation == "none":
            return ""
        return request.working_dir or pool_options(self._service.world.open_pool()).working_dir or "/"

    async def _spec(self, step: StepRequest) -> TaskSpec:
        prompt = await keep(self._service, self._texts, step.task.prompt, "prompt")
        return replace(step.task.spec(prompt), backoff_ms=step.backoff_ms, output_vars=step.output_vars)

    async def _session_dirs(self, request: ChainRequest) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for step in request.steps:
            policy = parse_session(step.task.session or "")
            known = await session_directory(self._service, self._index, step.task.session)
            if policy is not None and policy.session is not None and known is not None:
                found[policy.session] = known
        return found

    async def view(self, chain_id: str) -> View:
        """A chain's view, with every step as it is now.

        Raises:
            InvalidArgument: `chain_id` is not the id of a chain. NotFound: there is no such chain.
        """
        require_chain_id(chain_id)
        card = await chain_shown(self._service, chain_id)
        if all(text is None or text.blob is None for text in _shown(card)):
            view = chain_view(card, self._texts.get)
        else:
            view = await self._service.on_log(lambda: chain_view(card, self._texts.get))
        for step, shown in zip(card.steps, view["steps"], strict=True):
            if step.task is not None and step.state == "running":
                running = self._progress.view(attempt_id(step.task.task_id, step.task.attempts))
                if running is not None:
                    shown["progress"] = running
        return view

    async def diff(self, chain_id: str) -> str:
        """All that the chain changed in its copy of the repository; empty where it changed nothing."""
        require_chain_id(chain_id)
        card = await chain_shown(self._service, chain_id)
        return await whole(self._service, self._texts, card.diff or Text())

    async def run(self, request: ChainRequest, origin: Origin, wait_seconds: float) -> View:
        """Submit and wait; the view, still running where the wait was shorter than the work."""
        capped(wait_seconds)
        chain_id = await self.submit(request, origin)
        cap = await self.finished([chain_id], wait_seconds)
        view = await self.view(chain_id)
        return view if cap is None else {**view, "waited_cap": cap}

    async def fan_out(
        self,
        requests: Sequence[ChainRequest | PoolError],
        origin: Origin,
        wait_seconds: float,
        key: str | None = None,
    ) -> View:
        """One chain per request; `results` has one view per request, in order, refusals among them.

        The same `key` gives the same chains.

        Raises:
            IdempotencyConflict: the key was used for other requests; nothing is accepted.
        """
        capped(wait_seconds)
        together = replace(origin, correlation=origin.correlation or self._system.new_id("call"))
        tool = "fan_out_chains"
        accepted = await accept_each(
            self._service, requests, "chain", tool, key, lambda one: self.submit(one, together, tool)
        )
        cap = await self.finished([each for each in accepted if isinstance(each, str)], wait_seconds)
        results = [await self.view(each) if isinstance(each, str) else _refused(each) for each in accepted]
        return {"results": results} | ({} if cap is None else {"waited_cap": cap})

    async def finished(self, chain_ids: Sequence[str], wait_seconds: float) -> float | None:
        """Wait, at most so long, until all chains ended; the cap if one applied."""
        seconds, cap = capped(wait_seconds)
        watch = self._service.bell.watch(chain_ids)
        try:
            async with asyncio.timeout(seconds):
                while any(chain_id in self._service.world.chains for chain_id in chain_ids):
                    await watch.rang.wait()
                    watch.rang.clear()
        except TimeoutError:
            return cap
        finally:
            self._service.bell.unwatch(watch)
        return None

    async def cancel(self, chain_id: str, origin: Origin = CALLER) -> View:
        """Cancel a chain and all its steps; the view, in which the steps that never ran are `skipped`.

        Raises:
            InvalidArgument, NotFound: no such chain. WrongState: it has ended.
        """
        require_chain_id(chain_id)
        state = await chain_state(self._service, chain_id)
        if isinstance(state, (chain.Completed, chain.Failed)):
            name = type(state).__name__.lower()
            raise WrongState(subject=chain_id, state=name, problem="there is nothing left to cancel")
        if not isinstance(state, chain.Cancelled):
            await self._service.handle(lambda: chain.CancelChain(chain_id, self._system.now()), origin)
        await self.finished([chain_id], 15)
        return await self.view(chain_id)


def require_chain_id(chain_id: str) -> None:
    """Refuse what cannot be a chain's id.

    Raises:
        InvalidArgument: it cannot.
    """
    if not is_chain_id(chain_id):
        raise InvalidArgument(
            argument="chain_id",
            problem="a chain's id is chain- and 16 letters or digits, as pool_submit_chain gave it",
        )


def _draft(step: StepRequest) -> Draft:
    variables = tuple(name for name, _ in step.output_vars)
    return Draft(step.name, step.task.prompt, step.needs, step.recovery_prompt, variables)


def _shown(card: ChainCard) -> Sequence[Text | None]:
    return [card.final_output, *(step.output for step in card.steps)]


def _refused(error: PoolError) -> View:
    return {
        "chain_id": None,
        "state": "refused",
        "steps": [],
        "final_output": None,
        "cost_usd": 0.0,
        "cost_microdollars": 0,
        "error": {"code": error.code, "message": error.message, "retryable": False},
    }
