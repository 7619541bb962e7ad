"""The keeper of one slot: a small process that owns the slot's process tree and leaves nothing of it behind.

Started by the owner as ``python -I -S keeper.py keeper <name> <life> <status> <most> -- <program> …``
in a session of its own, with the program's three standard pipes as its own. The program inherits them
directly; no byte of them passes through the keeper. It uses the standard library only and imports nothing
of this package, so that it starts fast and keeps running while the package is being replaced.

``life`` is the read end of a pipe whose only write end the owner holds. Its end (the owner is gone) and any
byte without another meaning: kill the whole tree at once. ``i`` and ``t``: send the program SIGINT or
SIGTERM, which is free of races because only the keeper reaps it. ``o``: kill what the program's tools left
behind (children of the keeper other than the program), the program stays. ``w``: from now until the next
``o``, look a few times a second how many processes there are; more than ``most`` are a fork bomb, and the
whole tree is killed.

``status`` is written one line at a time: ``started <pid> <start time>`` or ``failed <errno> <text>``, then
``swept <kills>`` for each ``o``, ``crowded <most>`` where there were more, ``exit <code> maxrss <kilobytes>``
(a negative code is a signal), and at last ``empty after <kills> kills``. The end of the pipe without that
line says the keeper itself was lost.

Why it is complete on Linux: the keeper is a subreaper, so whatever its descendants do (sessions of their
own, double forks), each death hands the orphans to the keeper; killing its direct children again and again
until there are none ends the tree. Without subreapers (macOS) it kills the program's process group and the
descendants that ``ps`` shows at that moment: a process that left both its group and its parent escapes,
and a keeper that is itself killed leaves its program running.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SWEEP_STEP_SECONDS = 0.002
ORPHAN_SWEEP_SECONDS = 2.0
LOOK_SECONDS = 0.25
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT)


class Keeper:
    """The tree of one program: starts it, waits for orders, reaps, kills."""

    def __init__(self, life: int, status: int, most: int) -> None:
        """Take over the two descriptors and become the reaper of all descendants."""
        self.most = most
        self.watching = False
        self.life = life
        self.status = status
        self.program = 0
        self.group = 0
        self.killed: set[int] = set()
        self.prctl = None
        for descriptor in (life, status):
            os.set_inheritable(descriptor, False)
        if sys.platform.startswith("linux"):
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
                self.prctl = libc.prctl

    def tell(self, line: str) -> None:
        """Write one status line; an owner that is gone does not read it."""
        with suppress(OSError):
            os.write(self.status, line.encode("utf-8", "replace") + b"\n")

    def start(self, argv: list[str]) -> bool:
        """Fork and execute the program; False where that failed."""
        keeper = os.getpid()
        report, mark = os.pipe()  # close-on-exec: its end says that execv happened
        pid = os.fork()
        if pid == 0:
            self._become(argv, keeper, mark)
        os.close(mark)
        failure = os.read(report, 512)
        os.close(report)
        if failure:
            os.waitpid(pid, 0)
            self.tell("failed " + failure.decode("utf-8", "replace"))
            return False
        self.program = self.group = pid
        self.tell(f"started {pid} {start_time(pid)}")
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 0)
        os.dup2(quiet, 1)
        os.close(quiet)
        return True

    def _become(self, argv: list[str], keeper: int, mark: int) -> None:
        try:
            os.setsid()
            if self.prctl is not None:
                self.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
                if os.getppid() != keeper:
                    os._exit(1)
            for number in IGNORED:
                signal.signal(number, signal.SIG_DFL)
            os.execv(argv[0], argv)
        except OSError as error:
            os.write(mark, f"{error.errno} {error.strerror}"[:500].encode("utf-8", "replace"))
        finally:
            os._exit(127)

    def serve(self) -> None:
        """Obey until the program is gone or the owner is; then end what is left."""
        wakeup, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.reap()
        look = 0.0
        while self.program:
            ready, _, _ = select.select([self.life, wakeup], [], [], LOOK_SECONDS if self.watching else None)
            if self.watching and time.monotonic() >= look:
                look = time.monotonic() + LOOK_SECONDS
                if self.crowded():
                    self.tell(f"crowded {self.most}")
                    break
            if wakeup in ready:
                os.read(wakeup, 4096)
            self.reap()
            if self.life in ready and not self._obey(os.read(self.life, 64)):
                break
        self.sweep()
        self.tell(f"empty after {len(self.killed)} kills")

    def _obey(self, orders: bytes) -> bool:
        if not orders:
            return False
        for order in orders:
            if order == ord("w"):
                self.watching = self.prctl is not None
            elif order == ord("o"):
                self.watching = False
                self.tell(f"swept {self.sweep_orphans()}")
            elif order not in b"it":
                return False
            elif self.program:
                os.kill(self.program, signal.SIGINT if order == ord("i") else signal.SIGTERM)
        return True

    def reap(self) -> bool:
        """Collect the dead; False when there is no child at all."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.program:
                self.program = 0
                self.tell(f"exit {os.waitstatus_to_exitcode(status)} maxrss {kilobytes(usage.ru_maxrss)}")

    def sweep(self) -> None:
        """Kill until nothing is left. It cannot give up: a process in the kernel dies when it returns."""
        while self.reap():
            for pid in self.children():
                self.kill(pid)
            if self.prctl is None:
                self.kill(-self.group)
            time.sleep(SWEEP_STEP_SECONDS)

    def sweep_orphans(self) -> int:
        """Kill the children other than the program, bounded in time; how many there were."""
        before = len(self.killed)
        until = time.monotonic() + ORPHAN_SWEEP_SECONDS
        while self.prctl is not None and self.reap() and self.program and time.monotonic() < until:
            orphans = [pid for pid in self.children() if pid != self.program]
            if not orphans:
                break
            for pid in orphans:
                self.kill(pid)
            time.sleep(SWEEP_STEP_SECONDS)
        return len(self.killed) - before

    def crowded(self) -> bool:
        """Whether there are more processes below the keeper than allowed; counting ends there."""
        found, layer = 0, [os.getpid()]
        while layer and found <= self.most:
            layer = [child for pid in layer for child in children_of(pid)]
            found += len(layer)
        return found > self.most

    def children(self) -> list[int]:
        """The direct children; where there is no subreaper, every descendant that `ps` shows."""
        if self.prctl is not None:
            me = os.getpid()
            if os.path.exists(f"/proc/self/task/{me}/children"):
                return children_of(me)
            return descendants(me, direct=True)  # a kernel built without this file
        return descendants(os.getpid(), direct=False)

    def kill(self, pid: int) -> None:
        """SIGKILL one process or (negative) a group."""
        try:
            os.kill(pid, signal.SIGKILL)
            self.killed.add(pid)
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.EPERM):
                raise


def children_of(pid: int) -> list[int]:
    """The processes that the threads of `pid` started; none where it is gone or the system does not tell."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as listing:
                found += map(int, listing.read().split())
    return found


def start_time(pid: int) -> int:
    """The start of a process in clock ticks since boot; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def kilobytes(maxrss: int) -> int:
    """Peak memory in kilobytes; macOS counts it in bytes."""
    return maxrss // 1024 if sys.platform == "darwin" else maxrss


def descendants(root: int, direct: bool) -> list[int]:
    """Processes below `root` by one look at the process table, without the one that looks."""
    import subprocess  # slow to import, and needed on few systems

    looking = subprocess.Popen(
        ["/bin/ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert looking.stdout is not None
    rows = [line.split() for line in looking.stdout.read().splitlines()]
    table = [(int(row[0]), int(row[1])) for row in rows if len(row) == 2]
    looking.stdout.close()
    looking.returncode = 0  # the keeper's own reap collects it
    found: list[int] = []
    layer = [root]
    while layer:
        layer = [pid for pid, parent in table if parent in layer and pid != looking.pid]
        found += layer
        if direct:
            break
    return found


def main(arguments: list[str]) -> int:
    """Keep the program that the command line names; 0 when its tree is gone, 2 for a wrong command line."""
    if len(arguments) < 7 or arguments[0] != "keeper" or arguments[5] != "--":
        print("usage: keeper.py keeper NAME LIFE_FD STATUS_FD MOST -- PROGRAM [ARGUMENT…]", file=sys.stderr)
        return 2
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    keeper = Keeper(int(arguments[2]), int(arguments[3]), int(arguments[4]))
    if keeper.start(arguments[6:]):
        keeper.serve()
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # the interpreter's own end takes longer than the sweep
