"""What the pool does for its callers, whichever way they come: MCP, the shell, or as a library.

Each verb is a few lines over `Service`: make a command, wait for what callers wait for, build a view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from claude_pool.domain import pool, task
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.coordination import Resume
from claude_pool.domain.draining import held_up, unfinished
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError, VersionConflict, WrongState
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.prices import PriceList
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Text, attempt_id, derived_id, is_task_id, kind_of, parse_session

from .accepting import accept_each
from .admission import checked_size, session_directory, submitted_before
from .chains import Chains
from .event_view import event_view
from .explanations import evidence, subject_of, why_view
from .forks import Forks
from .messages import Messages
from .metrics import session_metrics
from .money import Money
from .origins import CALLER, Origin
from .progress import Progress
from .queries import events_between, events_of, explain, task_shown, task_state
from .questions import Questions
from .redaction import Secrets
from .requests import TaskRequest
from .reviews import Reviews
from .routing import Routing
from .service import Service
from .shared_context import SharedContext
from .skills.library import Library
from .slots import Slots
from .store.blobs import Texts
from .store.index import ChainRow, Index, TaskRow
from .store.index_costs import Wanted
from .system import System
from .texts import keep, whole
from .views import View, row_view, status_view, task_view, usd
from .waiting import WAIT_CAP_SECONDS, capped
from .waits import Waits


@dataclass(frozen=True, slots=True)
class Waited:
    """What a wait found: views in order, the next cursor, and the cap (seconds) where one was applied."""

    tasks: list[View]
    chains: list[View]
    cursor: int
    waited_cap: float | None


class Application:
    """The verbs of the pool. Errors are `PoolError`s."""

    def __init__(
        self,
        service: Service,
        texts: Texts,
        index: Index,
        system: System,
        version: str,
        messages: Messages,
        library: Library,
        progress: Progress,
        workplaces: Workplaces,
        prices: PriceList,
    ) -> None:
        """`index` answers lists over history; `version` is the program's.

        `messages` and `library` (the skills) have verbs of their own; `progress` tells of what runs;
        `workplaces` knows the commits that chains left in their copies; `prices` explain what attempts cost.
        """
        self._service = service
        self._texts = texts
        self._index = index
        self._system = system
        self._version = version
        self._prices = prices
        self._reviews = Reviews(service, texts, system)
        self._questions = Questions(service, texts, system)
        self.messages = messages
        self.library = library
        self.slots = Slots(service, system, version)
        self.chains = Chains(service, texts, index, system, progress)
        self.forks = Forks(service, texts, index, system, workplaces)
        self.money = Money(service, index, system)
        self.context = SharedContext(service)
        self._progress = progress
        self.waiting = Waits(service, index)
        self.routing = Routing(self, self.chains, self.waiting, system)
        self.leave_safe_mode: Callable[[], None] | None = None

    @property
    def secrets(self) -> Secrets:
        """What callers' texts must not hold."""
        return self._service.secrets

    async def submit(self, request: TaskRequest, origin: Origin = CALLER, tool: str = "submit") -> str:
        """Accept a task; its id. The same idempotency key gives the same task.

        Raises:
            InvalidArgument, NotFound, SessionBusy, BudgetExceeded, Draining, IdempotencyConflict.
        """
        self._check(request)
        key = request.idempotency_key
        task_id = self._system.new_id("task") if key is None else derived_id("task", tool, key)
        if key is not None and await submitted_before(self._service, task_id, request.fingerprint):
            return task_id
        prompt = await keep(self._service, self._texts, request.prompt, "prompt")
        known = await session_directory(self._service, self._index, request.session)
        spec = request.spec(prompt)
        try:
            await self._service.handle(
                lambda: Submit(task_id, spec, request.fingerprint, self._system.now(), known), origin
            )
        except (WrongState, VersionConflict):
            if key is not None and await submitted_before(self._service, task_id, request.fingerprint):
                return task_id
            raise
        return task_id

    def _check(self, request: TaskRequest) -> None:
        checked_size("prompt", request.prompt)
        if request.session is not None and parse_session(request.session) is None:
            raise InvalidArgument(
                argument="session",
                problem="say fresh, slot, resume:<session id> or fork:<session id>",
            )

    async def view(self, task_id: str) -> View:
        """A task's view.

        Raises:
            InvalidArgument: `task_id` is not the id of a task.
            NotFound: there is no such task.
        """
        _require_task_id(task_id)
        card = await task_shown(self._service, task_id)
        refused = (text for each in card.rejections for text in (each.output, each.feedback))
        if all(text is None or text.blob is None for text in (card.output, card.structured_output, *refused)):
            view = task_view(card, self._texts.get)
        else:
            view = await self._service.on_log(lambda: task_view(card, self._texts.get))
        running = self._progress.view(attempt_id(task_id, card.attempts))
        return view if running is None else {**view, "progress": running}

    async def output(self, task_id: str) -> str:
        """The whole output of a task, empty where it has none."""
        _require_task_id(task_id)
        card = await task_shown(self._service, task_id)
        return await whole(self._service, self._texts, card.output or Text())

    async def run(
        self,
        request: TaskRequest,
        origin: Origin = CALLER,
        wait_seconds: float = WAIT_CAP_SECONDS,
        tool: str = "run",
    ) -> View:
        """Submit and wait; the view, still running where the wait was shorter than the work."""
        capped(wait_seconds)
        task_id = await self.submit(request, origin, tool)
        cap = await self.waiting.finished([task_id], wait_seconds, or_asking=True)
        view = await self.view(task_id)
        return view if cap is None else {**view, "waited_cap": cap}

    async def fan_out(
        self,
        requests: Sequence[TaskRequest | PoolError],
        origin: Origin = CALLER,
        wait_seconds: float = WAIT_CAP_SECONDS,
        key: str | None = None,
    ) -> View:
        """One task per request; `results` has one view per request, in order, refusals among them.

        A request may be a refusal already: that of an input which could not be read. All tasks are
        recorded as parts of one call. The same `key` gives the same tasks.

        Raises:
            IdempotencyConflict: the key was used for other requests; nothing is accepted.
        """
        capped(wait_seconds)
        together = replace(origin, correlation=origin.correlation or self._system.new_id("call"))
        accepted = await accept_each(
            self._service, requests, "task", "fan_out", key, lambda one: self.submit(one, together, "fan_out")
        )
        tasks = [each for each in accepted if isinstance(each, str)]
        cap = await self.waiting.finished(tasks, wait_seconds)
        results = [await self.view(each) if isinstance(each, str) else _refused(each) for each in accepted]
        return {"results": results} | ({} if cap is None else {"waited_cap": cap})

    async def wait(
        self,
        task_ids: Sequence[str] | None,
        cursor: int | None,
        wait_seconds: float,
        chain_ids: Sequence[str] | None = None,
        limit: int = 100,
    ) -> Waited:
        """What became finished or needs someone after `cursor` (None: what already is), waiting if need be.

        Without ids: all tasks that are no steps, steps that need someone, and all chains; with ids, those.
        Returns as soon as there is anything. The next cursor is in the answer.
        """
        for task_id in task_ids or ():
            _require_task_id(task_id)
            await task_state(self._service, task_id)
        for chain_id in chain_ids or ():
            await self.chains.view(chain_id)
        if task_ids is None and chain_ids is not None:
            task_ids = ()
        elif chain_ids is None and task_ids is not None:
            chain_ids = ()
        after = cursor or 0
        rows, cap = await self.waiting.attention(after, task_ids, chain_ids, wait_seconds, limit)
        if not rows:
            return Waited([], [], max(after, 0), cap)
        tasks = [await self.view(row.task_id) for row in rows if isinstance(row, TaskRow)]
        chains = [await self.chains.view(row.chain_id) for row in rows if isinstance(row, ChainRow)]
        return Waited(tasks, chains, max(row.attention_position or 0 for row in rows), None)

    async def approve(self, task_id: str, origin: Origin = CALLER) -> View:
        """Accept a result under review; the task's view.

        Raises:
            InvalidArgument, NotFound: no such task. WrongState: it waits for no verdict.
        """
        _require_task_id(task_id)
        await self._reviews.approve(task_id, origin)
        return await self.view(task_id)

    async def reject(self, task_id: str, feedback: str, origin: Origin = CALLER) -> View:
        """Refuse a result under review; the view shows whether the task runs again or failed for good.

        Raises:
            InvalidArgument: the feedback is empty, or not a task's id. NotFound, WrongState: as `approve`.
        """
        _require_task_id(task_id)
        await self._reviews.reject(task_id, feedback, origin)
        return await self.view(task_id)

    async def list_questions(self, task_id: str | None = None, kind: str | None = None) -> View:
        """What waits for an answer, of all tasks or of one, of all kinds or of one.

        Raises:
            InvalidArgument, NotFound: no such task.
        """
        if task_id is not None:
            _require_task_id(task_id)
            await task_state(self._service, task_id)
        return {"questions": await self._questions.waiting(task_id, kind)}

    def is_asked(self, question_id: str) -> bool:
        """Whether this is a permission question that nobody has answered yet."""
        return question_id in self._service.world.questions

    def on_facts(self, listener: Callable[[tuple[Recorded, ...]], None]) -> None:
        """Tell `listener` of every append of this process, after the view has folded it."""
        self._service.on_facts(listener)

    async def answer_question(
        self,
        question_id: str,
        choice: str,
        message: str | None = None,
        updated_input: str | None = None,
        origin: Origin = CALLER,
        amount: int | None = None,
    ) -> View:
        """Answer a question; the view of the task that asked. `updated_input` is a JSON object's text.

        One about a soft limit may be answered with `amount` (microdollars) more; its view shows the scope.

        Raises:
            NotFound, WrongState, InvalidArgument: no such question, it is closed, it has no such answer.
        """
        if message is None and updated_input is None:
            told = await self._questions.answer_soft_limit(question_id, choice, amount, origin)
            if told is not None:
                return {"question_id": question_id, "task_id": None, "state": "answered", **told}
        if amount is not None:
            raise InvalidArgument(argument="amount_usd", problem="goes with continue, at a soft limit")
        task_id = await self._questions.answer(question_id, choice, message, updated_input, origin)
        return await self.view(task_id)

    async def cancel(self, task_id: str, origin: Origin = CALLER) -> View:
        """Cancel a task and wait, at most 10 s, until it has ended; its view.

        Raises:
            InvalidArgument, NotFound: no such task. WrongState: it ended before.
        """
        _require_task_id(task_id)
        state = await task_state(self._service, task_id)
        if isinstance(state, task.Cancelled):
            return await self.view(task_id)
        if isinstance(state, (task.Completed, task.Failed)):
            name = type(state).__name__.lower()
            raise WrongState(subject=task_id, state=name, problem="there is nothing left to cancel")
        await self._service.handle(lambda: task.CancelTask(task_id, self._system.now()), origin)
        await self.waiting.finished([task_id], 10)
        return await self.view(task_id)

    async def list_tasks(
        self, state: str | None, tag: str | None, slot_id: str | None, limit: int, cursor: int | None
    ) -> View:
        """Tasks of all times, the latest first, with the cursor of the next page (None: there is none)."""
        rows = await self._service.on_log(
            lambda: self._index.list_tasks(
                state=state, tag=tag, slot=slot_id, limit=limit + 1, before_position=cursor
            )
        )
        page = rows[:limit]
        views = [{**row_view(row), **await self.view(row.task_id)} for row in page]
        more = page[-1].submitted_position if len(rows) > limit else None
        return {"tasks": views, "cursor": more}

    def status(self) -> View:
        """The pool now."""
        view = status_view(pool_status(self._service.world, self._version))
        if self._service.problems:
            view["problems"] = list(self._service.problems)
        refusal = self._service.refusal
        return view if refusal is None else {**view, "safe_mode": refusal.message}

    async def metrics(self, since: int | None, until: int | None, model: str | None, tag: str | None) -> View:
        """Counts of the tasks submitted in a period, and what their attempts cost, in all and by model.

        With `model`, tasks count whose last attempt was with it, and all attempts with it.
        """
        wanted = Wanted(model=model, tag=tag, submitted_since=since, submitted_until=until)
        tasks, attempts = await self._service.on_log(
            lambda: (
                self._index.tasks_between(since, until, model, tag),
                self._index.costs.attempts(wanted),
            )
        )
        return session_metrics(tasks, attempts)

    async def drain(self, mode: str, timeout_seconds: float, origin: Origin = CALLER) -> View:
        """Start or undo a drain. `finish` and `cancel` wait until nothing is left, at most so long.

        They come back earlier where somebody undoes the drain, and where all that is left waits for a
        person: `waits_for` says for what. A task that is sealed or under review is not left.

        Raises:
            InvalidArgument: a negative wait; nothing changes.
        """
        seconds, cap = capped(timeout_seconds)
        if mode == "undo":
            await self._service.handle(pool.LiftDrain(), origin)
            return {"draining": False, "drained": False, **_left(self._service)}
        await self._service.handle(pool.StartDrain(mode), origin)
        watch, world = self._service.bell.watch(None), self._service.world
        try:
            async with asyncio.timeout(seconds):
                while world.open_pool().draining is not None and not held_up(world) and unfinished(world):
                    await watch.rang.wait()
                    watch.rang.clear()
        except TimeoutError:
            pass
        finally:
            self._service.bell.unwatch(watch)
        draining = world.open_pool().draining is not None
        answer: View = {"draining": draining, "drained": draining and not unfinished(world)}
        answer |= {**_left(self._service), **_sum(self._service)}
        if draining and (reasons := held_up(world)):
            answer["waits_for"] = list(reasons)
        return answer if cap is None else {**answer, "waited_cap": cap}

    async def resume(self, origin: Origin = CALLER) -> View:
        """Lift a pause, and take failed slots back into service; in safe mode, have the pool start anew."""
        if self.leave_safe_mode is not None:
            self.leave_safe_mode()
            return self.status()
        await self._service.handle(Resume(), origin)
        return self.status()

    def soft_limit_questions(self) -> list[View]:
        """What is asked about soft limits."""
        return self._questions.of_soft_limits()

    async def why(self, subject: str) -> View:
        """Why a task, chain, slot, the pool or money is as it is: see `explanations`.

        Raises:
            InvalidArgument, NotFound: there is no such thing.
        """
        asked = subject_of(subject)
        return await explain(
            self._service,
            asked.name,
            lambda log, version: evidence(log, asked, version),
            lambda found, world: why_view(asked, found, world, self._system.now(), self._prices),
        )

    async def replay(self, after: int | None, until: int | None, subject: str | None, limit: int) -> View:
        """Events with positions in (`after`, `until`], at most `limit`, of all or of one task, chain or slot.

        `next` is what to give as `after` for the following page; None at the end.

        Raises:
            InvalidArgument, NotFound: no such task, chain or slot.
        """
        kind = None if subject is None else kind_of(subject)
        if subject is not None and kind is None:
            raise InvalidArgument(argument="id", problem="say the id of a task, chain or slot")
        found = await events_between(self._service, subject, after or 0, until, limit + 1)
        if subject is not None and not found and not await events_of(self._service, subject):
            raise NotFound(kind=kind, id=subject, hint="")
        more = found[limit - 1].position if len(found) > limit else None
        return {"events": [event_view(each) for each in found[:limit]], "next": more}


def _left(service: Service) -> View:
    world = service.world
    return {"running_tasks": len(world.running), "pending_tasks": len(world.pending) + len(world.parked)}


def _sum(service: Service) -> View:
    world = service.world
    spent = world.open_pool().budget.spent
    return {"completed_tasks": world.completed, "spent_usd": usd(spent), "spent_microdollars": spent}


def _require_task_id(task_id: str) -> None:
    if not is_task_id(task_id):
        raise InvalidArgument(
            argument="task_id",
            problem="a task's id is task- and 16 letters or digits, as pool_submit gave it",
        )


def _refused(error: PoolError) -> View:
    return {
        "task_id": None,
        "state": "refused",
        "success": False,
        "output": None,
        "error": {"code": error.code, "message": error.message, "retryable": False},
        "cost_usd": 0.0,
        "cost_microdollars": 0,
    }
