"""One warm slot: a CLI process, the conversation it holds, and at most one turn at a time."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from claude_pool.domain.ports import Launch, ProcessEnd, SlotFailure, Turn, TurnReport
from claude_pool.domain.prices import PriceList
from claude_pool.domain.values import Denial, End, Outcome, Text, Tokens, is_session_id

from . import tree
from .argv import DEFAULT_PERMISSION_MODE, check_effort, check_model, check_permission_mode
from .controls import ControlRefused, Controls
from .meter import CliAccounts, Meter, settle
from .neutralise import shield_prompt
from .outcome import Evidence, Failure, judge
from .process import SlotProcess, Spawn, first_of
from .stream import Message, parse, strings, text
from .transcript import TranscriptFile
from .turn import Patience, RunningTurn, answers, prompt_line

_CONTROL_SECONDS = 10.0
_LADDER_SECONDS = 2.0
_GARBAGE_LINES = 100
_GARBAGE_BYTES = 2**20
_TURN_KINDS = ("stream_event", "assistant", "result")


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """Bounds of a slot: seconds for its start, a `/clear`, its exit and a tool's silence; bytes a turn."""

    start_seconds: float = 30.0
    clear_seconds: float = 2.0
    exit_seconds: float = 3.0
    tool_silence_seconds: float = 660.0
    output_bytes: int = 64 * 2**20


class WarmSlot:
    """The process of one launch. `session` is the conversation that its next prompt would continue."""

    def __init__(
        self,
        launch: Launch,
        spawn: Spawn,
        transcripts: Path,
        prices: PriceList,
        limits: SlotLimits,
        on_stray: Callable[[Outcome], None],
    ) -> None:
        """Nothing runs before `start`. `on_stray` is told what turns cost that nobody asked for."""
        self.launch = launch
        self.session = launch.session if launch.resume is None or launch.fork else launch.resume
        self.version = "unknown"
        self.process = SlotProcess(spawn, self._on_line, self._on_flood)
        self._controls = Controls(self.process.write, self._on_denial)
        self._between = TranscriptFile(transcripts / f"{launch.slot_id}.jsonl", fresh=False)
        self._transcripts = transcripts
        self._prices = prices
        self._limits = limits
        self._on_stray = on_stray
        self._accounts = CliAccounts(resumed=launch.resume is not None)
        self._capabilities: tuple[str, ...] = ()
        self._settings = _Settings(launch.model, launch.effort, launch.permission_mode)
        self._launched_settings = self._settings
        self._turn: RunningTurn | None = None
        self._clearing: tuple[str, asyncio.Future[Message]] | None = None
        self._stray: _Stray | None = None
        self._turn_bytes = 0
        self._broken = False
        self._garbage = [0, 0]
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start the process and wait until it answers.

        Raises:
            SlotFailure: it did not; nothing of it is left.
        """
        self.process.ended.add_done_callback(lambda _: self._on_ended())
        await self.process.start()
        try:
            about = await self._controls.ask("initialize", self._limits.start_seconds, hooks=None)
        except ControlRefused as refused:
            end = await self._kill(expected=True)
            said = end.message or str(refused)
            if "No conversation found" in said:
                raise SlotFailure("session_not_found", said, end) from refused
            raise SlotFailure(
                "timed_out_start" if refused.unanswered else "slot_failed", said, end
            ) from refused
        self.version = text(about, "claude_code_version") or "unknown"
        self._capabilities = strings(about, "capabilities")

    @property
    def attempt(self) -> str | None:
        """The attempt that runs now."""
        return self._turn.turn.attempt if self._turn is not None else None

    async def run(self, turn: Turn, on_budget: Callable[[str], None]) -> TurnReport:
        """Send one prompt and see it to its end. See the port."""
        try:
            transcript = TranscriptFile(self._transcripts / f"{turn.attempt}.jsonl", fresh=True)
        except OSError as error:
            failure = _disk_failure(error)
            outcome = Outcome(End.FAILED, failure.code, failure.message, failure.retryable)
            return TurnReport(outcome, self.session, not self.process.ended.done())
        patience = Patience(
            turn.first_output_ms / 1000, turn.silence_ms / 1000, self._limits.tool_silence_seconds
        )
        running = RunningTurn(turn, transcript, self._prices, patience, on_budget)
        self._turn, self._turn_bytes = running, 0
        try:
            await self._end_stray()
            await self._adjust(running)
            if not running.done.done() and not self.process.ended.done():
                running.mark_sent()
                self.process.write(prompt_line(shield_prompt(turn.prompt), running.uuid))
                await self._watch(running)
            return await self._report(running)
        finally:
            self._turn = None
            transcript.close()

    async def interrupt(self, attempt: str) -> None:
        """Stop the turn of `attempt`, by the ladder; see the port."""
        running = self._turn
        if running is not None and running.turn.attempt == attempt and not running.done.done():
            running.interrupted = True
            await self._make_stop(running)

    async def clear(self) -> str:
        """Begin an empty conversation; its id. Raises `SlotFailure` as the port says."""
        uuid = str(uuid4())
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._clearing = (uuid, answer)
        try:
            self.process.write(prompt_line("/clear", uuid))
            await first_of(answer, self.process.ended, timeout=self._limits.clear_seconds)
        finally:
            self._clearing = None
        session = text(answer.result(), "session_id") if answer.done() else ""
        if not is_session_id(session) or session == self.session:
            end = await self._kill(expected=False)
            problem = "gave no new conversation" if answer.done() else "did not answer in time"
            raise SlotFailure("slot_failed", f"The slot {problem} when it was cleared.", end)
        self.session = session
        return session

    async def stop(self) -> ProcessEnd:
        """End the process, kindly while it obeys; returns when its tree is verified empty."""
        self.process.expected = True
        if self._turn is not None and not self._turn.done.done():
            self._turn.interrupted = True
            await self._make_stop(self._turn)
        for act, seconds in (
            (self.process.close_stdin, self._limits.exit_seconds),
            (self.process.terminate, _LADDER_SECONDS),
        ):
            if not self.process.ended.done():
                act()
                await first_of(self.process.ended, timeout=seconds)
        return await self._kill(expected=True)

    async def kill(self) -> ProcessEnd:
        """End the process at once; returns when its tree is verified empty."""
        return await self._kill(expected=True)

    # ------------------------------------------------------------------ one turn

    async def _adjust(self, running: RunningTurn) -> None:
        """Bring model, effort and permission mode to what the turn asks; a refusal fails the turn."""
        base, turn = self._launched_settings, running.turn
        wanted = _Settings(
            turn.model or base.model, turn.effort or base.effort, turn.permission_mode or base.permission_mode
        )
        has = self._settings
        try:
            check_model("model", wanted.model)
            check_effort(wanted.effort)
            check_permission_mode(wanted.permission_mode)
            if wanted.model != has.model:
                await self._controls.ask("set_model", _CONTROL_SECONDS, model=wanted.model)
            if wanted.effort != has.effort:
                settings = {"effortLevel": wanted.effort}
                await self._controls.ask("apply_flag_settings", _CONTROL_SECONDS, settings=settings)
            if wanted.permission_mode != has.permission_mode:
                mode = wanted.permission_mode or DEFAULT_PERMISSION_MODE
                await self._controls.ask("set_permission_mode", _CONTROL_SECONDS, mode=mode)
            self._settings = wanted
        except (ControlRefused, SlotFailure) as refused:
            if isinstance(refused, ControlRefused) and refused.unanswered:
                self._break(Failure("slot_failed", f"The slot hangs: {refused}."))
            elif not self.process.ended.done():
                running.fail(Failure("invalid_argument", str(refused), retryable=False))
            running.end(None)

    async def _watch(self, running: RunningTurn) -> None:
        """Wait for the turn's end, and make one where the slot is silent for too long."""
        while not running.done.done() and not self.process.ended.done():
            left, failure = running.patience_left()
            if left <= 0:
                self._break(failure)
                return
            await first_of(running.done, self.process.ended, timeout=left)

    async def _make_stop(self, running: RunningTurn) -> None:
        """Ask for the turn's end ever less kindly until it is there; at most 8 s."""
        if not running.sent:
            running.end(None)
        for act in (self._ask_to_stop, self._signal_to_stop, self._terminate):
            if running.done.done() or self.process.ended.done():
                return
            act(running)
            await first_of(running.done, self.process.ended, timeout=_LADDER_SECONDS)
        if not running.done.done() and not self.process.ended.done():
            await self._kill(expected=True)

    def _ask_to_stop(self, running: RunningTurn) -> None:  # noqa: ARG002
        self._controls.send("interrupt")

    def _signal_to_stop(self, running: RunningTurn) -> None:
        running.broken = True
        self.process.interrupt()

    def _terminate(self, running: RunningTurn) -> None:
        running.broken = True
        self.process.close_stdin()
        self.process.terminate()

    async def _report(self, running: RunningTurn) -> TurnReport:
        """The turn's outcome, once its evidence is on the disk and its left-overs are gone."""
        result = running.done.result() if running.done.done() else None
        if running.broken:
            await self._kill(expected=True)
        alive = not self.process.ended.done()
        if alive and running.sent:
            await self.process.sweep_orphans()
        end = None if alive else await self.process.ended
        try:
            await asyncio.to_thread(running.transcript.sync)
        except OSError as error:
            running.fail(_disk_failure(error))
        verdict = judge(
            Evidence(
                result=result,
                api_error=running.api_error,
                interrupted=running.interrupted,
                failure=running.failure,
                schema_asked=self.launch.json_schema is not None,
                exited=end is not None,
                exit_code=end.exit_code if end is not None else None,
                stderr=end.message if end is not None else "",
            )
        )
        settled = settle(running.meter, running.account, cut_off=result is None or running.interrupted)
        outcome = Outcome(
            verdict.end,
            verdict.code,
            verdict.message,
            verdict.retryable,
            _text(verdict.output),
            _text(verdict.structured_output) if verdict.structured_output is not None else None,
            verdict.turns,
            running.meter.model,
            settled.cost,
            settled.estimated,
            settled.tokens,
            running.denials,
            running.transcript.evidence(),
        )
        rss = tree.resident_mb(self.process.pid, self.process.start_ticks) if alive else 0
        return TurnReport(outcome, self.session, alive, rss)

    # ------------------------------------------------------------------ lines

    def _on_line(self, line: bytes) -> None:
        if self._broken:
            return
        running = self._turn if self._turn is not None and not self._turn.done.done() else None
        try:
            (running.transcript if running is not None else self._between).append(line)
        except OSError as error:
            self._break(_disk_failure(error))
            return
        if running is not None:
            running.hear()
            self._turn_bytes += len(line) + 1
            if self._turn_bytes > self._limits.output_bytes:
                limit = f"{self._limits.output_bytes} bytes"
                self._break(Failure("output_limit", f"The turn printed more than {limit}.", retryable=False))
                return
        message = parse(line)
        if message is None:
            self._on_garbage(line)
        elif not self._controls.take(message):
            self._on_message(message, running)

    def _on_message(self, message: Message, running: RunningTurn | None) -> None:
        kind, subtype = text(message, "type"), text(message, "subtype")
        if kind == "system" and subtype == "init":
            self._capabilities = strings(message, "capabilities")
            self.version = text(message, "claude_code_version") or self.version
        if running is not None:
            running.take(message, self._accounts, self._capabilities)
            if kind == "result" and running.done.done() and is_session_id(text(message, "session_id")):
                self.session = text(message, "session_id")
            if running.failure is not None and not running.done.done():
                self._begin(self._make_stop(running))
        elif self._clearing is not None:
            self._on_clearing(message, *self._clearing)
        elif self._stray is not None or (kind, subtype) == ("system", "init") or kind in _TURN_KINDS:
            self._on_unasked(message)

    def _on_clearing(self, message: Message, uuid: str, answer: asyncio.Future[Message]) -> None:
        if text(message, "type") == "result":
            self._accounts.take(message)
            if answers(message, uuid, self._capabilities) and not answer.done():
                answer.set_result(message)

    def _on_unasked(self, message: Message) -> None:
        """A turn that nobody asked for: another process's message, or work that finished behind our back."""
        if self._stray is None:
            self._stray = _Stray(Meter(self._prices), asyncio.get_running_loop().create_future())
            self._controls.send("interrupt")
            self._begin(self._end_stray())
        stray = self._stray
        stray.take(message)
        if text(message, "type") == "result":
            settled = settle(stray.meter, self._accounts.take(message), cut_off=True)
            self._stray = None
            stray.over.set_result(None)
            self._on_stray(stray.outcome(settled.cost, settled.tokens))

    async def _end_stray(self) -> None:
        """Wait until no unasked turn runs; a slot that does not let go of it is ended."""
        stray = self._stray
        if stray is None:
            return
        await first_of(stray.over, self.process.ended, timeout=_LADDER_SECONDS)
        if stray.over.done() or self._stray is not stray:
            return
        self._stray = None
        if stray.spoke:
            await self._kill(expected=False)

    def _on_garbage(self, line: bytes) -> None:
        if not line.strip():
            return
        self._garbage[0] += 1
        self._garbage[1] += len(line)
        if self._garbage[0] > _GARBAGE_LINES or self._garbage[1] > _GARBAGE_BYTES:
            self._break(Failure("slot_failed", f"The slot does not speak the protocol: {line[:200]!r}"))

    def _on_flood(self) -> None:
        self._break(Failure("output_limit", "The slot printed a line that is too long.", retryable=False))

    def _on_denial(self, tool_use: str, denial: Denial) -> None:
        if self._turn is not None:
            self._turn.deny(tool_use, denial)

    def _on_ended(self) -> None:
        self._controls.close()
        self._between.close()
        if self._turn is not None:
            self._turn.end(None)

    # ------------------------------------------------------------------ ends

    def _break(self, failure: Failure) -> None:
        """The slot cannot be trusted any more: end it, and the turn with it."""
        if not self._broken:
            self._broken = True
            if self._turn is not None:
                self._turn.fail(failure)
                self._turn.broken = True
                self._turn.end(None)
            self._begin(self._kill(expected=self._turn is not None))

    async def _kill(self, *, expected: bool) -> ProcessEnd:
        self.process.expected = self.process.expected or expected
        return await self.process.kill()

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True, slots=True)
class _Settings:
    """What can change while the process lives; None is the CLI's own default."""

    model: str | None
    effort: str | None
    permission_mode: str | None


@dataclass(slots=True)
class _Stray:
    """A turn that nobody asked for, while it lasts."""

    meter: Meter
    over: asyncio.Future[None]
    spoke: bool = False

    def take(self, message: Message) -> None:
        self.spoke = self.spoke or text(message, "type") in _TURN_KINDS
        self.meter.take(message)

    def outcome(self, cost: int, tokens: Tokens) -> Outcome:
        reason = "A turn that this pool did not start was interrupted."
        return Outcome(
            End.INTERRUPTED,
            "interrupted",
            reason,
            model=self.meter.model,
            cost=cost,
            estimated=True,
            tokens=tokens,
        )


def _text(value: str) -> Text:
    return Text(inline=value, size=len(value.encode()))


def _disk_failure(error: OSError) -> Failure:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Failure(
        "store_full" if full else "internal", f"The transcript could not be written: {error}.", False
    )
