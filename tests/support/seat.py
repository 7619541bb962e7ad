"""Somebody at a terminal: presses keys, reads the screen, changes its size; every wait bounded."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 30.0
"""Seconds that any wait here may take."""

_SHELL = Path(__file__).parents[1] / "fakes" / "small_shell.py"
_MOVES = re.compile(r"\x1b\[(?P<row>\d+);1H|\x1b\[(?P<mode>[?\d;]*)(?P<what>[A-Za-z])")


class Seat:
    """A terminal of `columns` by `lines` with one program on it. `rows` is its screen as far as the program
    writes whole lines; `raw` is all that it ever wrote, `other` whether it has the other screen."""

    def __init__(self, master: int, report: int, control: int, shell: subprocess.Popen[bytes]) -> None:
        self.raw = ""
        self.rows = dict[int, str]()
        self.other = False
        self.reports: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, self._report, self._control = master, report, control
        self._shell = shell

    def press(self, keys: str | bytes) -> None:
        """Press these keys."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def sees(self, *words: str) -> bool:
        """Whether one line of the screen holds all of them."""
        return any(all(word in row for word in words) for row in self.rows.values())

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until `condition` holds.

        Raises:
            TimeoutError: it never does; with the screen.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ready, _, _ = select.select([self._master, self._report], [], [], 0.05)
            self._take(ready)
            if time.monotonic() > deadline:
                screen = "\n".join(text for _, text in sorted(self.rows.items()))
                raise TimeoutError(
                    f"not seen; reports {self.reports}, screen:\n{screen}\n{self.raw[-500:]!r}"
                )

    def until_seen(self, *words: str) -> None:
        """Read until a line of the screen holds all of them."""
        self.until(lambda: self.sees(*words))

    def until_told(self, told: str) -> None:
        """Read until the shell reports this of its job."""
        self.until(lambda: told in self.reports)

    def go_on(self) -> None:
        """Continue the job that was stopped."""
        os.write(self._control, b"\n")

    def signal(self, number: int) -> None:
        """Send a signal to the job, which is the shell's only child."""
        children = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children").read_text()
        os.kill(int(children.split()[0]), number)

    def end(self) -> None:
        """End what is still there."""
        os.close(self._control)
        with suppress(IndexError, FileNotFoundError, ProcessLookupError):
            self.signal(signal.SIGKILL)
        self._shell.wait(PATIENCE)
        os.close(self._master)
        os.close(self._report)

    def _take(self, ready: Sequence[int]) -> None:
        if self._master in ready:
            with suppress(OSError):  # all have closed it
                self.raw += self._decoder.decode(os.read(self._master, 65_536))
                self._draw()
        if self._report in ready:
            self.reports += os.read(self._report, 1_000).decode().splitlines()

    def _draw(self) -> None:
        """What the terminal shows after all that was written."""
        row, at = None, 0
        self.rows.clear()
        for move in _MOVES.finditer(self.raw):
            if row is not None:
                self.rows[row] = self.rows.get(row, "") + self.raw[at : move.start()]
            at = move.end()
            if move["row"]:
                row = int(move["row"])
                self.rows[row] = ""
            elif move["what"] == "J":
                self.rows.clear()
                row = None
            elif move["mode"] == "?1049":
                self.other = move["what"] == "h"
        if row is not None:
            self.rows[row] = self.rows.get(row, "") + self.raw[at:]


@contextmanager
def seated(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, columns: int = 100, lines: int = 30
) -> Generator[Seat]:
    """A seat at a terminal on which `command` was started in `folder`; it is killed at the end."""
    master, slave = pty.openpty()
    report, told = os.pipe()
    asked, control = os.pipe()
    shell = subprocess.Popen(
        [sys.executable, str(_SHELL), str(told), str(asked), *command],
        stdin=slave, stdout=slave, stderr=slave, env={"TERM": "xterm", **environ}, cwd=folder,
        start_new_session=True, pass_fds=(told, asked),
    )  # fmt: skip
    for descriptor in (slave, told, asked):
        os.close(descriptor)
    seat = Seat(master, report, control, shell)
    seat.resize(columns, lines)
    try:
        yield seat
    finally:
        seat.end()
