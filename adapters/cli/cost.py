"""`cost`: who spent what, read from the log alone, whether or not an owner runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer
from claude_pool.domain.costs import By
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.values import dollars

from ..config.values import closest
from . import output
from .periods import AsOf, parse_moment
from .shell import Shell, View

_KINDS = ", ".join(By)
_ROWS = 40
"""So many rows are shown to a person who does not say how many."""

Kind = Annotated[str, typer.Option("--by", help=f"One row for each {_KINDS.replace(', day', ' or day')}.")]
Since = Annotated[
    str | None, typer.Option(help="From this time, day, or so long ago (7d).", show_default=False)
]
Until = Annotated[str | None, typer.Option(help="Up to this time, day, or so long ago.", show_default=False)]
Tag = Annotated[str | None, typer.Option(help="Only tasks with this tag.", show_default=False)]
Model = Annotated[str | None, typer.Option(help="Only attempts with this model.", show_default=False)]
Chain = Annotated[str | None, typer.Option(help="Only steps of this chain.", show_default=False)]
Task = Annotated[str | None, typer.Option(help="Only attempts of this task.", show_default=False)]
Limit = Annotated[
    int | None,
    typer.Option(help=f"So many rows, and one for all others. [{_ROWS}; all with --json]", min=1,
                 show_default=False),
]  # fmt: skip


def cost(
    shell: Shell,
    by: Kind = "model",
    since: Since = None,
    until: Until = None,
    tag: Tag = None,
    model: Model = None,
    chain: Chain = None,
    task: Task = None,
    limit: Limit = None,
    at: AsOf = None,
) -> None:
    """Tell who spent what: settled attempts by what they have in common, and a total to the microdollar."""
    now = time.time_ns() // 1_000_000
    kind = _kind(by)
    begin = None if since is None else parse_moment(since, "--since", now)
    end = None if until is None else parse_moment(until, "--until", now, end=True)
    if begin is not None and end is not None and begin > end:
        raise InvalidArgument(argument="--since", problem=f"{since} is after --until {until}")
    reader = shell.reader(at)
    try:
        view = reader.costs(
            kind, since=begin, until=end, model=model, tag=tag, chain=chain, task=task,
            limit=limit if limit is not None or shell.json else _ROWS,
        )  # fmt: skip
    finally:
        reader.close()
    if shell.json:
        output.as_json(view)
    else:
        show(view)


def _kind(by: str) -> By:
    try:
        return By(by)
    except ValueError:
        problem = f"{by!r} is none of {_KINDS}{closest(by, [each.value for each in By])}"
        raise InvalidArgument(argument="--by", problem=problem) from None


def show(view: View) -> None:
    """Print a view of costs: with a bar in each row on a terminal, and what is spent of the limit below."""
    total: View = view["total"]
    if sys.stdout.isatty():
        _draw(view)
    else:
        output.table([*view["rows"], {"label": "total", **total}], _columns(view["by"]))
    limit = view["budget_microdollars"]
    of = ", no limit" if limit is None else f" of {dollars(limit)}"
    output.result(f"budget: {dollars(view['spent_microdollars'])} spent{of}")
    if total["estimated_microdollars"]:
        output.result(
            f"estimated: {dollars(total['estimated_microdollars'])} of the total, metered by the pool"
        )
    if not total["attempts"]:
        output.note("no attempt was settled there")
    if sum(row["cost_microdollars"] for row in view["rows"]) > total["cost_microdollars"]:
        output.note("an attempt with several tags is in the row of each; the total counts it once")


def _columns(by: str) -> dict[str, Callable[[View], str]]:
    """Headings, the most important ones first, and what stands below them."""
    return {
        by.upper(): lambda row: output.line(row["label"]),
        "COST": lambda row: dollars(row["cost_microdollars"]),
        "SHARE": lambda row: f"{row['share']:.1%}",
        "ATTEMPTS": lambda row: f"{row['attempts']:,}",
        "TASKS": lambda row: f"{row['tasks']:,}",
        "TOKENS": lambda row: f"{sum(row['tokens'].values()):,}",
        "P50": _of_attempts(lambda row: dollars(row["p50_cost_microdollars"])),
        "P95": _of_attempts(lambda row: dollars(row["p95_cost_microdollars"])),
        "TIME P50": _of_attempts(lambda row: _duration(row["p50_elapsed_ms"])),
        "TIME P95": _of_attempts(lambda row: _duration(row["p95_elapsed_ms"])),
    }


def _of_attempts(shown: Callable[[View], str]) -> Callable[[View], str]:
    """A cell that is empty where there is no attempt."""
    return lambda row: shown(row) if row["attempts"] else ""


def _duration(milliseconds: int) -> str:
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}s"
    seconds = milliseconds // 1000
    minutes, hours = seconds // 60, seconds // 3600
    return f"{minutes}m{seconds % 60:02}s" if hours == 0 else f"{hours}h{minutes % 60:02}m"


def _draw(view: View) -> None:
    from rich.console import Console

    from . import bars

    columns = _columns(view["by"])

    def cells(row: View) -> list[str]:
        return [shown(row) for shown in columns.values()]

    rest = f"({view['left_out']} more)"  # longer than any row of its own, which would all look small
    rows = [
        (cells(row), 0 if row["label"] == rest else int(row["cost_microdollars"])) for row in view["rows"]
    ]
    bars.show(
        Console(highlight=False), bars.Bars([*columns], rows, cells({"label": "total", **view["total"]}))
    )
