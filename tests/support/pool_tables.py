"""Tables in features: what the outside saw, compared column by column with what a scenario expects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from tests.support.pool_level import View
from tests.support.pool_money import dollars

Table = Sequence[Sequence[str]]
Row = Mapping[str, str]


def rows_of(table: Table) -> list[dict[str, str]]:
    """The rows of a table with a header."""
    header, *rows = table
    return [dict(zip(header, row, strict=True)) for row in rows]


def pairs_of(table: Table | None) -> dict[str, str]:
    """A table of two columns as names and values."""
    return {name: value for name, value in table or ()}  # noqa: C416  # rows of two, which `dict` cannot know


def compare(table: Table, found: Iterable[Row]) -> None:
    """Check that the rows found are those of the table, in the columns that it has.

    Raises:
        AssertionError: with both as tables.
    """
    header = list(table[0])
    actual = [[row[column] for column in header] for row in found]
    expected = [list(row) for row in table[1:]]
    assert actual == expected, f"\nfound\n{_drawn(header, actual)}\nexpected\n{_drawn(header, expected)}"


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: object) -> str:
    """A value as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def part_of(value: object, path: str) -> object:
    """The part of nested data that `path` names: `results.0.output`."""
    for name in path.split("."):
        if isinstance(value, list):
            value = cast("list[object]", value)[int(name)]
        else:
            value = cast("dict[str, object]", value)[name]
    return value


def task_row(name: str, view: View) -> Row:
    """A task's view as a row."""
    row = {key.replace("_", " "): shown(value) for key, value in view.items()}
    own = str(view.get("task_id") or view.get("chain_id"))
    row = {key: text.replace(own, name) for key, text in row.items()}
    error: View = view.get("error") or {}
    return row | {
        "retryable": shown(error.get("retryable")),
        "task": name,
        "answer": shown(view.get("output", view.get("final_output"))),
        "error": shown(error.get("code")),
        "cost": dollars(view.get("cost_microdollars", 0)),
        "slot": shown(view.get("slot_id")),
    }


def slot_row(view: View) -> Row:
    """A slot's view as a row."""
    row = {key.replace("_", " "): shown(value) for key, value in view.items()}
    return row | {"slot": view["slot_id"], "cost": dollars(view["cost_microdollars"])}


def cost_row(by: str, name: str, view: View) -> Row:
    """A row of costs by `by`, under its name."""
    return {
        by: name,
        "attempts": str(view["attempts"]),
        "tasks": str(view["tasks"]),
        "cost": dollars(view["cost_microdollars"]),
        "estimated": dollars(view["estimated_microdollars"]),
        "p50": dollars(view["p50_cost_microdollars"]),
        "p95": dollars(view["p95_cost_microdollars"]),
    }


def forecast_row(view: View) -> Row:
    """A forecast as a row: what half of all courses say, and nine of ten as well, in seconds from now."""
    row = {"finish in": "", "spend": "", "dry in": "", "unpaid": "", "why not": shown(view["reason"])}
    if view["reason"] is None:
        dry: View | None = view["dry_out"]
        spend: View = view["spend"]
        for part, field in (("finish", "finish in"), ("dry_out", "dry in")):
            moments: View = view[part] or {"p50": None, "p90": None}
            assert moments["p50"] == moments["p90"], moments
            row[field] = "" if moments["p50"] is None else shown((moments["p50"] - view["at"]) // 1000)
        assert spend["p50_microdollars"] == spend["p90_microdollars"], spend
        row["spend"], row["unpaid"] = dollars(spend["p50_microdollars"]), shown(view["unpaid_tasks"]["p50"])
        if dry is not None and not dry["share"]:
            row["dry in"] = "never"
    return row


def attempt_rows(events: Sequence[View], names: Mapping[str, str]) -> list[Row]:
    """All attempts of the tasks in `names` (id to letter) in the order in which they began.

    Conversations are numbered in the order in which they first appear.
    """
    rows: dict[str, dict[str, str]] = {}
    conversations: dict[str, int] = {}
    for event in events:
        data, stream = event["data"], event["stream"]
        match event["name"]:
            case "slot.claimed":
                task_id, _, number = data["attempt"].rpartition(".")
                if task_id in names:
                    talk = conversations.setdefault(data["session"], len(conversations) + 1)
                    rows[data["attempt"]] = {
                        "task": names[task_id], "attempt": number, "slot": stream,
                        "process": str(data["launch"]), "conversation": str(talk), "end": "",
                        "reserved": "", "cost": "", "context": "",
                    }  # fmt: skip
            case "attempt.started" if stream in names:
                row = rows[f"{stream}.{data['attempt']}"]
                row["context"] = "yes" if data["context"] is not None else "no"
            case "session.opened" if stream in names:
                rows[f"{stream}.{data['attempt']}"]["how"] = data["mode"]
            case "funds.reserved" if data["attempt"] in rows:
                rows[data["attempt"]]["reserved"] = dollars(data["amount"])
            case "attempt.succeeded" | "attempt.failed" | "attempt.cancelled" | "attempt.sealed" if (
                stream in names
            ):
                row = rows[f"{stream}.{data['attempt']}"]
                row["end"] = event["name"].removeprefix("attempt.")
                row["cost"] = dollars(data["outcome"]["cost"])
            case _:
                pass
    return list(rows.values())


def account_row(account: View) -> Row:
    """An account of the budget as a row."""
    amounts = {
        "limit": "limit",
        "soft": "soft_limit",
        "spent": "spent",
        "reserved": "reserved",
        "free": "free",
    }
    row = {
        word: "" if (amount := account[f"{name}_microdollars"]) is None else dollars(amount)
        for word, name in amounts.items()
    }
    return {"scope": account["scope"], "asks": "yes" if "question_id" in account else "no", **row}
