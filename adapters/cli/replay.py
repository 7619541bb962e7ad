"""`replay`: the event log, read by a person or a program. Nothing runs, nothing is written."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Annotated

import typer
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.values import kind_of

from ..calling import NoOwner, Unavailable
from ..client import ToolError
from . import exits, output
from .shell import Shell

Until = Annotated[str | None, typer.Option(help="Up to this position or time.", show_default=False)]
Task = Annotated[str | None, typer.Option(help="Only events about this task.", show_default=False)]
Chain = Annotated[str | None, typer.Option(help="Only events about this chain.", show_default=False)]
Slot = Annotated[str | None, typer.Option(help="Only events about this slot.", show_default=False)]
Type = Annotated[
    str | None, typer.Option(help="Only such events: task.*, attempt.failed.", show_default=False)
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens next, until ^C.")]
Diff = Annotated[
    tuple[str, str] | None,
    typer.Option(help="Hold two against each other: tasks, chains, or state directories.", show_default=False,
                 metavar="A B"),
]  # fmt: skip
WhatIf = Annotated[
    list[str] | None,
    typer.Option(help="Replay it with another setting, such as slots=8; repeat it for more.",
                 show_default=False, metavar="NAME=VALUE"),
]  # fmt: skip
Check = Annotated[bool, typer.Option("--check", help="Verify the log and fold it anew; print nothing of it.")]

Play = Annotated[
    bool, typer.Option("--play", help="Watch it as a film on the whole terminal; with --follow, live.")
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="SEQ|TIME", help="With --play: begin there (2h: ago).", show_default=False),
]

_LOOK_SECONDS = 0.2


def replay(
    shell: Shell,
    until: Until = None,
    task: Task = None,
    chain: Chain = None,
    slot: Slot = None,
    type: Type = None,  # the name of the flag
    follow: Follow = False,
    check: Check = False,
    diff: Diff = None,
    what_if: WhatIf = None,
    play: Play = False,
    at: At = None,
) -> int:
    """Print the event log, one event a line."""
    if diff is not None:
        from .comparing import show_difference

        return show_difference(shell, *diff)
    if what_if is not None:
        from .what_if import show_what_if

        return show_what_if(shell, what_if, until)
    from .replay_view import Wanted, event_json, event_line, parse_until

    wanted = Wanted() if until is None else parse_until(until)
    subjects = tuple(each for each in (task, chain, slot) if each is not None)
    _check_filters(task, chain, slot, type)
    wanted = wanted._replace(subjects=subjects, type=type)
    if play or at is not None:
        from .play.opening import open_view

        return open_view(shell, wanted, at, play=play, follow=follow, check=check)
    log = shell.log()
    try:
        if check:
            return _check(shell)
        show = event_json if shell.json else event_line
        after = 0
        while True:
            for recorded in log.read_all(after, wanted.until):
                if wanted.passed(recorded):
                    return exits.DONE
                after = recorded.position
                if wanted.takes(recorded):
                    output.result(show(recorded))
            if not follow or after == wanted.until:
                return exits.DONE
            time.sleep(_LOOK_SECONDS)
    finally:
        log.close()


def _check_filters(task: str | None, chain: str | None, slot: str | None, type: str | None) -> None:
    """Raise `InvalidArgument` where no event of any log could pass."""
    for kind, subject in (("task", task), ("chain", chain), ("slot", slot)):
        # an attempt's id is its task's with a number
        if subject is not None and kind_of(subject.partition(".")[0]) != kind:
            shape = "slot- and a number" if kind == "slot" else f"{kind}- and 16 letters or digits"
            raise InvalidArgument(
                argument=f"--{kind}", problem=f"{subject[:60]!r} is none; a {kind}'s id is {shape}"
            )
    if type is not None:
        from ..store.registry import all_events

        if not any(fnmatchcase(event.NAME, type) for event in all_events()):
            problem = f"no event has a name like {type[:60]!r}; say task.failed, or 'task.*' for all of tasks"
            raise InvalidArgument(argument="--type", problem=problem)


def _check(shell: Shell) -> int:
    from ..check import check_log

    with output.progress("checking the log") as say:
        problems = check_log(shell.settings.places, _live_status(shell), say)
    if shell.json:
        output.as_json({"ok": not problems, "problems": problems})
    elif not problems:
        output.result("the log is whole, and every fold of it agrees")
    for problem in problems:
        output.note(problem)
    return exits.CHECK_FAILED if problems else exits.DONE


def _live_status(shell: Shell) -> dict[str, object] | None:
    """What a running owner shows, to be compared with the log; None where none runs."""
    try:
        with shell.owner(start=False) as client:
            return client.call("pool_status", {}, 30)
    except (NoOwner, Unavailable, ToolError):
        return None
