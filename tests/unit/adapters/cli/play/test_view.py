"""`replay --play` and `replay --follow --play` on a real terminal, from its first key to what it leaves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.cli.replay import replay
from claude_pool.adapters.cli.shell import Shell
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool_events import PoolOpened

from tests.support.recorded_log import KEPT
from tests.support.seat import Seat, seated

from ..test_replay import NOON, OTHER, Logged

_CLAUDE_POOL = (
    sys.executable,
    "-c",
    "import sys; from claude_pool.adapters.cli.main import main; sys.exit(main())",
)


@contextmanager
def at_a_terminal(
    state: Path, *flags: str, columns: int = 100, lines: int = 30, **environ: str
) -> Generator[Seat]:
    home = {"PATH": os.environ["PATH"], "HOME": str(state / "home"), "LANG": "C.UTF-8"}
    command = (*_CLAUDE_POOL, "--state-dir", str(state), "replay", *flags)
    with seated(command, {**home, **environ}, state, columns, lines) as seat:
        yield seat


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The state directory of a pool that has ended, with 281 events."""
    return Path(shutil.copytree(KEPT, tmp_path / "state"))


def test_the_log_is_gone_through_by_keys(kept: Path) -> None:
    with at_a_terminal(kept, "--play") as seat:
        seat.press(" ")
        seat.until_seen("claude-pool replay", "of 281")
        assert seat.other
        seat.press("G")
        seat.until_seen("281 of 281")
        seat.until_seen(">   281", "pool.owner_stopped")
        seat.press(b"\x1b[D")
        seat.until_seen("280 of 281")
        seat.press("N")
        seat.until_seen(">   254", "attempt.sealed")
        seat.press("g")
        seat.until_seen(" 0 of 281")
        seat.press("n")
        seat.until_seen(">", "attempt.failed")
        seat.press("/slot-0 slot.*\r")
        seat.until_seen("Events of slot-0 slot.*")
        seat.press(":150\r")
        seat.until_seen("150 of 281")
        seat.press("?")
        seat.until_seen("Keys")
        seat.press("q")
        seat.until_told("ended 0 calm")
        seat.until(lambda: not seat.other)

        assert " of 0" not in seat.raw and "1970" not in seat.raw


def test_it_plays_to_the_end_by_itself(kept: Path) -> None:
    with at_a_terminal(kept, "--play", "--at", "200") as seat:
        seat.press("+" * 9)
        seat.until_seen("281 of 281")
        seat.until_seen("the end")


def test_it_is_left_as_it_was_found_after_an_interrupt(kept: Path) -> None:
    with at_a_terminal(kept, "--play") as seat:
        seat.until_seen("of 281")
        seat.press(b"\x03")
        seat.until_told("ended 130 calm")
        seat.until(lambda: not seat.other)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_is_left_as_it_was_found_by_what_ends_it(kept: Path, number: signal.Signals) -> None:
    with at_a_terminal(kept, "--play") as seat:
        seat.until_seen("of 281")
        seat.signal(number)
        seat.until_told(f"ended -{number.value} calm")
        seat.until(lambda: not seat.other)


def test_it_can_be_stopped_and_continued(kept: Path) -> None:
    with at_a_terminal(kept, "--play", "--at", "100") as seat:
        seat.until_seen("of 281")
        seat.press(" ")
        seat.until_seen("‖")
        seat.press(b"\x1a")
        seat.until_told("stopped calm")
        seat.until(lambda: not seat.other)

        seat.go_on()

        seat.until(lambda: seat.other and seat.sees("‖", "of 281"))
        seat.press("q")
        seat.until_told("ended 0 calm")


def test_a_log_that_is_broken_is_shown_up_to_there(kept: Path) -> None:
    with sqlite3.connect(kept / "log.sqlite") as log:
        log.execute("UPDATE events SET topic = 'no.such.event' WHERE rowid = 90")
    log.close()

    with at_a_terminal(kept, "--play") as seat:
        seat.until_seen("of 281")
        seat.press("G")
        seat.until_seen("89 of 281")
        seat.until_seen("[log_broken]")
        seat.press(b"\x1b[D")
        seat.until_seen("88 of 281")
        seat.press("q")
        seat.until_told("ended 4 calm")


def test_it_follows_the_size_of_its_terminal(kept: Path) -> None:
    with at_a_terminal(kept, "--play", "--at", "200", columns=120, lines=40) as seat:
        seat.press(" ")
        seat.until_seen("q quit")
        seat.resize(40, 10)
        seat.until(lambda: len(seat.rows) == 10 and not seat.sees("claude-pool replay"))
        seat.resize(9, 2)
        seat.until(lambda: len(seat.rows) == 2)
        seat.resize(100, 30)
        seat.until_seen("claude-pool replay")


def test_live_it_shows_what_happens_next(tmp_path: Path) -> None:
    logged = Logged(tmp_path)
    try:
        logged.append("pool", PoolOpened("pool", NOON))
        with at_a_terminal(Path(logged.bench.places.state_dir), "--follow", "--play") as seat:
            seat.until_seen("live", "1 of 1")
            logged.submit(OTHER, "and\x1b[2J more")
            seat.until_seen("live", "2 of 2")
            seat.until_seen(OTHER, r"and\x1b[2J more")
            seat.press(b"\x1b[D")
            seat.until_seen("‖", "1 of 2")
            seat.press("G")
            seat.until_seen("live", "2 of 2")
            shutil.rmtree(logged.bench.places.state_dir)
            seat.press("q")
            seat.until_told("ended 0 calm")
    finally:
        logged.close()


def test_without_colours_nothing_is_coloured_and_without_unicode_all_is_ascii(kept: Path) -> None:
    with at_a_terminal(kept, "--play", "--at", "200", NO_COLOR="1", PYTHONUTF8="0", LC_ALL="C",
                       PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii") as seat:  # fmt: skip
        seat.until_seen(" slot-0 ")
        seat.press("q")
        seat.until_told("ended 0 calm")

        assert seat.raw.isascii()
        assert set(re.findall(r"\x1b\[([0-9;]*)m", seat.raw)) <= {"0", "1", "2", "1;2"}


def test_output_that_is_no_terminal_is_refused(kept: Path) -> None:
    command = (*_CLAUDE_POOL, "--state-dir", str(kept), "replay", "--follow", "--play")
    environ = {"PATH": os.environ["PATH"], "HOME": str(kept), "TERM": "xterm"}
    ended = subprocess.run(command, env=environ, cwd=kept, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("[invalid_argument] --play: the view needs a terminal")
    assert "`claude-pool replay` prints the events, and `--json` one a line" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "json", "said"),
    [
        ({"play": True}, True, "it is for people; leave out --json"),
        ({"play": True, "check": True}, False, "it is for people; leave out --check"),
        ({"at": "3"}, False, "--at: it says where --play begins"),
        ({"play": True, "follow": True, "at": "3"}, False, "leave out --at and --until"),
        ({"play": True, "follow": True, "until": "3"}, False, "leave out --at and --until"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    kept: Path, flags: dict[str, Any], json: bool, said: str
) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(said)):
        replay(Shell({"state_dir": str(kept)}, json), **flags)
