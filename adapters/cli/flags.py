"""Turns plain functions into verbs of the command line, and the table of pool options into flags."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from copy import copy
from typing import Annotated, Any, cast, get_args

import typer
from typer.models import OptionInfo

from ..config.amounts import Range
from ..config.options import OPTIONS, PLACING, Option
from .guard import guarded
from .shell import Shell

Verb = Callable[..., int | None]

_TYPES: dict[str, type] = {"switch": bool, "list": list[str]}

_METAVARS: dict[Any, str] = {int: "N", float: "NUMBER", str: "TEXT", list[str]: "A,B"}

_NUMBERS = {"number": "N", "money": "NUMBER", "seconds": "NUMBER"}
"""Kinds of options that are numbers. They stay text here: whoever reads them knows their range."""

_JSON = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add(
    app: typer.Typer,
    verb: Verb,
    name: str | None = None,
    pool_flags: Sequence[Option] = (),
    more: Sequence[inspect.Parameter] = (),
    *,
    alone: bool = False,
) -> None:
    """Make `verb` a command of `app`; `alone`: what `app` does where no command of it is named.

    The verb's first parameter is the `Shell`; its others become arguments and flags, those of `more`
    reach it by name. Besides, it gets `--json`, the flags that say which pool is meant, and `pool_flags`,
    which reach it in the shell.
    """
    declared = list(inspect.signature(verb, eval_str=True).parameters.values())[1:]
    own = [*(each for each in declared if each.kind is not inspect.Parameter.VAR_KEYWORD), *more]
    taken = {parameter.name for parameter in own}
    placing = [option for option in OPTIONS if option.name in PLACING and option.name not in taken]
    options = [option for option in (*pool_flags, *placing) if option.name not in taken]
    names = {option.name for option in options}

    def command(ctx: typer.Context, **values: object) -> None:
        before = dict(cast("dict[str, object]", ctx.obj or {}))
        given = {key: _joined(values.pop(key)) for key in names}
        as_json = bool(values.pop("json", False)) or bool(before.pop("json", False))
        flags = {**before, **{key: value for key, value in given.items() if value is not None}}
        if ctx.invoked_subcommand is not None:
            ctx.obj = {**flags, "json": as_json}
            return
        raise typer.Exit(guarded(lambda: verb(Shell(flags, as_json), **values)))

    flags = [_parameter(option) for option in options]
    json = [inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_JSON)]
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_ONLY, annotation=typer.Context)
    parameters = [
        context,
        *(_strict(each.replace(kind=inspect.Parameter.KEYWORD_ONLY)) for each in (*own, *flags, *json)),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect's own protocol
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    if alone:
        app.callback(invoke_without_command=True, help=inspect.getdoc(verb))(command)
    else:
        app.command(name or verb.__name__, help=inspect.getdoc(verb))(command)


def parameter(name: str, kind: Any, help: str, *flags: str, metavar: str | None = None) -> inspect.Parameter:
    """A flag that a verb gets as `name`, None where it is not given."""
    about = typer.Option(*flags, help=help, show_default=False, metavar=metavar or _METAVARS.get(kind))
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=None, annotation=Annotated[kind | None, about])


def _parameter(option: Option) -> inspect.Parameter:
    flag = f"{option.flag}/{option.opposite}" if option.kind == "switch" else option.flag
    short = (option.short,) if option.short else ()
    kind, metavar = _TYPES.get(option.kind, str), number_metavar(option)
    return parameter(option.name, kind, _help(option), flag, *short, metavar=metavar)


def number_metavar(option: Option) -> str | None:
    """How the help names the value of an option that is a number; None for others."""
    return _NUMBERS.get(option.kind)


def _strict(parameter: inspect.Parameter) -> inspect.Parameter:
    """The same flag, with numbers read as everywhere: Python would take `1_000`, `nan` and `٣` as well."""
    arguments = list[Any](get_args(parameter.annotation))
    kinds = {int, float} & {arguments[0], *get_args(arguments[0])} if arguments else set[type]()
    about = arguments[1] if len(arguments) > 1 else None
    if not kinds or not isinstance(about, OptionInfo):
        return parameter
    kind = kinds.pop()
    least = -math.inf if about.min is None else about.min
    most = math.inf if about.max is None else about.max
    unit = "a whole number" if kind is int else "a number"
    bounds = Range(unit, least, most, whole=kind is int)

    def number(raw: object) -> float:
        try:
            return bounds.read(raw)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    strict = copy(about)
    strict.parser, strict.min, strict.max = number, None, None
    strict.metavar = about.metavar or _METAVARS[kind]
    return parameter.replace(annotation=Annotated[arguments[0], strict])


def _help(option: Option) -> str:
    if option.default in (None, (), False):
        return option.help
    return (
        f"{option.help} [{option.default:g}]"
        if isinstance(option.default, float)
        else f"{option.help} [{option.default}]"
    )


def _joined(value: object) -> object:
    """Repeated flags of a list as one text, as variables give it."""
    return ",".join(cast("list[str]", value)) or None if isinstance(value, list) else value
