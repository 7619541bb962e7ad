"""What a terminal shows of long work: a text that moves, and a bar where it is known how much there is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.status import Status

from ..share import Share


@contextmanager
def going_on(text: str) -> Generator[Callable[[str], None]]:
    """Show `text` on standard error, which is a terminal, until the end; call to change it."""
    shown = _Shown()
    shown.say(text)
    try:
        yield shown.say
    finally:
        shown.end()


class _Shown:
    """One line of a terminal: a text or a bar."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = None
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._what = ""

    def say(self, text: str) -> None:
        """Show this instead."""
        if isinstance(text, Share):
            self._measure(text)
        elif self._status is not None:
            self._status.update(escape(text))
        else:
            self.end()
            self._status = self._console.status(escape(text))
            self._status.start()

    def _measure(self, share: Share) -> None:
        if self._bar is None or self._what != share.what:
            self.end()
            self._what = share.what
            self._bar = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
                TimeRemainingColumn(), console=self._console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task(share.what, total=share.of)
            self._bar.start()
        self._bar.update(self._task, completed=share.done, total=share.of)

    def end(self) -> None:
        """Show nothing any more."""
        for shown in (self._status, self._bar):
            if shown is not None:
                shown.stop()
        self._status = self._bar = None
