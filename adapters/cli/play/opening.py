"""From the flags of `replay` to its view of the whole terminal."""

from __future__ import annotations

from claude_pool.domain.errors import InvalidArgument

from ...reading import At
from .. import output
from ..periods import parse_at
from ..reading import Reader
from ..replay_view import Wanted
from ..shell import Shell
from .player import Player
from .terminal import insist_on_a_terminal
from .watching import Watching


def open_view(shell: Shell, wanted: Wanted, at: str | None, *, play: bool, follow: bool, check: bool) -> int:
    """Show the log in a view of the whole terminal until the viewer leaves; the exit code.

    It begins at the start, or `at` a position or time, and ends where `wanted` does. With `follow` it begins
    at the end, and goes on with what happens next.

    Raises:
        InvalidArgument: there is no terminal, no such place in the log, or flags do not go together.
    """
    _insist(shell, wanted, at, play=play, follow=follow, check=check)
    begin = None if at is None else _position(shell, parse_at(at))
    end = _last(shell, wanted, follow=follow)
    reader: Reader = shell.reader()
    try:
        if begin is None and not follow:
            begin = 0
        player = Player(wanted=Wanted(subjects=wanted.subjects, type=wanted.type), live=follow)
        watching = Watching(reader, player, reader.end() if end is None and not follow else end,
                            lambda text: _position(shell, parse_at(text)))  # fmt: skip
        code = watching.watch(begin)
    finally:
        reader.close()
    if watching.failed is not None:
        output.note(f"[{watching.failed.code}] {watching.failed}")
    return code


def _insist(shell: Shell, wanted: Wanted, at: str | None, *, play: bool, follow: bool, check: bool) -> None:
    if not play:
        problem = "it says where --play begins; --until says where what is printed ends"
        raise InvalidArgument(argument="--at", problem=problem)
    if shell.json or check:
        problem = f"it is for people; leave out {'--json' if shell.json else '--check'}"
        raise InvalidArgument(argument="--play", problem=problem)
    if follow and (at is not None or (wanted.until, wanted.before) != (None, None)):
        problem = "live, the view begins now and has no end; leave out --at and --until"
        raise InvalidArgument(argument="--follow --play", problem=problem)
    insist_on_a_terminal("--play")


def _last(shell: Shell, wanted: Wanted, *, follow: bool) -> int | None:
    """The last position that is wanted; None: that of the log."""
    if follow or wanted.before is None:
        return wanted.until
    return _position(shell, At(None, wanted.before, "--until"))


def _position(shell: Shell, at: At) -> int:
    """The position that is meant: the end of the append that it falls in.

    Raises:
        InvalidArgument: the log has no such position, or began later.
    """
    shell.insist_on_a_log()
    from ...wiring import open_reader

    reader = open_reader(shell.settings.places, at)
    try:
        return reader.end()
    finally:
        reader.close()
