"""Stdout: one JSON object a line, and everything that can be wrong with that."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, NoReturn

from tests.fakes.fakecli.personas import Personas

Line = dict[str, Any]

_STRANGE: tuple[Line, ...] = (
    {"type": "surprise", "subtype": "new", "data": [1, {"deep": None}]},
    {"type": "system", "subtype": "never_heard_of", "tools": 7},
    {"type": "assistant", "message": "not an object", "session_id": 3},
    {"type": "stream_event", "event": None},
    {"type": ["a", "list"]},
    {},
)


class Wire:
    """Writes lines; safe for several threads. Once it is stuck, whoever writes waits for ever."""

    def __init__(self, personas: Personas) -> None:
        """`personas` decides what goes wrong."""
        self._personas = personas
        self._lock = threading.RLock()
        self._lines_of_turn = 0
        self._held: bytearray | None = None

    def hold(self) -> None:
        """Keep what is written from here on, until `release`."""
        with self._lock:
            self._held = self._held or bytearray()

    def release(self) -> None:
        """Print what was held, at once."""
        with self._lock:
            held, self._held = self._held, None
            self.raw(bytes(held or b""))

    def begin_turn(self) -> None:
        """Count lines from here on for `stall`."""
        self._lines_of_turn = 0

    def emit(self, line: Line) -> None:
        """Print one line, with the noise that the personas make around it."""
        with self._lock:
            limit = self._personas.number("stall")
            if "mute" in self._personas or (limit is not None and self._lines_of_turn >= limit):
                _stick()
            self._lines_of_turn += 1
            for noise in self._noise():
                self.raw(noise + b"\n")
            self.raw(encoded(line) + b"\n")

    def _noise(self) -> list[bytes]:
        noise: list[bytes] = []
        if "garbage" in self._personas:
            noise += [b"warning: this is no JSON", b'{"type":"result","trunc', b""]
        if "unknown" in self._personas:
            noise += [encoded(line) for line in _STRANGE]
        if "unicode" in self._personas:
            noise += [encoded({"type": "x", "text": "a\u2028b\u0085c\x00d"}), b'{"type":"x","text":"\xff"}']
        return noise

    def raw(self, data: bytes) -> None:
        """Write bytes. A reader that has gone is no reason to stop."""
        with self._lock:
            if self._held is not None:
                self._held += data
                return
            try:
                while data:
                    data = data[os.write(1, data) :]
            except BrokenPipeError:
                return


def _stick() -> NoReturn:
    while True:
        threading.Event().wait()


def encoded(line: Line) -> bytes:
    """A line as the CLI writes it."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
