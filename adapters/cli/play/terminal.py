"""The whole of a terminal: its keys one by one, its other screen, and everything as it was, at the end."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType
from typing import Any, Self

from claude_pool.domain.errors import InvalidArgument
from rich.console import Console
from rich.text import Text

from .keys import Keys

_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = b"\x1b[0m\x1b[?25h\x1b[?1049l"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
_SIZE = (80, 24)
"""Columns and lines of a terminal that does not know its size."""


class Gone(Exception):
    """Nobody sits at the terminal any more."""


def insist_on_a_terminal(flag: str) -> None:
    """Raise `InvalidArgument` where there is nobody to look or to press keys."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        problem = (
            "the view needs a terminal for its keys and its screen; "
            "without it, `claude-pool replay` prints the events, and `--json` one a line for programs"
        )
        raise InvalidArgument(argument=flag, problem=problem)


class Terminal:
    """A context in which keys arrive at once and unseen, and `draw` has the whole screen.

    Whatever ends it (an exception, ^C, SIGTERM), the terminal is left as it was found; so it is while the
    process is stopped by ^Z. Colours obey NO_COLOR.
    """

    def __init__(self) -> None:
        """Nothing is changed before it is entered."""
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._keys = Keys()
        self._pending: set[int] = set()
        self._before: dict[int, Any] = {}
        self._shown: list[str] = []
        self._console = Console(force_terminal=True, highlight=False, markup=False, emoji=False)
        self.plain = self._console.options.ascii_only

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._mode = termios.tcgetattr(self._in)
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._noted)
        try:
            self._take()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back. An end that a signal asked for is then carried out."""
        interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second ^C must not keep the screen
        try:
            self._give_back()
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._wakeup)
            os.close(self._wake)
            os.close(self._woken)
            signal.signal(signal.SIGINT, interrupted)
        for number in self._pending & {signal.SIGTERM, signal.SIGHUP}:
            os.kill(os.getpid(), number)

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            raise Gone from None
        return columns or _SIZE[0], lines or _SIZE[1]

    def keys(self, seconds: float) -> list[str]:
        """What was pressed, after waiting at most so long. A change of size, or of who has the terminal,
        ends the wait.

        Raises:
            Gone: the terminal is closed, or the process was told to end.
        """
        ready, _, _ = select.select([self._in, self._wake], [], [], max(0.0, seconds))
        if self._wake in ready:
            os.read(self._wake, 1024)
        self._heed()
        if self._in not in ready:
            return []
        try:
            data = os.read(self._in, 1024)
        except OSError:
            data = b""
        if not data:
            raise Gone
        return self._keys.read(data)

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines, which fit; only what has changed since is written."""
        drawn = [self._encoded(line) for line in lines]
        before = self._shown if len(self._shown) == len(drawn) else [""] * len(drawn)
        changed = [f"\x1b[{at};1H{new}" for at, (new, old) in enumerate(zip(drawn, before, strict=True), 1)
                   if new != old]  # fmt: skip
        self._shown = drawn
        self._write("".join(changed).encode(self._console.encoding, "replace"))

    def _encoded(self, line: Text) -> str:
        self._console.width = max(1, line.cell_len)
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, overflow="crop")
        return captured.get()

    def _heed(self) -> None:
        """Do what the signals of late ask for."""
        if self._pending & {signal.SIGTERM, signal.SIGHUP}:
            raise Gone
        if signal.SIGTSTP in self._pending:
            self._pending.discard(signal.SIGTSTP)
            self._give_back()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)  # stops here, until somebody continues the process
            signal.signal(signal.SIGTSTP, self._noted)
            self._pending.add(signal.SIGCONT)
        if self._pending & {signal.SIGCONT, signal.SIGWINCH}:
            again = signal.SIGCONT in self._pending
            self._pending -= {signal.SIGCONT, signal.SIGWINCH}
            self._shown = []
            if again:
                self._take()
            else:
                self._write(b"\x1b[2J")

    def _take(self) -> None:
        tty.setcbreak(self._in)
        self._write(_ENTER)
        self._shown = []

    def _give_back(self) -> None:
        try:
            self._write(_LEAVE)
            termios.tcsetattr(self._in, termios.TCSANOW, self._mode)
        except (Gone, termios.error):
            pass  # there is none any more

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            raise Gone from None

    def _noted(self, number: int, _: FrameType | None) -> None:
        self._pending.add(number)
