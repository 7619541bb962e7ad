"""One attempt as an effect: its prompt is put together, its turn is run, and its end is recorded with all
that came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from claude_pool.domain import task
from claude_pool.domain.attempts import RecordEnd, RecordSpend
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.errors import StoreError
from claude_pool.domain.inbox import Message
from claude_pool.domain.options import resolve
from claude_pool.domain.ports import SlotDriver, SlotFailure, Turn, TurnReport
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.slot_events import SlotClaimed
from claude_pool.domain.task_events import SessionOpened
from claude_pool.domain.templates import fill
from claude_pool.domain.values import End, Limit, Options, Outcome, Part, TaskSpec, Text

from .claude.neutralise import shield_prompt, without_mentions
from .effects import Effects
from .message_block import with_messages
from .messages import Messages
from .origins import Origin
from .processes import Processes
from .progress import Progress
from .prompting import compose_prompt, compose_resumption, compose_review
from .requests import PROMPT_BYTES
from .reviews import refused_texts
from .service import Service
from .store.blobs import Texts
from .system import System
from .texts import keep, whole, with_room
from .variables import NoSuchValue, extract

_TOO_LONG = Outcome(
    End.FAILED,
    "prompt_too_long",
    "With the outputs of earlier steps the prompt is longer than a task can carry.",
)

_MAY_PASS = ("slot_failed", "timed_out_start")
"""Codes of a process that could not be started, or was lost, after which another one may do better."""

Note = Callable[[str, Part], Awaitable[str]]
"""The commit with what an attempt at a chain's step left, or ""."""


class Attempts:
    """Runs attempts on slots."""

    def __init__(
        self,
        service: Service,
        driver: SlotDriver,
        effects: Effects,
        processes: Processes,
        texts: Texts,
        system: System,
        messages: Messages,
        progress: Progress,
        note: Note,
    ) -> None:
        """`texts` keeps outputs; `note` is asked what an attempt left in its chain's copy of a repository."""
        self._service = service
        self._driver = driver
        self._effects = effects
        self._processes = processes
        self._texts = texts
        self._system = system
        self._messages = messages
        self._progress = progress
        self._note = note

    async def run(self, slot_id: str, claimed: SlotClaimed, append: tuple[Recorded, ...]) -> None:
        """Run one attempt, in a new process where the claim asks for one, and record its end."""
        task_id = claimed.attempt.rpartition(".")[0]
        state = self._service.world.tasks[task_id]
        assert isinstance(state, task.Running)
        opened = next(r for r in append if isinstance(r.event, SessionOpened))
        number = state.live.number
        self._progress.begin(claimed.attempt)
        try:
            report = await self._report(slot_id, claimed, state, opened.event)  # type: ignore[arg-type]
        except SlotFailure as failure:
            report = _nothing(claimed, failure.code, failure.message, failure.code in _MAY_PASS)
        except Exception as fault:  # a fault of ours must not leave an attempt open
            report = _nothing(claimed, "internal", f"{type(fault).__name__}: {fault}", retryable=False)
            await self._driver.stop(slot_id)
        finally:
            self._progress.end(claimed.attempt)
        try:
            outcome = await self._kept(claimed.attempt, report.outcome, state.job.spec)
        except StoreError as error:
            self._service.fail(error)  # what came of the attempt cannot be kept: the next owner seals it
            return
        command = RecordEnd(
            task_id, number, slot_id, outcome, report.session, report.alive, report.rss_mb, self._system.now()
        )
        await self._effects.record(command, opened.position)

    def fund(self, attempt: str) -> None:
        """Let the slot know what its attempt has now."""
        state = self._service.world.tasks.get(attempt.rpartition(".")[0])
        held = self._service.world.open_pool().budget.held.get(attempt)
        if isinstance(state, task.Running) and held is not None:
            self._driver.fund(state.live.slot_id, attempt, held.amount)

    def interrupt(self, task_id: str) -> None:
        """Stop what runs of a task, if anything does."""
        state = self._service.world.tasks.get(task_id)
        if isinstance(state, task.Running):
            slot_id = state.live.slot_id
            self._effects.begin(self._driver.interrupt(slot_id, task.live_attempt_id(state)), slot_id)

    # ---------------------------------------------------------------- its turn

    async def _report(
        self, slot_id: str, claimed: SlotClaimed, state: task.Running, opened: SessionOpened
    ) -> TurnReport:
        world = self._service.world
        card = world.slots[slot_id].card
        options = resolve(state.job.spec.options, card.options, pool_options(world.open_pool())).options
        if claimed.replaces:
            await self._processes.replace(slot_id, claimed, opened, options)
        prompt = await self._prompt(state, card.inbox.carried)
        if len(prompt.encode("utf-8", "replace")) > PROMPT_BYTES:
            return TurnReport(_TOO_LONG, claimed.session, alive=True)
        if state.live.context is not None:
            prompt = compose_prompt(self._service.world.open_pool().context, prompt)
        now = self._service.world.tasks.get(state.job.task_id)
        if not isinstance(now, task.Running) or now.live.cancel or now.live.interrupt is not None:
            return TurnReport(Outcome(End.INTERRUPTED), claimed.session, alive=True)
        return await self._driver.run(slot_id, self._turn(claimed, state, options, prompt), self._on_spend)

    async def _prompt(self, state: task.Running, messages: tuple[Message, ...]) -> str:
        """What the slot is asked, but for the shared context."""
        prompt = await self._filled(state.job.spec)
        if state.job.rejections:
            prompt = compose_review(prompt, await refused_texts(self._service, self._texts, state.job))
        if state.live.resumed:
            prompt = compose_resumption(prompt)
        return with_messages(await self._messages.tell(messages), prompt)

    async def _filled(self, spec: TaskSpec) -> str:
        """The task's prompt; in a chain's step, with the outputs that its placeholders stand for."""
        prompt = await whole(self._service, self._texts, spec.prompt)
        values: dict[str, str] = {}
        for filling in spec.fillings:
            texts = [await whole(self._service, self._texts, text) for text in filling.texts]
            values[filling.placeholder] = shield_prompt(without_mentions("\n\n".join(texts)))
        return fill(prompt, values) if values else prompt

    def _turn(self, claimed: SlotClaimed, state: task.Running, options: Options, prompt: str) -> Turn:
        settings = self._service.world.open_pool().settings
        return Turn(
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

    def _on_spend(self, attempt: str, metered: int) -> None:
        task_id, _, number = attempt.rpartition(".")
        command = RecordSpend(task_id, int(number), metered, self._system.now())
        self._service.submit(command, Origin(Actor.SLOT))

    # ---------------------------------------------------------------- what came of it

    async def _kept(self, attempt: str, outcome: Outcome, spec: TaskSpec) -> Outcome:
        """The outcome as it is recorded: everything that it names is durable."""
        judged = _with_variables(outcome, spec)
        outcome = await with_room(self._service, lambda: self._externalised(judged))
        head = "" if spec.part is None else await self._note(attempt, spec.part)
        return replace(outcome, limit=self._in_our_time(outcome.limit), head=head)

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

    def _in_our_time(self, limit: Limit | None) -> Limit | None:
        """The limit with its end in the pool's time rather than the wall clock's."""
        if limit is None or limit.until is None:
            return limit
        return replace(limit, until=self._system.of_wall(limit.until))


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
