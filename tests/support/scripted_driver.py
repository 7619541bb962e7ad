"""A `SlotDriver` without processes: a function answers the turns. It keeps the port's contract.

A test says how turns go (`script`), which launches and clears fail, and when a process dies. It sees what
was launched, which prompts came, and what each conversation holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from claude_pool.domain.ports import (
    Ask,
    Launch,
    Launched,
    Leave,
    ProcessEnd,
    SlotFailure,
    SlotTool,
    Turn,
    TurnReport,
)
from claude_pool.domain.spending import SpendWatch
from claude_pool.domain.values import End, Outcome, Text, Tokens


@dataclass
class LiveTurn:
    """A turn as its script sees it: the prompt, where it runs, and what the conversation held before."""

    slot_id: str
    launch: Launch
    turn: Turn
    earlier: tuple[str, ...]
    on_spend: Callable[[str, int], None]
    tools: Sequence[SlotTool] = ()
    listeners: Sequence[Callable[[str, str], None]] = ()
    put: Callable[[Ask], Awaitable[Leave]] | None = None
    spent: int = 0

    def __post_init__(self) -> None:
        """Nothing was spent."""
        self._watch = SpendWatch(self.turn.budget, self.turn.margin)

    async def ask(self, tool: str, given: str = "{}", request_id: str = "r1") -> Leave:
        """Ask whether `tool` may be used with `given` (JSON text); a turn that may not ask is told no."""
        if not self.turn.asks or self.put is None:
            return Leave(False, "nobody is asked")
        return await self.put(Ask(self.turn.attempt, request_id, tool, given, f"{tool}: {given[:80]}"))

    @property
    def prompt(self) -> str:
        """The whole prompt."""
        return self.turn.prompt

    def say(self, text: str) -> None:
        """`text` is the end of what was said so far."""
        for listener in self.listeners:
            listener(self.turn.attempt, text)

    async def use(self, tool: str, **arguments: object) -> Mapping[str, object]:
        """Call one of the slot's own tools.

        Raises:
            PoolError: as the tool says.
        """
        return await self.tools[-1](self.slot_id, self.turn.attempt, tool, arguments)

    def spend(self, microdollars: int) -> None:
        """The meter moves on; near the turn's budget and at it the pool is told."""
        self.spent += microdollars
        self._look(self._watch)

    def fund(self, budget: int) -> None:
        """The turn's budget is this from now on."""
        self._look(self._watch.fund(budget))

    @property
    def budget(self) -> int | None:
        """What is funded now."""
        return self._watch.budget

    def _look(self, watch: SpendWatch) -> None:
        self._watch = watch.see(self.spent)
        if self._watch is not watch:
            asyncio.get_running_loop().call_soon(self.on_spend, self.turn.attempt, self.spent)


Script = Callable[[LiveTurn], Awaitable[Outcome]]


def said(text: str, cost: int = 1_000, model: str = "scripted", structured: str | None = None) -> Outcome:
    """A turn that succeeded with this output; `cost` in microdollars, `structured` as JSON text."""
    return Outcome(
        End.SUCCEEDED,
        output=Text(inline=text, size=len(text.encode())),
        structured_output=None if structured is None else Text(inline=structured, size=len(structured)),
        turns=1,
        model=model,
        cost=cost,
        tokens=Tokens(input=10, output=len(text)),
    )


def failed(code: str, message: str = "It failed.", retryable: bool = False, cost: int = 0) -> Outcome:
    """A turn that failed with a code of the closed list."""
    return Outcome(End.FAILED, code, message, retryable, turns=1, cost=cost)


async def echo(live: LiveTurn) -> Outcome:
    """The script of a driver that is given none."""
    return said(f"echo: {live.prompt}")


@dataclass(eq=False)
class _Process:
    launch: Launch
    session: str
    live: LiveTurn | None = None
    cut: asyncio.Future[Outcome] | None = None


@dataclass
class ScriptedDriver:
    """Implements `SlotDriver` in memory.

    `launch_failures` and `clear_failures` are what the next launches and clears raise, first ones first.
    `hangs` names what never answers (`launch`, `clear`, `stop`, `interrupt`), `killed` the slots that were.
    `turns` pairs each turn with its slot. `conversations` holds the prompts of every conversation.
    """

    script: Script = echo
    launch_failures: list[SlotFailure] = field(default_factory=list[SlotFailure])
    clear_failures: list[SlotFailure] = field(default_factory=list[SlotFailure])
    launches: list[Launch] = field(default_factory=list[Launch])
    turns: list[tuple[str, Turn]] = field(default_factory=list[tuple[str, Turn]])
    interrupts: list[str] = field(default_factory=list[str])
    conversations: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    hangs: set[str] = field(default_factory=set[str])
    killed: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """No slot has a process."""
        self._processes: dict[str, _Process] = {}
        self.exits: list[Callable[[str, ProcessEnd], None]] = []
        self._strays: list[Callable[[str, Outcome], None]] = []
        self._tools: list[SlotTool] = []
        self._words: list[Callable[[str, str], None]] = []
        self._put: Callable[[Ask], Awaitable[Leave]] | None = None

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that have a process."""
        return tuple(self._processes)

    async def launch(self, launch: Launch) -> Launched:
        """See `SlotDriver.launch`. A conversation that never had a turn cannot be resumed."""
        await self.stop(launch.slot_id)
        self.launches.append(launch)
        await self._answer("launch")
        if self.launch_failures:
            raise self.launch_failures.pop(0)
        session = launch.session
        if launch.resume is not None:
            if launch.resume not in self.conversations:
                raise SlotFailure("session_not_found", f"No conversation found: {launch.resume}.")
            if launch.fork:
                self.conversations[session] = list(self.conversations[launch.resume])
            else:
                session = launch.resume
        self._processes[launch.slot_id] = _Process(launch, session)
        return Launched(pid=100_000 + len(self.launches), cli_version="scripted", started_ms=0)

    async def run(self, slot_id: str, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """See `SlotDriver.run`. A turn for a conversation that the process does not hold fails the test."""
        process = self._processes.get(slot_id)
        if process is None:
            outcome = failed("slot_failed", f"{slot_id} has no process.", retryable=True)
            return TurnReport(outcome, turn.session, alive=False)
        assert process.live is None, f"{slot_id} runs {process.live.turn.attempt} already"
        assert turn.session == process.session, f"{slot_id} holds {process.session}, not {turn.session}"
        self.turns.append((slot_id, turn))
        prompts = self.conversations.setdefault(process.session, [])
        live = LiveTurn(
            slot_id, process.launch, turn, tuple(prompts), on_spend, self._tools, self._words, self._put
        )
        prompts.append(turn.prompt)
        process.live = live
        process.cut = asyncio.get_running_loop().create_future()
        work = asyncio.ensure_future(self.script(live))
        try:
            await asyncio.wait((work, process.cut), return_when=asyncio.FIRST_COMPLETED)
            outcome = work.result() if work.done() else process.cut.result()
        finally:
            process.live = process.cut = None
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        outcome = replace(outcome, cost=max(outcome.cost, live.spent))
        return TurnReport(outcome, process.session, self._processes.get(slot_id) is process)

    def fund(self, slot_id: str, attempt: str, budget: int) -> None:
        """See `SlotDriver.fund`."""
        process = self._processes.get(slot_id)
        if process is not None and (live := process.live) is not None and live.turn.attempt == attempt:
            live.fund(budget)

    async def interrupt(self, slot_id: str, attempt: str) -> None:
        """See `SlotDriver.interrupt`."""
        await self._answer("interrupt")
        process = self._processes.get(slot_id)
        if process is not None and process.live is not None and process.live.turn.attempt == attempt:
            self.interrupts.append(attempt)
            _cut(process, Outcome(End.INTERRUPTED))

    async def clear(self, slot_id: str) -> str:
        """See `SlotDriver.clear`."""
        process = self._processes.get(slot_id)
        if process is None:
            raise SlotFailure("slot_failed", f"{slot_id} has no process.")
        if self.clear_failures:
            del self._processes[slot_id]
            raise self.clear_failures.pop(0)
        await self._answer("clear")
        process.session = str(uuid4())
        return process.session

    async def stop(self, slot_id: str) -> ProcessEnd:
        """See `SlotDriver.stop`."""
        process = self._processes.get(slot_id)
        if process is None:
            return ProcessEnd(None, 0, expected=True)
        await self._answer("stop")
        self._processes.pop(slot_id, None)
        _cut(process, Outcome(End.INTERRUPTED))
        return ProcessEnd(0, 0, expected=True)

    async def kill(self, slot_id: str) -> None:
        """See `SlotDriver.kill`."""
        self.killed.append(slot_id)
        process = self._processes.pop(slot_id, None)
        if process is not None:
            _cut(process, failed("slot_failed", "The slot's process was killed."))

    async def _answer(self, what: str) -> None:
        if what in self.hangs:
            await asyncio.get_running_loop().create_future()

    def on_exit(self, callback: Callable[[str, ProcessEnd], None]) -> None:
        """See `SlotDriver.on_exit`."""
        self.exits.append(callback)

    def on_question(self, callback: Callable[[Ask], Awaitable[Leave]]) -> None:
        """See `SlotDriver.on_question`."""
        self._put = callback

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """See `SlotDriver.on_stray`."""
        self._strays.append(callback)

    def on_slot_tool(self, callback: SlotTool) -> None:
        """See `SlotDriver.on_slot_tool`."""
        self._tools.append(callback)

    def on_words(self, callback: Callable[[str, str], None]) -> None:
        """See `SlotDriver.on_words`."""
        self._words.append(callback)

    async def close(self) -> None:
        """See `SlotDriver.close`."""
        for slot_id in tuple(self._processes):
            await self.stop(slot_id)

    def live(self, slot_id: str) -> LiveTurn:
        """The turn that the slot runs; a slot that runs none fails the test."""
        live = self._processes[slot_id].live
        assert live is not None, f"{slot_id} runs nothing"
        return live

    def die(self, slot_id: str, exit_code: int = -9) -> None:
        """Have the slot's process end by itself, in a turn or idle."""
        process = self._processes.pop(slot_id)
        end = ProcessEnd(exit_code, 0, expected=False, message="It died.")
        if process.live is None:
            for callback in self.exits:
                callback(slot_id, end)
        else:
            code = "no_result" if exit_code == 0 else "slot_failed"
            _cut(process, failed(code, "The slot's process died.", retryable=True))

    def stray(self, slot_id: str, cost: int) -> None:
        """Report a turn that nobody asked for."""
        for callback in self._strays:
            callback(slot_id, Outcome(End.SUCCEEDED, cost=cost))


def _cut(process: _Process, outcome: Outcome) -> None:
    if process.cut is not None and not process.cut.done():
        process.cut.set_result(outcome)
