"""`forecast`: when the present queue will be done and what it will cost, from the log's own history."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, cast

import typer
from claude_pool.domain.values import counted

from ..calling import NoOwner, Unavailable
from ..config.amounts import DOLLARS, given, microdollars
from . import output
from .shell import Shell, View

Slots = Annotated[
    int | None,
    typer.Option(metavar="N", help="As if the pool had so many slots.", min=1, max=1000, show_default=False),
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="USD", help="As if this were the pool's limit, in dollars.", show_default=False),
]


def forecast(shell: Shell, slots: Slots = None, budget: Budget = None) -> None:
    """Tell when the queue will be done, what it will cost, and when the money will be spent."""
    limit = None if budget is None else microdollars(given(budget, DOLLARS, "--budget"))
    reader = shell.reader()
    try:
        with output.progress("imagining what may come"):
            view = reader.forecast(_owned(shell), slots, limit)
    finally:
        reader.close()
    if shell.json:
        output.as_json(view)
    elif view["reason"] is not None:
        output.result(f"no forecast: {view['reason']} ({counted(view['tasks'], 'task')} in the queue)")
    else:
        _show(view)


def _owned(shell: Shell) -> bool:
    """Whether an owner is at work."""
    try:
        with shell.owner(start=False):
            return True
    except NoOwner:
        return False
    except Unavailable as error:
        output.note(f"{error.message} What follows takes it that none is at work.")
        return False


def _show(view: View) -> None:
    now = int(view["at"])
    finish, spend = cast("View", view["finish"]), cast("View", view["spend"])
    dry, unpaid = view["dry_out"], cast("View", view["unpaid_tasks"])
    rows: list[View] = [
        {"what": "finish", **{p: moment(finish[p], now) for p in _PERCENTS}},
        {"what": "spend", **{p: output.dollars(spend[f"{p}_microdollars"]) for p in _PERCENTS}},
    ]
    if dry is not None:
        never = {p: moment(dry[p], now) if dry[p] is not None else "not before the end" for p in _PERCENTS}
        rows.append({"what": "money spent", **never})
        rows.append({"what": "unpaid tasks", **{p: unpaid[p] for p in _PERCENTS}})
    output.table(
        rows, {"": lambda row: row["what"], "P50": lambda row: row["p50"], "P90": lambda row: row["p90"]}
    )
    output.result("")
    output.fields(
        {
            "queue": ", ".join(_queue(view)),
            "rests on": "; ".join(
                f"{counted(each['tasks'], 'task')} like {each['samples']} that ended ({_LIKE[each['like']]})"
                for each in cast("list[View]", view["basis"])
            ),
            "courses": view["runs"] if view["tasks"] else None,
            "dry-out": f"the money is spent before the end in {dry['share']:.0%} of them" if dry else None,
            "if": ", ".join(cast("list[str]", view["assumes"])),
            "times": time.strftime("%Z (UTC%z)"),
        }
    )


_PERCENTS = ("p50", "p90")
_LIKE = {
    "skill": "same skill",
    "step": "same step of a chain",
    "model and tag": "same model and tag",
    "tag": "same tag",
    "model": "same model",
    "all": "any",
}


def _queue(view: View) -> list[str]:
    found = [counted(view["tasks"], "task")]
    if view["left_out_tasks"]:
        found.append(f"and {view['left_out_tasks']} that wait for someone")
    if view["unplaced_tasks"]:
        found.append(f"and {view['unplaced_tasks']} for a slot that there is not")
    return found


def moment(milliseconds: int, now: int) -> str:
    """How far off a time is, and the time itself as the clock on the wall will show it."""
    return f"in {_length(milliseconds - now)} ({_clock(milliseconds, now)})"


def _length(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    minutes, hours = seconds // 60, seconds // 3600
    if seconds < 120:
        return f"{seconds} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _clock(milliseconds: int, now: int) -> str:
    try:
        at, today = datetime.fromtimestamp(milliseconds / 1000), datetime.fromtimestamp(now / 1000)
    except (OverflowError, ValueError, OSError):
        return "beyond all dates"
    return f"{at:%H:%M:%S}" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M}"
