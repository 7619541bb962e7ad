"""The loop between facts and the world: facts just appended start effects; every effect ends in one
command that records what came of it, also when it fails or is cancelled.

Nothing here decides. After a restart no effect is started from old facts: recovery closes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from claude_pool.domain import ledger, slot, task
from claude_pool.domain.attempts import RecordEnd, RecordSpend
from claude_pool.domain.chain_events import ClosingRequested, WorkKept, WorkplaceRequested
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.coordination import Command
from claude_pool.domain.errors import PoolError, StoreError, StoreFull
from claude_pool.domain.isolation import Workplaces
from claude_pool.domain.options import resolve
from claude_pool.domain.pool_events import FundsToppedUp
from claude_pool.domain.ports import Launch, Launched, ProcessEnd, SlotDriver, SlotFailure, Turn, TurnReport
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchStarted,
    SlotClaimed,
    StopStarted,
)
from claude_pool.domain.task_events import CancelRequested, InterruptRequested, SessionOpened
from claude_pool.domain.templates import fill
from claude_pool.domain.values import End, Limit, Options, Outcome, SessionMode, TaskSpec, Text
from claude_pool.domain.workplace_events import WorkKeepStarted, WorkplaceWanted

from .asking import Asking
from .claude.neutralise import shield_prompt, without_mentions
from .housing import Housing
from .isolating import ChainIsolation
from .message_block import with_messages
from .messages import Messages
from .origins import Origin
from .progress import Progress
from .prompting import compose_prompt, compose_resumption, compose_review, slot_introduction
from .requests import PROMPT_BYTES
from .reviews import refused_texts
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, whole
from .variables import NoSuchValue, extract

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TOO_LONG = Outcome(
    End.FAILED,
    "prompt_too_long",
    "With the outputs of earlier steps the prompt is longer than a task can carry.",
)

_MAY_PASS = ("slot_failed", "timed_out_start")
"""Codes of a process that could not be started, or was lost, after which another one may do better."""

_KILL_SECONDS = 10.0
"""So long the next process of a slot waits for the end of one that was given up."""

Surroundings = Callable[[str], str | None]
"""The project's text for a working directory, or None."""


class Runtime:
    """Drives the slots of one owner. `stopped` is set when it is stopping and no slot has a process."""

    def __init__(
        self,
        service: Service,
        driver: SlotDriver,
        texts: Texts,
        system: System,
        project_text: Surroundings,
        messages: Messages,
        workplaces: Workplaces,
        progress: Progress,
    ) -> None:
        """Effects begin with `start`; `project_text` gives what a process is told of its directory."""
        self._service = service
        self._driver = driver
        self._texts = texts
        self._system = system
        self._project_text = project_text
        self._messages = messages
        self._isolation = ChainIsolation(service, workplaces, texts, system, self._record)
        self._progress = progress
        self._housing = Housing(workplaces, system.now)
        self._effects: set[asyncio.Task[None]] = set()
        self._at_work: dict[str, set[asyncio.Task[None]]] = {}
        self._kills: dict[str, asyncio.Task[None]] = {}
        self._asking = Asking(service, texts, system)
        self.stopped = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether an effect has not been recorded yet."""
        return bool(self._effects)

    def start(self) -> None:
        """Let facts start effects and policies react."""
        self._service.on_facts(self._on_facts)
        self._service.on_facts(self._asking.on_facts)
        self._driver.on_question(self._asking.ask)
        self._driver.on_exit(self._on_exit)
        self._driver.on_stray(self._on_stray)
        self._driver.on_words(self._progress.say)
        self._service.policies_on = True
        self._service.react()

    async def close(self) -> None:
        """End all processes at once and wait for the effects that record it."""
        await self._driver.close()
        while self._effects:
            await asyncio.wait(set(self._effects))

    def abandon(self) -> None:
        """Let go of all that is under way, as a death of the owner does: nothing of it is recorded."""
        effects, self._effects = self._effects, set()
        self._at_work.clear()
        for effect in effects:
            effect.cancel()

    def _on_facts(self, recorded: tuple[Recorded, ...]) -> None:
        try:
            self._begin_effects(recorded)
        except Exception:
            # What was intended would never happen, and nobody would know: rather end the owner.
            _log.exception("effects could not begin")
            self._service.fail(PoolError())

    def _begin_effects(self, recorded: tuple[Recorded, ...]) -> None:
        for r in recorded:
            match r.event:
                case LaunchStarted(launch, _, session):
                    self._begin(self._launch(r.stream, launch, session, r.position), r.stream)
                case SlotClaimed():
                    self._begin(self._attempt(r.stream, r.event, recorded), r.stream)
                case ClearStarted():
                    self._begin(self._clear(r.stream, r.position), r.stream)
                case WorkplaceRequested():
                    self._begin(self._isolation.prepare(r.stream, r.position))
                case ClosingRequested():
                    self._begin(self._isolation.close(r.stream, r.position))
                case WorkKept(head=head) if head:
                    self._begin(self._isolation.remove(r.stream))
                case StopStarted():
                    self._begin(self._stop(r.stream, r.position), r.stream)
                case EffectAbandoned():
                    self._kills[r.stream] = self._begin(self._kill(r.stream, self._give_up(r.stream)))
                case WorkplaceWanted():
                    self._begin(self._make_workplace(r.stream, r.position))
                case WorkKeepStarted(remove):
                    self._begin(self._keep_work(r.stream, remove, r.position))
                case FundsToppedUp(attempt):
                    self._fund(attempt)
                case CancelRequested() | InterruptRequested():
                    self._interrupt(r.stream)
                case _:
                    pass
        at = self._service.world.open_pool()
        if at.stopping is not None and all(
            isinstance(state, (slot.Stopped, slot.Failed)) and not state.card.housing.unkept
            for state in self._service.world.slots.values()
        ):
            self.stopped.set()

    def _begin(self, effect: Coroutine[Any, Any, None], slot_id: str | None = None) -> asyncio.Task[None]:
        """Start an effect; one of a slot's process is given up with that."""
        running = asyncio.create_task(effect)
        self._effects.add(running)
        running.add_done_callback(self._on_effect_done)
        if slot_id is not None:
            of_slot = self._at_work.setdefault(slot_id, set())
            of_slot.add(running)
            running.add_done_callback(of_slot.discard)
        return running

    def _on_effect_done(self, effect: asyncio.Task[None]) -> None:
        fault = None if effect.cancelled() else effect.exception()
        if fault is not None and effect in self._effects:  # nobody waits for one that was given up
            _log.error("an effect could not be recorded: %s", fault)
            if not isinstance(fault, PoolError):
                self._service.fail(
                    PoolError()
                )  # what it was to record is open for ever: rather end the owner
        self._effects.discard(effect)

    def _give_up(self, slot_id: str) -> set[asyncio.Task[None]]:
        """Let go of what the slot's process was asked for."""
        hanging = self._at_work.pop(slot_id, set())
        for effect in hanging:
            effect.cancel()
        self._effects -= hanging
        return hanging

    async def _kill(self, slot_id: str, hanging: set[asyncio.Task[None]]) -> None:
        """Kill the slot's process, and let what was asked of it clean up: for so long and no longer."""
        kill = asyncio.create_task(self._driver.kill(slot_id))
        await asyncio.wait({kill, *hanging}, timeout=_KILL_SECONDS)

    async def _killed(self, slot_id: str) -> None:
        if (kill := self._kills.pop(slot_id, None)) is not None:
            await kill

    def _on_exit(self, slot_id: str, end: ProcessEnd) -> None:
        self._begin(self._record_exit(slot_id, end, None))

    def _on_stray(self, slot_id: str, outcome: Outcome) -> None:
        why = "a turn that nobody asked for"
        charge = ledger.ChargeFunds(slot_id, outcome.cost, why, self._system.now())
        self._begin(self._record(charge, None))

    async def _record(self, command: Command, cause: int | None) -> None:
        """Have what happened recorded. A store that refuses ends the owner; see `Service.failure`."""
        await self._service.handle(command, Origin(Actor.SLOT, None, cause))

    async def _record_exit(self, slot_id: str, end: ProcessEnd, cause: int | None) -> None:
        now = self._system.now()
        command = slot.RecordProcessEnded(slot_id, end.expected, end.exit_code, end.killed, end.message, now)
        await self._record(command, cause)

    async def _launch(self, slot_id: str, number: int, session: str, cause: int) -> None:
        at = self._service.world.slots[slot_id]
        base = pool_options(self._service.world.open_pool())
        options = resolve(Options(), at.card.options, base).options
        try:
            await self._killed(slot_id)
            launched = await self._driver.launch(self._launch_of(at.card, options, number, session))
        except SlotFailure as failure:
            now = self._system.now()
            command: Command = slot.RecordLaunchFailed(slot_id, number, failure.code, failure.message, now)
        except Exception as fault:  # a fault of ours must not leave a launch open
            _log.exception("a launch failed")
            problem = f"{type(fault).__name__}: {fault}"
            command = slot.RecordLaunchFailed(slot_id, number, "internal", problem, self._system.now())
        else:
            command = slot.RecordLaunched(slot_id, number, launched.pid, launched.cli_version)
        await self._record(command, cause)

    def _launch_of(self, card: slot.Card, options: Options, number: int, session: str) -> Launch:
        cwd = options.working_dir or "/"
        told = [self._project_text(cwd), slot_introduction(card)]
        return Launch(
            slot_id=card.slot_id,
            number=number,
            session=session,
            cwd=cwd,
            model=options.model,
            effort=options.effort,
            permission_mode=options.permission_mode,
            system_prompt=options.system_prompt,
            append_system_prompt="\n\n".join(text for text in told if text) or None,
            allowed_tools=options.allowed_tools,
            disallowed_tools=options.disallowed_tools,
            tools=options.tools,
            mcp_servers=options.mcp_servers,
            json_schema=options.json_schema,
            max_turns=options.max_turns,
            fallback_model=options.fallback_model,
        )

    async def _attempt(self, slot_id: str, claimed: SlotClaimed, recorded: tuple[Recorded, ...]) -> None:
        """Run one attempt, in a new process where the claim asks for one, and record its end."""
        task_id = claimed.attempt.rpartition(".")[0]
        state = self._service.world.tasks[task_id]
        assert isinstance(state, task.Running)
        opened = next(r for r in recorded if isinstance(r.event, SessionOpened))
        number = state.live.number
        self._progress.begin(claimed.attempt)
        try:
            report = await self._run(slot_id, claimed, state, opened.event)  # type: ignore[arg-type]
        except SlotFailure as failure:
            report = _nothing(claimed, failure.code, failure.message, failure.code in _MAY_PASS)
        except Exception as fault:  # a fault of ours must not leave an attempt open
            report = _nothing(claimed, "internal", f"{type(fault).__name__}: {fault}", retryable=False)
            await self._driver.stop(slot_id)
        finally:
            self._progress.end(claimed.attempt)
        try:
            judged = _with_variables(report.outcome, state.job.spec)
            outcome = await self._with_room(lambda: self._externalised(judged))
            outcome = replace(outcome, limit=self._in_our_time(outcome.limit))
            outcome = replace(outcome, head=await self._noted(claimed.attempt, state.job.spec))
        except StoreError as error:
            self._service.fail(error)  # what came of the attempt cannot be kept: the next owner seals it
            return
        command = RecordEnd(
            task_id, number, slot_id, outcome, report.session, report.alive, report.rss_mb, self._system.now()
        )
        await self._record(command, opened.position)

    async def _noted(self, attempt: str, spec: TaskSpec) -> str:  # noqa: ARG002  # a rerun knows it by the attempt
        """The commit with what the attempt left in its chain's copy of a repository, if it ran in one."""
        part = spec.part
        return "" if part is None else await self._isolation.note(part.chain_id, part.step)

    def _in_our_time(self, limit: Limit | None) -> Limit | None:
        """The limit with its end in the pool's time rather than the wall clock's."""
        if limit is None or limit.until is None:
            return limit
        return replace(limit, until=self._system.of_wall(limit.until))

    async def _run(
        self, slot_id: str, claimed: SlotClaimed, state: task.Running, opened: SessionOpened
    ) -> TurnReport:
        world = self._service.world
        card = world.slots[slot_id].card
        spec = state.job.spec
        options = resolve(spec.options, card.options, pool_options(world.open_pool())).options
        if claimed.replaces:
            launch = self._launch_of(card, options, claimed.launch, claimed.session)
            fork = opened.mode == SessionMode.FORK.value
            await self._killed(slot_id)
            launched = await self._driver.launch(replace(launch, resume=opened.parent, fork=fork))
            await self._note_replacement(slot_id, claimed.launch, launched)
        prompt = await self._filled(spec)
        if state.job.rejections:
            prompt = compose_review(prompt, await refused_texts(self._service, self._texts, state.job))
        if state.live.resumed:
            prompt = compose_resumption(prompt)
        prompt = with_messages(await self._messages.tell(card.inbox.carried), prompt)
        if len(prompt.encode("utf-8", "replace")) > PROMPT_BYTES:
            return TurnReport(_TOO_LONG, claimed.session, alive=True)
        if state.live.context is not None:
            prompt = compose_prompt(self._service.world.open_pool().context, prompt)
        now = self._service.world.tasks.get(state.job.task_id)
        if not isinstance(now, task.Running) or now.live.cancel or now.live.interrupt is not None:
            return TurnReport(Outcome(End.INTERRUPTED), claimed.session, alive=True)
        settings = world.open_pool().settings
        turn = Turn(
            attempt=claimed.attempt,
            session=claimed.session,
            prompt=prompt,
            model=state.live.model,  # not always the one that was asked for
            effort=options.effort,
            permission_mode=options.permission_mode,
            budget=state.live.cap if state.live.cap is not None else state.live.reserved or None,
            margin=state.live.ahead,
            first_output_ms=settings.first_output_ms,
            silence_ms=settings.silence_ms,
            tool_silence_ms=settings.tool_silence_ms,
            asks=settings.question_ms > 0,
        )
        return await self._driver.run(slot_id, turn, self._on_spend)

    async def _filled(self, spec: TaskSpec) -> str:
        """The task's prompt; in a chain's step, with the outputs that its placeholders stand for."""
        prompt = await whole(self._service, self._texts, spec.prompt)
        values: dict[str, str] = {}
        for filling in spec.fillings:
            texts = [await whole(self._service, self._texts, text) for text in filling.texts]
            values[filling.placeholder] = shield_prompt(without_mentions("\n\n".join(texts)))
        return fill(prompt, values) if values else prompt

    async def _note_replacement(self, slot_id: str, number: int, launched: Launched) -> None:
        command = slot.RecordLaunched(slot_id, number, launched.pid, launched.cli_version)
        await self._record(command, None)

    def _on_spend(self, attempt: str, metered: int) -> None:
        task_id, _, number = attempt.rpartition(".")
        command = RecordSpend(task_id, int(number), metered, self._system.now())
        self._service.submit(command, Origin(Actor.SLOT))

    def _fund(self, attempt: str) -> None:
        """Let the slot know what its attempt has now."""
        state = self._service.world.tasks.get(attempt.rpartition(".")[0])
        held = self._service.world.open_pool().budget.held.get(attempt)
        if isinstance(state, task.Running) and held is not None:
            self._driver.fund(state.live.slot_id, attempt, held.amount)

    def _interrupt(self, task_id: str) -> None:
        state = self._service.world.tasks.get(task_id)
        if isinstance(state, task.Running):
            slot_id = state.live.slot_id
            self._begin(self._driver.interrupt(slot_id, task.live_attempt_id(state)), slot_id)

    async def _clear(self, slot_id: str, cause: int) -> None:
        try:
            session = await self._driver.clear(slot_id)
        except SlotFailure as failure:
            end = failure.end or ProcessEnd(None, 0, expected=False)
            await self._record_exit(slot_id, replace(end, message=failure.message), cause)
        else:
            await self._record(slot.RecordCleared(slot_id, session), cause)

    async def _stop(self, slot_id: str, cause: int) -> None:
        end = await self._driver.stop(slot_id)
        await self._record_exit(slot_id, end, cause)

    async def _make_workplace(self, slot_id: str, cause: int) -> None:
        source = pool_options(self._service.world.open_pool()).working_dir or "/"
        await self._record(await self._housing.make(slot_id, source), cause)

    async def _keep_work(self, slot_id: str, remove: bool, cause: int) -> None:
        try:
            command = await self._housing.keep(
                slot_id, remove, lambda diff: self._with_room(lambda: keep(self._service, self._texts, diff))
            )
        except StoreError as error:
            self._service.fail(error)
            return
        await self._record(command, cause)

    async def _with_room(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives, which keeps texts; on a full disk in the room that is kept for the end."""
        try:
            return await work()
        except StoreFull as error:
            if not self._service.end_in_order(error):
                raise
            return await work()

    async def _externalised(self, outcome: Outcome) -> Outcome:
        """The outcome with long texts in files, which must be durable before the event that names them."""
        output = await keep(self._service, self._texts, outcome.output.inline or "")
        structured = outcome.structured_output
        if structured is not None:
            structured = await keep(self._service, self._texts, structured.inline or "")
        variables = tuple(
            [
                (name, await keep(self._service, self._texts, text.inline or ""))
                for name, text in outcome.variables
            ]
        )
        return replace(outcome, output=output, structured_output=structured, variables=variables)


def _with_variables(outcome: Outcome, spec: TaskSpec) -> Outcome:
    """The outcome with the values that the task's `output_vars` name; a failure where one is missing."""
    if not spec.output_vars or outcome.end is not End.SUCCEEDED:
        return outcome
    structured = outcome.structured_output
    try:
        found = extract(
            outcome.output.inline or "",
            None if structured is None else structured.inline or "",
            spec.output_vars,
        )
    except NoSuchValue as missing:
        return replace(outcome, end=End.FAILED, code="schema_mismatch", message=f"{missing}.")
    return replace(outcome, variables=tuple((name, Text(value)) for name, value in found))


def _nothing(claimed: SlotClaimed, code: str, message: str, retryable: bool) -> TurnReport:
    outcome = Outcome(End.FAILED, code, message, retryable, Text())
    return TurnReport(outcome, claimed.session, alive=False)
