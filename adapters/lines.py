"""Cuts a stream of bytes into lines."""

from __future__ import annotations

LINE_BYTES = 32 << 20
"""The longest line of the protocol that is passed on."""


class Lines:
    """Cuts a stream of bytes into lines of at most `LINE_BYTES`; a longer one is left out and counted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False
        self.left_out = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, each with its newline; empty ones are left out."""
        self._buffer += data
        found: list[bytes] = []
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[: end + 1])
            self._forget(end + 1)
            if self._skipping or end > LINE_BYTES:
                self.left_out += not self._skipping
                self._skipping = False
            elif line.strip():
                found.append(line)
        self._searched = len(self._buffer)
        if self._searched > LINE_BYTES:
            self.left_out += not self._skipping
            self._skipping = True
            self._forget(self._searched)
        return found

    def _forget(self, length: int) -> None:
        del self._buffer[:length]
        self._searched = 0
