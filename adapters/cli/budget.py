"""`budget`: what may be spent, what is, and what is left, and other limits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, cast

import typer
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.values import dollars

from ..client import Client
from ..config.amounts import DOLLARS
from . import output
from .shell import Shell, View

_NONE = "none"
_BAR = 24
_SPENT, _RESERVED, _FREE = "█▒·"
_PLAIN = str.maketrans({_SPENT: "#", _RESERVED: "+", _FREE: "."})

Amount = Annotated[
    str | None,
    typer.Argument(metavar="AMOUNT", help="The limit in dollars; none: no limit.", show_default=False),
]
Soft = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT", help="Ask before more than this is spent; none: do not.", show_default=False
    ),
]
Day = Annotated[bool, typer.Option("--day", help="Of each day (UTC), rather than of the pool.")]
Tag = Annotated[str | None, typer.Option(help="Of the tasks with this tag.", show_default=False)]


def show_budget(shell: Shell) -> None:
    """Show what the pool, today and tags may spend, have spent, and have left."""
    view = shell.look(_read, lambda reader: reader.budget())
    if shell.json:
        output.as_json(view)
    else:
        _show(cast("list[View]", view["scopes"]))


def set_budget(
    shell: Shell, amount: Amount = None, soft: Soft = None, day: Day = False, tag: Tag = None
) -> None:
    """Set or lift a limit. It holds at once, and what is spent stays."""
    scope = _scope(day, tag)
    if amount is None and soft is None:
        raise InvalidArgument(argument="AMOUNT", problem="say an amount, or --soft and one")
    arguments: dict[str, object] = {"scope": scope}
    lifted: list[str] = []
    for flag, argument, name, given in (
        ("AMOUNT", "set_usd", "limit", amount), ("--soft", "soft_usd", "soft", soft),
    ):  # fmt: skip
        if given is not None and given.strip() == _NONE:
            lifted.append(name)
        elif given is not None:
            arguments[argument] = read_dollars(flag, given)
    if lifted:
        arguments["lift"] = "both" if len(lifted) > 1 else lifted[0]
    _change(shell, arguments, scope)


def reset_budget(shell: Shell) -> None:
    """Count all spend anew, from 0; limits stay."""
    _change(shell, {"reset": True}, None)


def read_dollars(flag: str, given: str) -> float:
    """An amount as it was typed, in dollars.

    Raises:
        InvalidArgument: it is none, or out of range.
    """
    try:
        return DOLLARS.read(given)
    except ValueError as error:
        raise InvalidArgument(argument=flag, problem=str(error)) from None


def _scope(day: bool, tag: str | None) -> str:
    if day and tag is not None:
        raise InvalidArgument(argument="--tag", problem="is another limit than --day; set one at a time")
    return "day" if day else "pool" if tag is None else f"tag:{tag}"


def _read(client: Client) -> View:
    return cast("View", json.loads(client.read("pool://budget")))


def _change(shell: Shell, arguments: dict[str, object], scope: str | None) -> None:
    """Change the budget, and say what was before: who erred can set that again."""
    with shell.owner() as client:
        before = _by_scope(_read(client))
        view = client.call("pool_budget", arguments)
    if shell.json:
        output.as_json(view)
        return
    nothing: View = {"limit_microdollars": None, "soft_limit_microdollars": None}
    for name, after in _by_scope(view).items():
        if scope is None:
            changed = [_changed("spent", before[name], after)]
        elif name == scope:
            then = before.get(name, nothing)
            changed = [_changed("limit", then, after), _changed("soft_limit", then, after)]
        else:
            continue
        output.result(f"{output.line(name)}: {', '.join(changed)}")


def _by_scope(view: View) -> dict[str, View]:
    return {each["scope"]: each for each in view["scopes"]}


def _changed(name: str, before: View, after: View) -> str:
    then, now = _money(before[f"{name}_microdollars"]), _money(after[f"{name}_microdollars"])
    word = name.replace("_", " ")
    return f"{word} {now} (as before)" if then == now else f"{word} {then} -> {now}"


def _money(microdollars: int | None) -> str:
    return _NONE if microdollars is None else dollars(microdollars)


def _show(scopes: list[View]) -> None:
    columns: dict[str, Callable[[View], object]] = {
        "SCOPE": lambda each: each["scope"],
        "SPENT": lambda each: _money(each["spent_microdollars"]),
        "RESERVED": lambda each: _money(each["reserved_microdollars"]),
        "FREE": lambda each: "" if each["free_microdollars"] is None else _money(each["free_microdollars"]),
        "SOFT": lambda each: _money(each["soft_limit_microdollars"]),
        "LIMIT": lambda each: _money(each["limit_microdollars"]),
    }
    if sys.stdout.isatty():
        columns["USED"] = _used
    columns["NOW"] = _now
    output.table(scopes, columns)


def _used(scope: View) -> str:
    """A bar as long as the limit: what is spent, what is reserved, and the rest."""
    limit: int | None = scope["limit_microdollars"] or scope["soft_limit_microdollars"]
    if limit is None:
        return ""
    spent = min(_BAR, _part(scope["spent_microdollars"], limit))
    held = min(_BAR - spent, _part(scope["reserved_microdollars"], limit))
    drawn = _SPENT * spent + _RESERVED * held + _FREE * (_BAR - spent - held)
    try:
        drawn.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return drawn.translate(_PLAIN)
    return drawn


def _part(amount: int, limit: int) -> int:
    """So many characters, rounded up: what is not nothing is seen."""
    return -(-_BAR * amount // limit)


def _now(scope: View) -> str:
    if scope["stopped"]:
        return "stopped"
    return f"asks {scope['question_id']}" if "question_id" in scope else ""
