"""What the CLI asks its host."""

from __future__ import annotations

import threading

from tests.fakes.fakecli.conversation import new_id
from tests.fakes.fakecli.wire import Line, Wire


class Questions:
    """Control requests that we sent and whose answers we wait for."""

    def __init__(self, wire: Wire) -> None:
        """`wire` carries them."""
        self._wire = wire
        self._answers: dict[str, Line] = {}
        self._open: set[str] = set()
        self._changed = threading.Condition()

    def ask(self, request: Line, stop: threading.Event, seconds: float | None = None) -> Line | None:
        """Send one and wait; its `response` object, or None where we were stopped or waited too long."""
        name = new_id()
        with self._changed:
            self._open.add(name)
        self._wire.emit({"type": "control_request", "request_id": name, "request": request})
        waited = 0.0
        with self._changed:
            while name not in self._answers and not stop.is_set() and (seconds is None or waited < seconds):
                self._changed.wait(0.02)
                waited += 0.02
            self._open.discard(name)
            return self._answers.pop(name, None)

    def answer(self, response: Line) -> None:
        """Take an answer in."""
        with self._changed:
            if response.get("request_id") in self._open:
                self._answers[response["request_id"]] = response
                self._changed.notify_all()

    def cancel_all(self) -> None:
        """Tell the other side that we no longer want answers."""
        with self._changed:
            for name in self._open:
                self._wire.emit({"type": "control_cancel_request", "request_id": name})
