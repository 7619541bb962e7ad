"""Reads the arguments of a tool call: everything is checked, and every problem is said at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from claude_pool.domain.errors import InvalidArgument
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from ..config.values import closest
from .fields import HIGHEST_MODE

SHOWN_PROBLEMS = 12
"""So many problems of one call are told; a caller that has more has one that repeats."""

_SHOWN_CHARACTERS = 60
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

A = TypeVar("A", bound="Arguments")


class Arguments(BaseModel):
    """The arguments of a tool. Nothing unknown, no text for a number, no NaN. null means: not given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NoArguments(Arguments):
    """For tools that take none."""


def read_arguments(model: type[A], given: Mapping[str, Any] | None, highest_mode: str) -> A:
    """`given` as `model`. `highest_mode` is the permission mode that the caller may raise a task to.

    Raises:
        InvalidArgument: with every problem, each as `<field>: <problem>`, in one message.
    """
    try:
        return model.model_validate(dict(given or {}), context={HIGHEST_MODE: highest_mode})
    except ValidationError as error:
        raise _invalid(model, error) from None


def _invalid(model: type[Arguments], error: ValidationError) -> InvalidArgument:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    told = [_told(model, each) for each in details[:SHOWN_PROBLEMS]]
    first, problem = told[0]
    rest = [f"{field}: {text}" for field, text in told[1:]]
    if len(details) > SHOWN_PROBLEMS:
        rest.append(f"and {len(details) - SHOWN_PROBLEMS} more")
    return InvalidArgument(argument=first, problem="; ".join([problem, *rest]))


def _told(model: type[Arguments], detail: ErrorDetails) -> tuple[str, str]:
    where = ".".join(_shown(str(part)) for part in detail["loc"]) or "arguments"
    match detail["type"]:
        case "missing":
            return where, "is required"
        case "extra_forbidden":
            name = _shown(str(detail["loc"][-1]))
            known = closest(name, model.model_fields) if len(detail["loc"]) == 1 else ""
            return where, f"there is no such argument{known}"
        case _:
            return where, _range(model, detail) or detail["msg"].removeprefix("Input ")


def _range(model: type[Arguments], detail: ErrorDetails) -> str | None:
    """The whole range of an argument that is a count, for whatever was given instead."""
    known = model.model_fields.get(str(detail["loc"][0])) if len(detail["loc"]) == 1 else None
    if known is None or int not in (known.annotation, *get_args(known.annotation)):
        return None
    least = next((bound.ge for bound in known.metadata if hasattr(bound, "ge")), None)
    most = next((bound.le for bound in known.metadata if hasattr(bound, "le")), None)
    return None if least is None or most is None else f"should be a whole number from {least} to {most}"


def _shown(name: str) -> str:
    text = _UNPRINTABLE.sub("?", name[:_SHOWN_CHARACTERS])
    return text if len(name) <= _SHOWN_CHARACTERS else f"{text}…"
