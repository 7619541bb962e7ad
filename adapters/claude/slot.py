"""One warm slot: a CLI process, the conversation it holds, and at most one turn at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from claude_pool.domain.errors import WrongState
from claude_pool.domain.ports import SLOT_SERVER, Launch, ProcessEnd, SlotFailure, Turn, TurnReport
from claude_pool.domain.prices import PriceList
from claude_pool.domain.values import Denial, End, Outcome, is_session_id

from . import tree
from .accounts import CliAccounts
from .adjust import InProcessSettings
from .controls import ControlRefused, Controls
from .ladder import Ladder, over
from .neutralise import shield_prompt
from .outcome import Failure, disk_failure, start_problem
from .permissions import Permissions
from .process import Spawn, first_of
from .slot_server import SlotServer
from .slot_terms import Listeners, Seams, SlotLimits
from .strays import Strays
from .stream import Babble, Message, parse, strings, text
from .transcript import TranscriptFile, open_between
from .turn import Patience, RunningTurn, answers, outcome_of, prompt_line

_WORLD = Seams()


class WarmSlot:
    """The process of one launch. `session` is the conversation that its next prompt would continue.

    `busy` says that somebody waits for this slot and learns of its process's end that way.
    """

    def __init__(
        self,
        launch: Launch,
        spawn: Spawn,
        transcripts: Path,
        prices: PriceList,
        limits: SlotLimits,
        listeners: Listeners,
        seams: Seams = _WORLD,
    ) -> None:
        """Nothing runs before `start`.

        Raises:
            OSError: the slot's own transcript cannot be opened.
        """
        self.launch = launch
        self.session = launch.session if launch.resume is None or launch.fork else launch.resume
        self.version = ""
        self.busy = False
        self.process = seams.process(spawn, self._on_line, self._on_flood, self._on_crowd)
        self._seams = seams
        self._listeners = listeners
        self._server = SlotServer(
            self._use_tool, lambda request_id, body: self._controls.reply(request_id, body)
        )
        self._controls = Controls(
            self.process.write, self._on_permission, self._on_withdrawal, self._server.take
        )
        self._ladder = Ladder(self.process, self._controls, self._server)
        self._permissions = Permissions(
            self._controls.reply, self._on_denial, listeners.question, self.process.redacting.input_of
        )
        self._settings = InProcessSettings(launch, prices)
        self._accounts = CliAccounts(resumed=launch.resume is not None)
        self._strays = Strays(prices, lambda: self._controls.send("interrupt"), listeners.stray)
        self._between = open_between(transcripts / f"{launch.slot_id}.jsonl")
        self._transcripts = transcripts
        self._prices = prices
        self._limits = limits
        self._capabilities: tuple[str, ...] = ()
        self._context = 0
        self._turn: RunningTurn | None = None
        self._clearing: tuple[str, asyncio.Future[Message]] | None = None
        self._started = False
        self._broken = False
        self._babble = Babble()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start the process and wait until it answers.

        Raises:
            SlotFailure: it did not; nothing of it is left.
        """
        self.busy = True
        try:
            self.process.ended.add_done_callback(lambda _: self._on_ended())
            await self.process.start(self._limits.start_seconds)
            about = await self._controls.ask(
                "initialize", self._limits.start_seconds, hooks=None, sdkMcpServers=[SLOT_SERVER]
            )
        except ControlRefused as refused:
            end = await self._kill()
            said = end.message or str(refused)
            code = "timed_out_start" if refused.unanswered else start_problem(said)
            raise SlotFailure(code, said, end) from refused
        finally:
            self.busy = False
        self._started = True
        self.version = text(about, "claude_code_version") or self.version
        self._capabilities = strings(about, "capabilities")

    async def run(self, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """Send one prompt and see it to its end; see the port."""
        try:
            transcript = TranscriptFile(self._transcripts / f"{turn.attempt}.jsonl", fresh=True)
        except OSError as error:
            failure = disk_failure(error)
            outcome = Outcome(End.FAILED, failure.code, failure.message, failure.retryable)
            return TurnReport(outcome, self.session, not self.process.ended.done())
        patience = Patience(turn.first_output_ms / 1000, turn.silence_ms / 1000, turn.tool_silence_ms / 1000)
        self.busy = True
        self._turn = running = RunningTurn(
            turn, transcript, self._prices, patience, on_spend, self._context, self._seams.name()
        )
        try:
            if turn.session not in ("", self.session):
                problem = f"The slot holds conversation {self.session} and not {turn.session}."
                self.give_up(Failure("slot_failed", problem))
            await self._await_strays()
            await self._adjust(running)
            await self._await_strays()  # one may have begun meanwhile
            if not over(running, self.process):
                running.mark_sent()
                self.process.watch()
                self.process.write(prompt_line(shield_prompt(turn.prompt), running.uuid))
                await self._watch(running)
            return await self._report(running)
        finally:
            self._permissions.close()
            self._turn = None
            self.busy = False
            self._server.cancel()
            transcript.close()

    def fund(self, attempt: str, budget: int) -> None:
        """Set the budget of the turn of `attempt`; see the port."""
        running = self._turn
        if running is not None and running.turn.attempt == attempt and not over(running, self.process):
            running.fund(budget)

    async def interrupt(self, attempt: str) -> None:
        """Stop the turn of `attempt` by the ladder; see the port."""
        running = self._turn
        if running is not None and running.turn.attempt == attempt and not over(running, self.process):
            running.interrupted = True
            await self._ladder.end_turn(running)

    async def clear(self) -> str:
        """Begin an empty conversation; its id. Raises `SlotFailure` as the port says."""
        uuid = self._seams.name()
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.busy = True
        self._clearing = (uuid, answer)
        try:
            self.process.write(prompt_line("/clear", uuid))
            await first_of(answer, self.process.ended, timeout=self._limits.clear_seconds)
            session = text(answer.result(), "session_id") if answer.done() else ""
            if not is_session_id(session) or session == self.session:
                end = await self._kill()
                problem = "kept its conversation" if answer.done() else "did not answer in time"
                raise SlotFailure("slot_failed", f"The slot {problem} when it was cleared.", end)
        finally:
            self._clearing = None
            self.busy = False
        self.session = session
        self._context = 0
        return session

    async def stop(self) -> ProcessEnd:
        """End the process, kindly while it obeys; returns when its tree is verified empty."""
        self.process.expected = True
        if self._turn is not None and not over(self._turn, self.process):
            self._turn.interrupted = True
            await self._ladder.end_turn(self._turn)
        await self._ladder.end_process(self._limits.exit_seconds)
        return await self._kill()

    async def kill(self) -> ProcessEnd:
        """End the process at once; returns when its tree is verified empty."""
        self.process.expected = True
        return await self._kill()

    # ---------------------------------------------------------------- one turn

    async def _adjust(self, running: RunningTurn) -> None:
        """Bring the process to the turn's settings; a refusal fails the turn."""
        if over(running, self.process):
            return
        try:
            await self._settings.apply(
                running.turn, self._controls, lambda model: self._on_check(running, model)
            )
        except SlotFailure as refused:
            running.fail(Failure(refused.code, refused.message, retryable=False))
            running.end(None)
        except ControlRefused as refused:
            if refused.unanswered:
                self.give_up(Failure("slot_failed", f"The slot hangs: {refused}."))
            elif not self.process.ended.done():
                running.fail(Failure("invalid_argument", f"{refused}.", retryable=False))
            running.end(None)

    def _on_check(self, running: RunningTurn, model: str) -> None:
        if self.version:  # older CLIs ask nobody about a model, and do not tell their version
            running.meter.check(model)

    async def _watch(self, running: RunningTurn) -> None:
        """Wait for the turn's end, and make one where the slot is silent for too long."""
        while not over(running, self.process):
            left, failure = running.patience_left()
            if left <= 0:
                self.give_up(failure)
                return
            # The bound may shrink meanwhile, so it is looked at again after the shortest one.
            wait = min(left, running.turn.silence_ms / 1000)
            began = time.monotonic()
            await first_of(running.done, self.process.ended, timeout=wait)
            running.forgive(time.monotonic() - began - wait)

    async def _report(self, running: RunningTurn) -> TurnReport:
        """The turn's outcome, once its evidence is on the disk and its left-overs are gone."""
        await asyncio.gather(self._make_durable(running), self._clean_up(running))
        alive = not self.process.ended.done()
        end = None if alive else self.process.ended.result()
        schema_asked = self.launch.json_schema is not None
        outcome = outcome_of(running, end, schema_asked=schema_asked, now=self._seams.now())
        self._context = outcome.context or self._context
        rss = tree.resident_mb(self.process.pid, self.process.start_ticks) if alive else 0
        return TurnReport(outcome, self.session, alive, rss)

    async def _make_durable(self, running: RunningTurn) -> None:
        try:
            await asyncio.to_thread(running.transcript.sync)
        except OSError as error:
            running.fail(disk_failure(error))

    async def _clean_up(self, running: RunningTurn) -> None:
        if running.spent:
            await self._kill()
        elif running.sent:
            await self.process.sweep_orphans()

    # ---------------------------------------------------------------- lines

    def _on_line(self, line: bytes) -> None:
        if self._broken:
            return
        running = self._turn if self._turn is not None and not self._turn.done.done() else None
        try:
            (running.transcript if running is not None else self._between).append(line)
        except OSError as error:
            self.give_up(disk_failure(error))
            return
        message = parse(line)
        if running is not None:
            running.hear(message)
            if running.transcript.length > self._limits.output_bytes:
                problem = f"The turn printed more than {self._limits.output_bytes} bytes."
                self.give_up(Failure("output_limit", problem, retryable=False))
                return
        if message is None:
            if self._babble.too_much(line):
                problem = f"The slot does not speak the protocol: {line[:200]!r}"
                self.give_up(Failure("slot_failed", problem))
        elif not self._controls.take(message):
            try:
                self._on_message(message, running)
            except Exception as fault:  # a fault of ours must not leave a turn that nobody ends
                self.give_up(Failure("internal", f"{type(fault).__name__}: {fault}", retryable=False))

    def _on_message(self, message: Message, running: RunningTurn | None) -> None:
        kind = text(message, "type")
        if kind == "system" and text(message, "subtype") == "init":
            self._capabilities = strings(message, "capabilities")
            self.version = text(message, "claude_code_version") or self.version
            self._settings.note_model(text(message, "model"))
        account = self._accounts.take(message) if kind == "result" else None
        if running is not None and running.sent:  # before that, what is said is nobody's answer to us
            running.take(message, account, self._capabilities)
            if running.spoken.take(message):
                self._listeners.words(running.turn.attempt, running.spoken.tail)
            if running.done.done() and is_session_id(text(message, "session_id")):
                self.session = text(message, "session_id")
            elif running.failure is not None and not running.stopping:
                running.stopping = True
                self._begin(self._ladder.end_turn(running))
            elif running.rejected is not None and not running.waiting:
                running.waiting = True
                self._begin(self._ladder.end_rejected(running))
        elif self._clearing is not None:
            uuid, answer = self._clearing
            if kind == "result" and answers(message, uuid, self._capabilities) and not answer.done():
                answer.set_result(message)
        elif self._strays.present:
            self._strays.take(message, account)
        elif self._started and self._strays.begins(message):
            self._strays.take(message, account)
            self._begin(self._await_strays())

    async def _await_strays(self) -> None:
        if not await self._strays.gone(self.process.ended):
            self.give_up(Failure("slot_failed", "The slot did not stop a turn that nobody asked for."))

    def _on_flood(self) -> None:
        self.give_up(Failure("output_limit", "The slot printed a line that is too long.", retryable=False))

    def _on_crowd(self) -> None:
        problem = f"The slot had more than {self._limits.processes} processes at once, and was ended."
        self.give_up(Failure("slot_failed", problem, retryable=False))

    def _on_permission(self, request_id: str, request: Message) -> None:
        running = self._turn if self._turn is not None and not over(self._turn, self.process) else None
        self._permissions.take(request_id, request, running)

    def _on_withdrawal(self, request_id: str) -> None:
        self._permissions.withdraw(request_id)

    def _on_denial(self, tool_use: str, denial: Denial) -> None:
        if self._turn is not None:
            self._turn.deny(tool_use, denial)

    async def _use_tool(self, name: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
        if self._turn is None or over(self._turn, self.process):
            raise WrongState(subject=self.launch.slot_id, state="idle", problem="it has no task to act for")
        return await self._listeners.tool(self._turn.turn.attempt, name, arguments)

    def _on_ended(self) -> None:
        self._controls.close()
        self._server.cancel()
        self._between.close()
        if self._turn is not None:
            self._turn.end(None)

    # ---------------------------------------------------------------- ends

    def give_up(self, failure: Failure) -> None:
        """The slot cannot be trusted any more: end it, and the turn with it, which fails like this."""
        if self._broken:
            return
        self._broken = True
        if self._turn is not None:
            self._turn.fail(failure)
            self._turn.spent = True
            self._turn.end(None)
        self._begin(self._kill())

    async def _kill(self) -> ProcessEnd:
        return await self.process.kill()

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
