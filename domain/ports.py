"""What the core needs from the world, as protocols. Adapters implement them; `wiring.py` pairs the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .records import Event, Fact, Meta, Recorded
from .values import Outcome


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: last position (0: empty) and the hash chain there."""

    position: int
    hash: bytes


Replayed = tuple[int, str, int, Event, int, str]
"""position, stream, version, event, recorded_at (ms), correlation: all that a fold needs."""


class EventLog(Protocol):
    """An append-only log of many streams under one hash chain, with gap-free positions from 1.

    One process writes. `append` returns only what is durable. All methods may block on the disk;
    none may be called from two threads at once, except `read_*` on a log opened for reading.
    """

    def append(self, facts: Sequence[Fact], expected: Mapping[str, int], meta: Meta) -> tuple[Recorded, ...]:
        """Record all of `facts`, in order, in one transaction, or nothing.

        `expected` maps a stream to the version it must be at (0: it must not exist). Every stream
        that `facts` touch must be in it; others may be, to guard what was only read.

        Raises:
            VersionConflict: a stream is at another version. Nothing was written.
            StoreFull, StoreError: the store refused. Nothing was written.
        """
        ...

    def read_stream(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        """The events of one stream with versions above `after`, in order; empty where it does not exist."""
        ...

    def read_all(self, after: int = 0, until: int | None = None) -> Iterator[Recorded]:
        """All events with positions in (`after`, `until`], in order."""
        ...

    def read_latest(
        self, kinds: Sequence[type[Event]], after: int, until: int, limit: int
    ) -> tuple[Recorded, ...]:
        """The last events of these kinds with positions in (`after`, `until`], at most `limit` (above 0), in
        order. Takes time in proportion to the positions that it looks at."""
        ...

    def read_events(self, after: int = 0, until: int | None = None) -> Iterator[Replayed]:
        """What `read_all` gives, in the cheapest form that a fold can do with."""
        ...

    def head(self) -> Head:
        """The end of the log."""
        ...

    def on_append(self, wake: Callable[[Head], None]) -> Callable[[], None]:
        """Call `wake` after every append of this process; the result takes the registration back."""
        ...

    def close(self) -> None:
        """Release everything. The log must not be used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """What a slot's process is started with. One process has one launch; another needs a new process.

    `session` is the conversation id the process begins with. `resume` names the conversation to
    continue and `fork` says to branch off it (under the id `session`) rather than extend it.
    `number` counts the processes of the slot: 1, 2, 3 …
    """

    slot_id: str
    number: int
    session: str
    cwd: str
    resume: str | None = None
    fork: bool = False
    model: str | None = None
    effort: str | None = None
    permission_mode: str | None = None
    system_prompt: str | None = None
    append_system_prompt: str | None = None
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    tools: tuple[str, ...] | None = None
    mcp_servers: tuple[tuple[str, str], ...] = ()
    json_schema: str | None = None
    max_turns: int | None = None
    fallback_model: str | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """A process that answers: its pid, and what it said of itself."""

    pid: int
    cli_version: str
    started_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt for a warm process. `prompt` is the whole text, already neutralised where it must be.

    `budget` (microdollars) is what is funded now and `margin` what of it should stay free for the next call:
    both decide when `SlotDriver.run` calls `on_spend`; without a budget it never does.
    The slot's silence is bounded, in milliseconds above 0, by `first_output_ms` before its first line, by
    `silence_ms` after any line, and while a tool of it is at work by the larger of that and
    `tool_silence_ms`. `asks` says that permission questions are put to `SlotDriver.on_question`; otherwise
    they are denied at once.
    """

    attempt: str
    session: str
    prompt: str
    model: str | None = None
    effort: str | None = None
    permission_mode: str | None = None
    budget: int | None = None
    margin: int = 0
    first_output_ms: int = 120_000
    silence_ms: int = 300_000
    tool_silence_ms: int = 660_000
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A tool use that needs leave: of which attempt, the CLI's own id of the request, the tool, its input
    as JSON text, and what it is about in few words."""

    attempt: str
    request_id: str
    tool: str
    input: str
    text: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The answer to an `Ask`. `updated_input` (a JSON object's text) replaces what an allowed tool is given;
    `message` tells the model why it was denied."""

    allowed: bool
    message: str = ""
    updated_input: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a slot's process tree ended: exit code of the CLI (negative: signal), and what was swept."""

    exit_code: int | None
    killed: int
    expected: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What came of a turn: the outcome, the conversation it ran in, and whether the process still lives.

    `rss_mb` is the resident memory of the CLI after the turn (0: unknown), for recycling.
    """

    outcome: Outcome
    session: str
    alive: bool
    rss_mb: int = 0


SLOT_SERVER = "pool"
"""The MCP server that every slot has, with its own tools; no other may have this name."""

SlotTool = Callable[[str, str, str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Carries out one of the slots' own tools: slot id, attempt, the tool's name, its checked arguments.

What it returns is shown to the model as JSON; a `PoolError` that it raises as an error with its code. It is
cancelled when the attempt ends or is interrupted.
"""


class SlotDriver(Protocol):
    """Runs slots: at most one process each, under a keeper. One driver serves all slots of an owner.

    A slot that has no process may only be launched. All methods are coroutines of the owner's loop.
    """

    async def launch(self, launch: Launch) -> Launched:
        """Start the slot's process (ending and sweeping one that it still has) and wait until it answers.

        Raises:
            SlotFailure: it could not be started or did not answer in time; nothing of it is left.
        """
        ...

    async def run(self, slot_id: str, turn: Turn, on_spend: Callable[[str, int], None]) -> TurnReport:
        """Send one prompt and wait for its own result. Never raises for what the process does.

        `on_spend(attempt, metered)` is called when the metered cost (microdollars) and the turn's margin
        first exceed its budget together, and when the metered cost reaches the budget: at most these two
        times for each value that the budget has.
        A process that dies, falls silent or breaks the protocol ends the turn with a failed
        outcome and `alive` False, after its tree was swept.
        """
        ...

    def fund(self, slot_id: str, attempt: str, budget: int) -> None:
        """The running turn's budget is `budget` (microdollars) from now on, and `on_spend` is called anew.

        Where that is already due, the loop calls it next. Does nothing when `attempt` is not what the slot
        runs, and nothing for a budget that the turn has already.
        """
        ...

    async def interrupt(self, slot_id: str, attempt: str) -> None:
        """Ask the running turn to stop and see that it does: interrupt, then the ladder, within 8 s.

        Does nothing when `attempt` is not what the slot runs. The end shows in what `run` returns.
        """
        ...

    async def clear(self, slot_id: str) -> str:
        """Begin an empty conversation in the warm process; its verified new id.

        Raises:
            SlotFailure: it failed or took over 2 s; the process was ended and swept.
        """
        ...

    async def stop(self, slot_id: str) -> ProcessEnd:
        """End the slot's process and everything it started; returns when the tree is verified empty."""
        ...

    async def kill(self, slot_id: str) -> None:
        """Kill the slot's process and everything it started at once, whatever else is asked of it.

        What is asked of it fails, and `on_exit` is not told. Does nothing where there is no process.
        """
        ...

    def on_exit(self, callback: Callable[[str, ProcessEnd], None]) -> None:
        """Register what is told when an idle process ends by itself: slot id and how it ended."""
        ...

    def on_stray(self, callback: Callable[[str, Outcome], None]) -> None:
        """Register what is told of turns that nobody asked for: slot id, and an outcome with their cost."""
        ...

    def on_slot_tool(self, callback: SlotTool) -> None:
        """Register what carries out the slots' own tools."""
        ...

    def on_question(self, callback: Callable[[Ask], Awaitable[Leave]]) -> None:
        """Register who answers permission questions of turns that ask.

        The slot waits, and its silence does not count, until the callback returns. It is cancelled where no
        answer is wanted any more: the turn was interrupted, or is over.
        """
        ...

    def on_words(self, callback: Callable[[str, str], None]) -> None:
        """Register what is told, whenever a model says more, its attempt and the end of all it has said."""
        ...

    async def close(self) -> None:
        """Stop all slots at once."""
        ...


class SlotFailure(Exception):
    """A slot's process could not do what it was asked. `code` is one of `errors.CODES`."""

    def __init__(self, code: str, message: str, end: ProcessEnd | None = None) -> None:
        """`end` tells how the process ended, where it did."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.end = end
