"""`context`: values that every conversation of the pool is shown."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from claude_pool.domain.errors import NotFound

from . import output
from .shell import Shell, View, given_text

Key = Annotated[str, typer.Argument(metavar="KEY", help="Name of the value.")]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="The text; - reads it from standard input.")]


def set_value(shell: Shell, key: Key, value: Value) -> None:
    """Set a value that all slots share."""
    text = given_text(value)
    with shell.owner() as client:
        _show(shell, client.call("context_set", {"key": key, "value": text}), None)


def get_value(shell: Shell, key: Key) -> None:
    """Print one shared value."""
    view = _listed(shell)
    values = cast("dict[str, str]", view["values"])
    if key not in values:
        raise NotFound(kind="context value", id=key, hint="`claude-pool context list` lists what there is.")
    _show(shell, {"key": key, "value": values[key]}, values[key])


def delete_value(shell: Shell, key: Key) -> None:
    """Remove one shared value."""
    with shell.owner() as client:
        _show(shell, client.call("context_delete", {"key": key}), None)


def list_values(shell: Shell) -> None:
    """List the shared values."""
    view = _listed(shell)
    if shell.json:
        output.as_json(view)
    else:
        rows: list[View] = [
            {"key": key, "value": value} for key, value in cast("dict[str, str]", view["values"]).items()
        ]
        output.table(rows, {"KEY": lambda row: row["key"], "VALUE": lambda row: row["value"]})


def _listed(shell: Shell) -> View:
    return shell.look(lambda client: client.call("context_list", {}), lambda reader: reader.context())


def _show(shell: Shell, view: View, text: str | None) -> None:
    if shell.json:
        output.as_json(view)
    elif text is not None:
        output.result(text)
