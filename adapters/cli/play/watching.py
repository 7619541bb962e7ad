"""The loop of the view: keys to the player, the player to the cursor, the cursor's scene to the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import assert_never

from claude_pool.domain.errors import PoolError

from .. import exits
from ..replay_view import Wanted
from .cursor import Cursor, Source
from .drawing import lines
from .player import (
    Act,
    Cancel,
    End,
    Failure,
    Filter,
    GoTo,
    Player,
    Quit,
    Start,
    Step,
    passed,
    pressed,
)
from .scene import Scene, is_failure, scene
from .terminal import Gone, Terminal

_FRAME_SECONDS = 0.04
_LOOK_SECONDS = 0.2
_WORK_SECONDS = 0.04

Job = Generator[tuple[str, int], None, str]
"""What takes a while. It yields what it does and how far it is, and ends with a note for the viewer."""


class Watching:
    """One viewer, one log."""

    def __init__(
        self, source: Source, player: Player, until: int | None, place: Callable[[str], int]
    ) -> None:
        """At the start of `source`, which ends at `until` (None: where it ends). `place` tells the position
        that a typed position or time means, or raises a `PoolError`."""
        self.player = player
        self.cursor = Cursor(source, until, player.wanted.takes)
        self.failed: PoolError | None = None
        self._place = place
        self._job: Job | None = None
        self._clock = 0.0
        self._working: tuple[str, int] | None = None
        self._end = 0
        self._scene: Scene | None = None

    def watch(self, begin: int | None) -> int:
        """Show the log from the position `begin` on (None: from its end) until the viewer leaves; the exit
        code."""
        self._end = self.cursor.end()
        with Terminal() as terminal:
            self._job = self._seek(self._end if begin is None else begin)
            self._draw(terminal)
            last = time.monotonic()
            try:
                while True:
                    for key in terminal.keys(self._pause()):
                        self.player, act = pressed(self.player, key)
                        if isinstance(act, Quit):
                            return self._left()
                        self._guarded(0, act)
                    now = time.monotonic()
                    self._guarded(now - last)
                    last = now
                    self._draw(terminal)
            except Gone:
                return self._left()

    def _left(self) -> int:
        return exits.DONE if self.failed is None else exits.of_error(self.failed.code)

    def _pause(self) -> float:
        if self._job is not None:
            return 0.0
        if self.player.playing and not self.player.tail:
            return _FRAME_SECONDS
        return _LOOK_SECONDS

    def _begin(self, act: Act) -> None:
        self._stop()
        match act:
            case Step(events):
                self._job = self._step(events)
            case Failure(forward):
                self._job = self._to_failure(forward)
            case Start():
                self._job = self._seek(0)
            case End():
                self._job = self._seek(self.cursor.end())
            case GoTo(text):
                self._job = self._go_to(text)
            case Filter():
                self.cursor.show(self.player.wanted.takes)
            case Cancel() | Quit():
                pass
            case _:
                assert_never(act)

    def _stop(self) -> None:
        if self._job is not None:
            self._job.close()
            self._job, self._working = None, None
            self._clock = float(self.cursor.moment)

    def _guarded(self, seconds: float, act: Act | None = None) -> None:
        """Begin what a key asked for, or work, or go on. A log that cannot be read any further ends that; it
        is shown up to there."""
        try:
            self._end = self.cursor.end()
            if act is not None:
                self._begin(act)
            elif self._job is not None:
                self._work(self._job)
            elif self.player.playing:
                self._play(seconds)
        except PoolError as error:
            self._job, self._working, self.failed = None, None, error
            self.player = replace(self.player, playing=False, tail=False, note=f"[{error.code}] {error}")

    def _work(self, job: Job) -> None:
        until = time.monotonic() + _WORK_SECONDS
        try:
            while time.monotonic() < until:
                self._working = next(job)
        except StopIteration as ended:
            self._job, self._working = None, None
            self._clock = float(self.cursor.moment)
            if ended.value:
                self.player = replace(self.player, note=str(ended.value))

    def _play(self, seconds: float) -> None:
        upcoming, until = self.cursor.peek(), time.monotonic() + _WORK_SECONDS
        if upcoming is not None and not self.player.tail:
            self._clock = passed(self._clock, seconds, self.player.rate, upcoming.meta.recorded_at)
        while upcoming is not None and time.monotonic() < until:
            if not self.player.tail and upcoming.meta.recorded_at > self._clock:
                return
            self.cursor.step()
            upcoming = self.cursor.peek()
        if upcoming is None and self.player.live:
            self.player = replace(self.player, tail=True)
        elif upcoming is None:
            self.player = replace(self.player, playing=False, note="the end; g goes to the start, q leaves")

    def _seek(self, target: int) -> Job:
        for reached in self.cursor.seek(target):
            yield "folding", reached
        return ""

    def _step(self, events: int) -> Job:
        forward = events > 0
        if self.player.wanted == Wanted():
            yield from self._seek(self.cursor.position + events)
            return ""
        for _ in range(abs(events)):
            found = yield from self._find(forward=forward)
            if found is None:
                return f"no {'later' if forward else 'earlier'} event of the filter"
            yield from self._seek(found)
        return ""

    def _to_failure(self, forward: bool) -> Job:
        found = yield from self._find(forward=forward, failures=True)
        if found is None:
            return f"no {'later' if forward else 'earlier'} failure"
        yield from self._seek(found)
        return ""

    def _find(self, *, forward: bool, failures: bool = False) -> Generator[tuple[str, int], None, int | None]:
        takes = self.player.wanted.takes
        search = self.cursor.find(
            (lambda each: is_failure(each) and takes(each)) if failures else takes, forward=forward
        )
        while True:
            try:
                yield "looking", next(search)
            except StopIteration as ended:
                found: int | None = ended.value
                return found

    def _go_to(self, text: str) -> Job:
        try:
            target = self._place(text)
        except PoolError as error:
            return str(error)
        yield from self._seek(target)
        return ""

    def _draw(self, terminal: Terminal) -> None:
        width, height = terminal.size()
        player = self.player = replace(
            self.player, scroll=min(self.player.scroll, len(self.cursor.world.slots))
        )
        if self._working is not None:
            doing, reached = self._working
            player = replace(player, note=f"{doing}, at {reached:,} (Esc stops it)")
        elif self._job is not None:
            player = replace(player, note="reading the log")
        if self._scene is None or self._job is None:  # in between, the world is ahead of the window
            self._scene = self._seen(height)
        terminal.draw(lines(self._scene, player, width, height, plain=terminal.plain))

    def _seen(self, height: int) -> Scene:
        cursor, first = self.cursor, self.player.scroll
        lanes = range(max(0, min(first, len(cursor.world.slots)) - height), first + height)
        return scene(cursor.world, cursor.window, cursor.shown, self._end, self._now(), lanes, height)

    def _now(self) -> int:
        if self.player.tail:
            return max(self.cursor.moment, time.time_ns() // 1_000_000)
        return max(self.cursor.moment, round(self._clock)) if self.player.playing else self.cursor.moment
