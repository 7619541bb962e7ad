"""What each slot did, as stretches of time, from the events before a place and the pool as it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from claude_pool.domain.pool_status import slot_state
from claude_pool.domain.records import Recorded
from claude_pool.domain.slot import Present
from claude_pool.domain.slot_events import (
    ClearStarted,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotEvent,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    StopStarted,
)

ABSENT, IDLE, BUSY, PREPARING, DOWN = "absent", "idle", "busy", "preparing", "down"

_OF_STATE = {"idle": IDLE, "busy": BUSY, "starting": PREPARING, "draining": PREPARING, "failed": DOWN}


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `begin` to `end` (ms) a slot was `kind`. `failed`: it was busy, and that came to nothing."""

    begin: int
    end: int
    kind: str
    attempt: str = ""
    failed: bool = False


class Lane:
    """The stretches of one slot, from events in order; `now` closes the last one."""

    def __init__(self, begin: int) -> None:
        """What the slot was from `begin` (ms) on is not known before its first event."""
        self._since = begin
        self._kind: str | None = None
        self._attempt = ""
        self._found: list[Stretch] = []

    def observe(self, event: SlotEvent, at: int) -> None:
        """Take the slot's next event, recorded at `at` (ms)."""
        match event:
            case SlotReleased(attempt, succeeded):
                self._end(at, BUSY, attempt, failed=not succeeded)
                self._turn(IDLE)
            case SlotClaimed(attempt):
                self._end(at, IDLE)
                self._turn(BUSY, attempt)
            case LaunchSucceeded() | SessionPrepared():
                self._end(at, PREPARING)
                self._turn(IDLE)
            case SlotAdded() | SlotRevived():
                self._end(at, ABSENT)
                self._turn(PREPARING)
            case LaunchStarted() | ClearStarted() | StopStarted():
                self._end(at, IDLE)
                self._turn(PREPARING)
            case LaunchFailed() | ProcessEnded() | SlotQuarantined():
                self._end(at, PREPARING)
                self._turn(DOWN)
            case SlotStopped() | SlotRetired():
                self._end(at, PREPARING)
                self._turn(ABSENT)
            case _:
                pass

    def stretches(self, now: int, state: Present) -> tuple[Stretch, ...]:
        """All of them up to `now` (ms), where the slot is what `state` says."""
        if self._kind != BUSY:  # for all else the state knows more than the last event did
            self._turn(_OF_STATE.get(slot_state(state), ABSENT))
        last = Stretch(self._since, max(now, self._since), self._kind or ABSENT, self._attempt)
        return (*self._found, last)

    def _end(self, at: int, before: str, attempt: str = "", *, failed: bool = False) -> None:
        """End what was; where that is not known, it was `before`."""
        kind = self._kind or before
        self._found.append(Stretch(self._since, at, kind, attempt or self._attempt, failed))
        self._since = at

    def _turn(self, kind: str, attempt: str = "") -> None:
        self._kind, self._attempt = kind, attempt


def lanes(window: Iterable[Recorded], slots: Iterable[str], begin: int) -> dict[str, Lane]:
    """The lanes of these slots in the events of `window`, from `begin` (ms) on."""
    found = {slot_id: Lane(begin) for slot_id in slots}
    for recorded in window:
        lane = found.get(recorded.stream)
        if lane is not None:
            lane.observe(recorded.event, recorded.meta.recorded_at)  # type: ignore[arg-type]  # a slot's stream
    return found


def cells(stretches: tuple[Stretch, ...], begin: int, end: int, width: int) -> list[Stretch | None]:
    """What was in each of `width` equal parts of [`begin`, `end`]; of several the one that says most."""
    shown: list[Stretch | None] = [None] * width
    length = max(1, end - begin)
    for stretch in stretches if width else ():
        if stretch.end < begin or stretch.begin > end:
            continue
        first = max(0, (stretch.begin - begin) * width // length)
        last = min(width - 1, max(first, (stretch.end - begin - 1) * width // length))
        for at in range(min(first, width - 1), last + 1):
            if _weight(shown[at]) <= _weight(stretch):
                shown[at] = stretch
    return shown


_WEIGHTS = {ABSENT: 1, IDLE: 2, PREPARING: 3, BUSY: 4, DOWN: 5}


def _weight(stretch: Stretch | None) -> int:
    if stretch is None:
        return 0
    return 6 if stretch.failed else _WEIGHTS[stretch.kind]
