"""How far running attempts are: what their models say, and what slots report. In memory only."""

from __future__ import annotations

from dataclasses import dataclass

from .system import System
from .views import View

TEXT_BYTES = 4096
"""So much of the end of a text is shown."""


@dataclass(slots=True)
class _Entry:
    at: int
    text: str = ""
    report: str | None = None


class Progress:
    """A register of the attempts that run now. What is said of any other attempt is forgotten."""

    def __init__(self, system: System) -> None:
        """Nothing runs."""
        self._system = system
        self._entries: dict[str, _Entry] = {}

    def begin(self, attempt: str) -> None:
        """The attempt runs from now on, with nothing said yet."""
        self._entries[attempt] = _Entry(self._system.now())

    def end(self, attempt: str) -> None:
        """The attempt is over."""
        self._entries.pop(attempt, None)

    def say(self, attempt: str, text: str) -> None:
        """`text` is the end of what the attempt's model has said so far."""
        entry = self._entries.get(attempt)
        if entry is not None:
            entry.text, entry.at = text, self._system.now()

    def report(self, attempt: str, text: str) -> None:
        """The attempt's slot reports `text`."""
        entry = self._entries.get(attempt)
        if entry is not None:
            entry.report, entry.at = text, self._system.now()

    def view(self, attempt: str) -> View | None:
        """What the attempt said and reported last, and when; None where it does not run."""
        entry = self._entries.get(attempt)
        if entry is None:
            return None
        tail = entry.text.encode("utf-8", "replace")[-TEXT_BYTES:].decode("utf-8", "ignore")
        return {"text": tail, "report": entry.report, "at": entry.at}
