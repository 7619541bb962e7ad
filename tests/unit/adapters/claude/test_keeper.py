"""The keeper of a process tree, with real processes under it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from claude_pool.adapters.claude import keeper

from tests.support.waiting import until_sync

_KEEPER = str(Path(keeper.__file__))
_SECONDS = 20.0
# A tree that does not want to die: sessions of its own, double forks, and no ear for gentle signals.
_HARDY = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
            signal.pause()
        os._exit(0)
    os.wait()
while not os.path.exists(sys.argv[1]) or len(open(sys.argv[1]).readlines()) < int(sys.argv[2]):
    time.sleep(0.001)
if sys.argv[3] == "stay":
    signal.pause()
"""

# Chains of processes, each of which starts the next one and is gone: a look at them is out of date at once.
_RESTLESS = """
import os, signal, sys
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.setsid()
        for _ in range(20_000):
            if os.fork():
                os._exit(0)
        os._exit(0)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
signal.pause()
"""


class Kept:
    """A program under a keeper, and the owner's ends of its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], life: int, status: int) -> None:
        self.process = process
        self.life = life
        self._status = status
        self._heard = b""

    def line(self) -> str:
        """The next status line; empty at the end of the pipe."""
        while b"\n" not in self._heard:
            assert select.select([self._status], [], [], _SECONDS)[0], "the keeper says nothing"
            chunk = os.read(self._status, 4096)
            if not chunk:
                return ""
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def rest(self) -> list[str]:
        """All lines to the end of the pipe."""
        lines: list[str] = []
        while line := self.line():
            lines.append(line)
        return lines

    def started(self) -> int:
        """The pid in the first status line."""
        word, pid, start = self.line().split()
        assert word == "started" and int(start) > 0
        return int(pid)

    def order(self, order: bytes) -> None:
        """Write to the keeper."""
        os.write(self.life, order)

    def die(self) -> None:
        """What the kernel does to the pipes of an owner that dies."""
        os.close(self.life)
        self.life = -1


@contextmanager
def kept(*argv: str, script: tuple[str, ...] = (_KEEPER,), most: int = 512) -> Generator[Kept]:
    """A keeper with `argv` under it; both are gone afterwards. `script` is what the interpreter runs."""
    life_r, life = os.pipe()
    status, status_w = os.pipe()
    words = [*script, "keeper", "test", str(life_r), str(status_w), str(most), "--", *argv]
    command = [sys.executable, "-I", "-S", *words]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(life_r, status_w),
        start_new_session=True,
    )
    os.close(life_r)
    os.close(status_w)
    one = Kept(process, life, status)
    try:
        with process:
            yield one
            if one.life >= 0:
                one.die()
            process.wait(_SECONDS)
    finally:
        if one.life >= 0:
            one.die()
        os.close(status)


def hardy(folder: Path, count: int = 3, then: str = "stay") -> tuple[str, ...]:
    """The command of a tree with `count` hardy processes that note their pids in `folder`."""
    return (sys.executable, "-c", _HARDY, str(folder / "pids"), str(count), then)


def noted(folder: Path, count: int = 3) -> list[int]:
    """The pids that the hardy processes noted, once all of them did."""
    pids = list[int]()

    def grown() -> bool:
        with suppress(FileNotFoundError):
            pids[:] = map(int, (folder / "pids").read_text().split())
        return len(pids) == count

    until_sync(grown, _SECONDS, "a tree that has grown")
    return pids


def gone(pids: list[int]) -> bool:
    """Whether none of `pids` exists."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_program_has_the_pipes_and_its_exit_is_told() -> None:
    with kept("/bin/sh", "-c", "read line; echo got $line; echo oops >&2; exit 7") as one:
        out, err = one.process.communicate(b"hello\n", timeout=_SECONDS)
        assert (out, err) == (b"got hello\n", b"oops\n")
        one.started()
        exited, empty = one.rest()
        assert exited.startswith("exit 7 maxrss ") and empty == "empty after 0 kills"


def test_a_program_that_cannot_be_executed_is_told() -> None:
    with kept("/does/not/exist") as one:
        assert one.rest() == ["failed 2 No such file or directory"]


def test_a_signal_that_ends_the_program_is_told() -> None:
    with kept("/bin/sh", "-c", "kill -SEGV $$") as one:
        one.started()
        assert one.line().startswith(f"exit -{signal.SIGSEGV} ")


@pytest.mark.parametrize("how", ["owner dies", "order"])
def test_a_hardy_tree_is_gone_within_a_second(tmp_path: Path, how: str) -> None:
    with kept(*hardy(tmp_path)) as one:
        program = one.started()
        pids = noted(tmp_path)
        began = time.monotonic()
        if how == "order":
            one.order(b"k")
        else:
            one.die()
        *_, empty = one.rest()
        assert time.monotonic() - began < 1.0
        assert empty.startswith("empty after ")
        assert gone([program, *pids])


def test_what_a_finished_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    with kept(*hardy(tmp_path, then="go")) as one:
        one.started()
        exited, empty = one.rest()
        assert exited.startswith("exit 0 ") and empty == "empty after 3 kills"
        assert gone(noted(tmp_path))


def test_a_sweep_of_orphans_spares_the_program_and_its_children(tmp_path: Path) -> None:
    script = f'sleep 600 & echo $! > {tmp_path}/child; {sys.executable} -c "$1" {tmp_path}/pids 3 go; wait'
    with kept("/bin/sh", "-c", script, "sh", _HARDY) as one:
        program = one.started()
        orphans = noted(tmp_path)
        one.order(b"o")
        assert one.line() == "swept 3"
        assert gone(orphans)
        assert not gone([program]) and not gone([int((tmp_path / "child").read_text())])


def test_more_processes_than_allowed_are_all_ended_while_somebody_watches(tmp_path: Path) -> None:
    with kept(*hardy(tmp_path, count=12), most=10) as one:
        one.started()
        pids = noted(tmp_path, count=12)
        one.order(b"w")
        assert one.line() == "crowded 10"
        assert one.rest()[-1].startswith("empty after ")
        assert gone(pids)


def test_processes_that_are_always_others_are_counted_and_all_ended(tmp_path: Path) -> None:
    program = (sys.executable, "-I", "-S", "-c", _RESTLESS, str(tmp_path / "pids"), "50")
    with kept(*program, most=40) as one:
        one.started()
        noted(tmp_path, count=1)
        one.order(b"w")
        assert one.line() == "crowded 40"
        assert one.rest()[-1].startswith("empty after ")


def test_nobody_counts_between_turns(tmp_path: Path) -> None:
    with kept(*hardy(tmp_path, count=12), most=10) as one:
        one.started()
        noted(tmp_path, count=12)
        one.order(b"wo")
        assert one.line() == "swept 12"


def test_a_sweep_with_nothing_to_do_says_so() -> None:
    with kept("/bin/sleep", "600") as one:
        one.started()
        one.order(b"o")
        assert one.line() == "swept 0"


@pytest.mark.parametrize(("order", "number"), [(b"i", signal.SIGINT), (b"t", signal.SIGTERM)])
def test_gentle_signals_reach_the_program(order: bytes, number: int) -> None:
    with kept("/bin/sleep", "600") as one:
        one.started()
        one.order(order)
        assert one.line().startswith(f"exit -{number} ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_keeper_itself_ignores_gentle_signals(number: int) -> None:
    with kept("/bin/sleep", "600") as one:
        program = one.started()
        one.process.send_signal(number)
        one.order(b"o")
        assert one.line() == "swept 0"
        assert not gone([program])


def test_the_program_dies_with_a_keeper_that_is_killed() -> None:
    with kept("/bin/sleep", "600") as one:
        program = one.started()
        one.process.kill()
        assert one.rest() == []
        until_sync(lambda: gone([program]), _SECONDS)


def test_the_program_inherits_three_descriptors_and_no_other() -> None:
    with kept("/bin/sh", "-c", "ls /proc/self/fd; exec sleep 600") as one:
        one.started()
        assert one.process.stdout is not None
        # `ls` opens the folder itself as the fourth.
        assert [one.process.stdout.readline() for _ in range(4)] == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_the_program_has_the_default_signals_and_a_session_of_its_own() -> None:
    script = (
        "import os, signal; print(os.getsid(0) == os.getpid(), "
        "[n.name for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT) "
        "if signal.getsignal(n) is signal.SIG_IGN])"
    )
    with kept(sys.executable, "-I", "-c", script) as one:
        out, _ = one.process.communicate(timeout=_SECONDS)
        assert out == b"True []\n"


def test_zombies_of_the_program_are_reaped(tmp_path: Path) -> None:
    script = f"for i in 1 2 3 4 5; do (sh -c 'exit 0' &) ; done; touch {tmp_path}/ready; exec sleep 600"
    with kept("/bin/sh", "-c", script) as one:
        program = one.started()
        until_sync((tmp_path / "ready").exists, _SECONDS)
        one.order(b"o")
        assert one.line().startswith("swept ")
        children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
        assert children == [str(program)]


def test_a_wrong_command_line_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", _KEEPER, "keeper"], capture_output=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 2 and b"usage" in done.stderr


def test_without_subreapers_the_group_and_the_descendants_are_killed(tmp_path: Path) -> None:
    as_macos = f"import runpy, sys; sys.platform = 'darwin'; runpy.run_path({_KEEPER!r}, run_name='__main__')"
    script = f"setsid sleep 600 & echo $! > {tmp_path}/pids; sleep 600 & echo $! >> {tmp_path}/pids; wait"
    with kept("/bin/sh", "-c", script, script=("-c", as_macos)) as one:
        program = one.started()
        pids = noted(tmp_path, 2)
        one.die()
        assert one.rest()[-1].startswith("empty after ")
        until_sync(lambda: gone([program, *pids]), _SECONDS)  # init reaps the grandchildren


def test_descendants_are_found_without_a_subreaper() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        try:
            found = keeper.descendants(os.getpid(), direct=False)
            assert {shell.pid, child} <= set(found)
            assert child not in keeper.descendants(os.getpid(), direct=True)
        finally:
            os.kill(child, signal.SIGKILL)
            shell.kill()
