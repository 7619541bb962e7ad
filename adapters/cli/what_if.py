"""`replay --what-if`: what a log would have come to with other settings. Nothing runs or is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import cast

from claude_pool.domain.values import counted

from ..share import Share
from . import exits, output
from .replay_view import Wanted, parse_until
from .shell import Shell, View

_SHOWN = 20
"""So many tasks of another fate are listed; `--json` has all."""


def show_what_if(shell: Shell, said: Sequence[str], until: str | None) -> int:
    """Print what happened beside what would have."""
    from ..whatif.changes import parse
    from ..whatif.view import what_if

    changes = parse(said)
    wanted = Wanted() if until is None else parse_until(until)
    reader = shell.reader()
    try:
        with output.progress("reading the log") as show:
            events = takewhile(lambda each: not wanted.passed(each), reader.events(0, wanted.until))
            view = what_if(events, changes, shell.prices(), _told(show, wanted.until or reader.end()))
    finally:
        reader.close()
    if shell.json:
        output.as_json(view)
    else:
        _show(view)
    return exits.DONE


def _told(show: Callable[[str], None], end: int) -> Callable[[str, int, int], None]:
    def tell(what: str, done: int, of: int) -> None:
        show(Share(what, done, of, "tasks") if of else Share(what, done, end, "events"))

    return tell


def _show(view: View) -> None:
    other = cast("View | None", view["what_if"]) or cast("View", view["replayed"])
    heading = "WHAT IF" if view["what_if"] is not None else "REPLAYED"
    rows = [{"what": name, "was": show(view["as_it_was"]), "if": show(other)} for name, show in _ROWS.items()]
    output.table(
        rows,
        {"": lambda row: row["what"], "AS IT WAS": lambda row: row["was"], heading: lambda row: row["if"]},
    )
    output.result("\n")
    output.result(_deviation(view))
    for text in _notes(view):
        output.result(text)
    changed = cast("list[View]", view["changed"])
    if changed:
        output.result("\n")
        output.table(changed[:_SHOWN], _FATES)
        if len(changed) > _SHOWN:
            output.result(f"and {len(changed) - _SHOWN} more; --json lists all")


def _deviation(view: View) -> str:
    """How far the replay is to be trusted: what it makes of the record with nothing changed."""
    found = cast("View", view["deviation"])
    tasks = int(found["tasks"])
    ends = "every task ended as it did" if not tasks else f"{counted(tasks, 'task')} ended otherwise"
    return f"replayed as it was: finish {_share(found['finish'])}, spend {_share(found['spend'])}, {ends}"


def _notes(view: View) -> list[str]:
    notes: list[str] = []
    if view["live_tasks"]:
        notes.append(
            f"{counted(view['live_tasks'], 'task')} had not ended where the record does; here they go on"
        )
    if view["substitutes"]:
        attempts = counted(view["substitutes"], "attempt")
        notes.append(f"{attempts} never happened; they took and cost what others like them did")
    return notes


def _share(share: float | None) -> str:
    if share is None:
        return "unknown"
    return f"{share:+.1%}" if abs(share) >= 0.0005 else "equal"


def _duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "-"
    if milliseconds < 60_000:
        return output.seconds(milliseconds)
    seconds = round(milliseconds / 1000)
    hours, rest = divmod(seconds, 3600)
    minutes = f"{rest // 60:02}m{rest % 60:02}s" if hours else f"{rest // 60}m{rest % 60:02}s"
    return f"{hours}h{minutes}" if hours else minutes


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


_ROWS: dict[str, Callable[[View], object]] = {
    "finish": lambda sums: output.moment(sums["finished_at"]) or "-",
    "elapsed": lambda sums: _duration(sums["elapsed_ms"]),
    "spend": lambda sums: output.dollars(sums["spent_microdollars"]),
    "most reserved": lambda sums: output.dollars(sums["reserved_peak_microdollars"]),
    "attempts": lambda sums: sums["attempts"],
    "completed": lambda sums: sums["completed_tasks"],
    "failed": lambda sums: sums["failed_tasks"],
    "cancelled": lambda sums: sums["cancelled_tasks"],
    "refused": lambda sums: sums["refused_tasks"],
    "not ended": lambda sums: sums["unfinished_tasks"],
    "waited, p50": lambda sums: _duration(sums["waited_p50_ms"]),
    "waited, p95": lambda sums: _duration(sums["waited_p95_ms"]),
    "slots at work": lambda sums: _percent(sums["slot_utilisation"]),
}

_FATES: dict[str, Callable[[View], object]] = {
    "TASK": lambda task: task["task_id"],
    "WAS": lambda task: task["from"],
    "WOULD BE": lambda task: task["to"],
    "WHY": lambda task: task["why"] or "-",
}
