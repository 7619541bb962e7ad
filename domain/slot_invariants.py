"""What holds for slots, their processes and their work trees, told from the events alone. See `invariants`
for the codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import chain_events, workplace_events
from .message_events import MessageAccepted, MessagesDelivered, MessagesRead, MessagesReturned
from .slot_events import (
    ClearStarted,
    EffectAbandoned,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotConfigured,
    SlotDrainStarted,
    SlotEvent,
    SlotMended,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    SlotTried,
    StopStarted,
)
from .supervision import INTENSITY, PERIOD_MS
from .task_events import AttemptCancelled, AttemptFailed, AttemptSealed, AttemptStarted, AttemptSucceeded
from .values import attempt_id
from .violations import Rules, Violation

_STATES = (
    "cold", "preparing", "starting", "idle", "clearing", "busy", "stopping", "failed", "stopped", "retired",
)  # fmt: skip


def _staying(*states: str) -> dict[str, str]:
    return {state: state for state in states}


_ENDED: dict[str, str] = dict.fromkeys(("idle", "clearing", "stopping"), "cold")
_RESTING = _staying("failed", "stopped", "retired")
_KEPT = {
    "preparing": "cold",
    **_staying("cold", "starting", "idle", "clearing", "busy", "stopping"),
    **_RESTING,
}

_MOVES: dict[type[Any], dict[str, str]] = {
    SlotRevived: {"stopped": "cold", "failed": "cold"},
    SlotTried: {"failed": "cold"},
    SlotMended: _staying("idle"),
    SlotConfigured: _staying(*_STATES[:-1]),
    LaunchStarted: {"cold": "starting"},
    LaunchSucceeded: {"starting": "idle"},
    LaunchFailed: {"starting": "cold"},
    ProcessReplaced: _staying("busy"),
    SlotClaimed: {"idle": "busy", "cold": "busy"},
    SlotReleased: {"busy": "idle"},
    ClearStarted: {"idle": "clearing"},
    SessionPrepared: {"clearing": "idle"},
    StopStarted: {"idle": "stopping"},
    ProcessEnded: _ENDED,
    EffectAbandoned: _staying("starting", "clearing", "busy", "stopping"),
    SlotQuarantined: {"cold": "failed"},
    SlotDrainStarted: _staying("busy", "preparing", "starting", "clearing", "stopping"),
    SlotRetired: dict.fromkeys(("cold", "failed", "stopped"), "retired"),
    SlotStopped: {**dict.fromkeys(_STATES, "stopped"), **_RESTING},
    workplace_events.WorkplaceWanted: {"cold": "preparing"},
    workplace_events.WorkplaceMade: {"preparing": "cold"},
    workplace_events.WorkplaceFailed: {"preparing": "cold"},
    workplace_events.WorkKeepStarted: {"cold": "preparing", **_RESTING},
    workplace_events.WorkKept: _KEPT,
    workplace_events.WorkNotKept: _KEPT,
}
"""To which state each event takes a slot from which one: no other way is open to it."""

_OUT_OF_SERVICE = frozenset({"failed", "stopped", "retired"})


@dataclass(slots=True)
class _Place:
    """A slot: its state, what it runs, its newest process, and when processes failed lately (ms)."""

    state: str = "cold"
    attempt: str = ""
    launch: int = 0
    draining: bool = False
    failures: list[int] = field(default_factory=list[int])
    removing: bool = False


@dataclass(slots=True)
class _Lease:
    """An attempt's hold on a slot."""

    slot_id: str
    position: int
    started: bool = False
    ended: bool = False


class SlotInvariants:
    """Every slot of a log."""

    def __init__(self, found: list[Violation]) -> None:
        """Violations are added to `found`."""
        self._found = found
        self._places: dict[str, _Place] = {}
        self._leases: dict[str, _Lease] = {}
        self._directories: dict[str, str] = {}
        self._messages: dict[tuple[str, str], str] = {}
        self.rules: Rules = {
            **dict.fromkeys(_MOVES, self._moved),
            SlotAdded: self._added,
            SlotRevived: self._revived,
            SlotTried: self._revived,
            LaunchStarted: self._launching,
            LaunchSucceeded: self._of_a_launch,
            ProcessReplaced: self._of_a_launch,
            LaunchFailed: self._launch_failed,
            EffectAbandoned: self._of_a_launch,
            ProcessEnded: self._process_ended,
            SlotClaimed: self._claimed,
            SlotReleased: self._released,
            SlotStopped: self._stopped,
            SlotDrainStarted: self._draining,
            AttemptStarted: self._attempt_started,
            **dict.fromkeys(
                (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptSealed), self._attempt_ended
            ),
            workplace_events.WorkplaceMade: self._housed,
            workplace_events.WorkKeepStarted: self._keeping,
            workplace_events.WorkKept: self._kept,
            chain_events.WorkplaceMade: self._copied,
            MessageAccepted: self._accepted,
            **dict.fromkeys((MessagesDelivered, MessagesReturned, MessagesRead), self._carried),
        }

    def missing(self) -> list[Violation]:
        """What the log should still hold."""
        left: list[Violation] = []
        for attempt, lease in self._leases.items():
            if not lease.started:
                text = f"{lease.slot_id} was claimed for {attempt}, which never started"
                left.append(Violation(lease.position, "claim_without_attempt", text))
            elif lease.ended:
                text = f"{attempt} ended and {lease.slot_id} was not released"
                left.append(Violation(lease.position, "not_released", text))
        return left

    def _object(self, position: int, code: str, text: str) -> None:
        self._found.append(Violation(position, code, text))

    def _added(self, position: int, stream: str, _event: SlotAdded) -> None:
        if stream in self._places:
            self._object(position, "wrong_slot_move", f"{stream} was added before")
            return
        self._places[stream] = _Place()

    def _moved(self, position: int, stream: str, event: SlotEvent) -> _Place | None:
        """The slot after `event`, or None where it could not happen to it."""
        place = self._places.get(stream)
        if place is None:
            self._object(position, "unknown_slot", f"{event.NAME}, but there is no {stream}")
            return None
        after = _MOVES[type(event)].get(place.state)
        if after is None:
            self._object(position, "wrong_slot_move", f"{event.NAME}, but {stream} is {place.state}")
            return None
        place.state = after
        return place

    # Processes.

    def _revived(self, position: int, stream: str, event: SlotRevived | SlotTried) -> None:
        place = self._moved(position, stream, event)
        if place is not None:
            place.failures = []

    def _draining(self, position: int, stream: str, event: SlotDrainStarted) -> None:
        place = self._moved(position, stream, event)
        if place is not None:
            place.draining = True

    def _launching(self, position: int, stream: str, event: LaunchStarted) -> None:
        place = self._moved(position, stream, event)
        if place is not None:
            self._new_process(position, stream, place, event.launch)

    def _new_process(self, position: int, stream: str, place: _Place, launch: int) -> None:
        if launch != place.launch + 1:
            text = f"process {launch} of {stream} follows process {place.launch}"
            self._object(position, "wrong_launch_number", text)
        place.launch = launch
        if len(place.failures) >= INTENSITY:
            text = f"{len(place.failures)} processes of {stream} failed, and it gets another one"
            self._object(position, "restarts_too_often", text)

    def _of_a_launch(
        self,
        position: int,
        stream: str,
        event: LaunchSucceeded | ProcessReplaced | LaunchFailed | EffectAbandoned | ProcessEnded,
    ) -> _Place | None:
        place = self._moved(position, stream, event)
        if place is not None and event.launch != place.launch:
            text = f"{event.NAME} of process {event.launch}, but {place.launch} is the newest of {stream}"
            self._object(position, "not_the_live_process", text)
        return place

    def _launch_failed(self, position: int, stream: str, event: LaunchFailed) -> None:
        self._failed(self._of_a_launch(position, stream, event), event.at)

    def _process_ended(self, position: int, stream: str, event: ProcessEnded) -> None:
        place = self._of_a_launch(position, stream, event)
        if not event.expected:
            self._failed(place, event.at)

    def _failed(self, place: _Place | None, at: int) -> None:
        if place is not None:
            place.failures = [each for each in place.failures if at - each < PERIOD_MS] + [at]

    # Attempts.

    def _claimed(self, position: int, stream: str, event: SlotClaimed) -> None:
        place = self._places.get(stream)
        if place is not None and place.state == "busy":
            text = f"{stream} runs {place.attempt} and was claimed for {event.attempt}"
            self._object(position, "one_task_a_slot", text)
            return
        if place is not None and (place.draining or place.state in _OUT_OF_SERVICE):
            state = "draining" if place.draining else place.state
            self._object(
                position, "out_of_service", f"{stream} is {state} and was claimed for {event.attempt}"
            )
            return
        place = self._moved(position, stream, event)
        if place is None:
            return
        if event.replaces:
            self._new_process(position, stream, place, event.launch)
        elif event.launch != place.launch:
            text = f"{event.attempt} claimed process {event.launch}, but {place.launch} is the newest"
            self._object(position, "not_the_live_process", text)
        holder = self._leases.get(event.attempt)
        if holder is not None:
            text = f"{event.attempt} has {holder.slot_id} and claimed {stream}"
            self._object(position, "one_slot_a_task", text)
        place.attempt = event.attempt
        self._leases[event.attempt] = _Lease(stream, position)

    def _attempt_started(self, position: int, stream: str, event: AttemptStarted) -> None:
        attempt = attempt_id(stream, event.attempt)
        lease = self._leases.get(attempt)
        if lease is None or lease.slot_id != event.slot_id or lease.started:
            text = f"{attempt} started in {event.slot_id}, which was not claimed for it"
            self._object(position, "attempt_without_claim", text)
            return
        lease.started = True

    def _attempt_ended(
        self,
        position: int,
        stream: str,
        event: AttemptSucceeded | AttemptFailed | AttemptCancelled | AttemptSealed,
    ) -> None:
        lease = self._leases.get(attempt_id(stream, event.attempt))
        if lease is not None:
            lease.ended, lease.position = True, position

    def _released(self, position: int, stream: str, event: SlotReleased) -> None:
        place = self._moved(position, stream, event)
        if place is not None and place.attempt != event.attempt:
            text = f"{stream} runs {place.attempt} and was released from {event.attempt}"
            self._object(position, "wrong_release", text)
        elif place is not None:
            self._free(position, stream, place)

    def _stopped(self, position: int, stream: str, event: SlotStopped) -> None:
        place = self._moved(position, stream, event)
        if place is not None and place.attempt:  # so a crash ended them in early logs
            self._free(position, stream, place)

    def _free(self, position: int, stream: str, place: _Place) -> None:
        lease = self._leases.pop(place.attempt, None)
        if lease is not None and not lease.ended:
            text = f"{stream} was released from {place.attempt}, which runs"
            self._object(position, "wrong_release", text)
        place.attempt = ""

    # Directories.

    def _housed(self, position: int, stream: str, event: workplace_events.WorkplaceMade) -> None:
        if self._moved(position, stream, event) is not None:
            self._own(position, stream, event.workplace.path)

    def _copied(self, position: int, stream: str, event: chain_events.WorkplaceMade) -> None:
        self._own(position, stream, event.path)

    def _own(self, position: int, stream: str, path: str) -> None:
        owner = self._directories.setdefault(path, stream)
        if owner != stream:
            self._object(position, "shared_directory", f"{path} belongs to {owner} and was given to {stream}")

    def _keeping(self, position: int, stream: str, event: workplace_events.WorkKeepStarted) -> None:
        place = self._moved(position, stream, event)
        if place is not None:
            place.removing = event.remove

    def _kept(self, position: int, stream: str, event: workplace_events.WorkKept) -> None:
        place = self._moved(position, stream, event)
        if place is not None and event.removed and not (place.removing and event.head):
            why = "nobody asked for that" if event.head else "its work was not committed"
            self._object(position, "work_removed", f"the work tree of {stream} was removed, but {why}")

    # Messages, of slots and of the coordinator.

    def _accepted(self, position: int, stream: str, event: MessageAccepted) -> None:
        key = stream, event.message_id
        if key in self._messages:
            self._object(position, "message_twice", f"{event.message_id} came to {stream} before")
        self._messages[key] = "waiting"

    def _carried(
        self, position: int, stream: str, event: MessagesDelivered | MessagesReturned | MessagesRead
    ) -> None:
        before, after = _CARRIED[type(event)]
        for message_id in event.ids:
            state = self._messages.get((stream, message_id), "unknown")
            if state != before:
                text = f"{event.NAME}: {message_id} of {stream} is {state}, not {before}"
                self._object(position, "message_twice", text)
            self._messages[stream, message_id] = after


_CARRIED: dict[type[Any], tuple[str, str]] = {
    MessagesDelivered: ("waiting", "delivered"),
    MessagesReturned: ("delivered", "waiting"),
    MessagesRead: ("waiting", "read"),
}
