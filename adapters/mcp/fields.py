"""The kinds of values that tool arguments have, with their limits.

Types are strict (no text for a number, no true for 1), numbers finite and bounded, texts bounded. A
refused value is never repeated in the message: it may be long, or secret.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from claude_pool.domain.ports import SLOT_SERVER
from claude_pool.domain.values import is_slot_id, parse_session
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, WrapValidator
from pydantic_core import PydanticCustomError

from ..config.amounts import ATTEMPT_SECONDS, DOLLARS, WAIT_SECONDS, Range
from ..config.options import MODES
from ..requests import PROMPT_BYTES
from .canonical import canonical_json

LARGEST_POSITION = 2**53
"""No log has more events, and every client can write the number."""

HIGHEST_MODE = "highest_mode"
"""Key in the validation context: the permission mode that a caller may raise a task to."""

DEFAULT_HIGHEST_MODE = "auto"
"""That mode where the validation context names none."""

JSON_BYTES = 100_000
"""A longer JSON Schema does not fit on a command line."""

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,255}")
_SERVER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

T = TypeVar("T")


def refusal(problem: str) -> PydanticCustomError:
    """What a validator raises: `problem` completes the sentence that begins with the field's name."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem})


def _that(holds: Callable[[T], object], problem: str) -> AfterValidator:
    def check(value: T) -> T:
        if not holds(value):
            raise refusal(problem)
        return value

    return AfterValidator(check)


def _in(allowed: Range) -> WrapValidator:
    """Say the whole range of whatever is not in it: of no number, too."""

    def check(value: object, read: Callable[[object], float]) -> float:
        try:
            if (number := read(value)) in allowed:
                return number or 0.0  # -0.0 is 0
        except ValidationError:
            pass
        raise refusal(allowed.problem)

    return WrapValidator(check)


def _prompt(text: str) -> str:
    if not text.strip():
        raise refusal("a prompt cannot be empty")
    size = len(text.encode("utf-8", "replace"))
    if size > PROMPT_BYTES:
        raise refusal(f"{size} bytes are more than the {PROMPT_BYTES} that a task can carry")
    return text


def _mode(mode: str, info: ValidationInfo) -> str:
    if mode not in MODES:
        raise refusal(f"say one of {', '.join(MODES)}")
    context: dict[str, Any] = info.context or {}
    highest: str = context.get(HIGHEST_MODE, DEFAULT_HIGHEST_MODE)
    if MODES.index(mode) > MODES.index(highest):
        raise refusal(f"{mode} is more than this pool allows its callers; {highest} is the most")
    return mode


def _directory(path: str) -> str:
    if "\0" in path or not os.path.isabs(path):
        raise refusal("say an absolute path")
    if not os.path.isdir(path):
        raise refusal("there is no such directory")
    return os.path.normpath(path)


def _servers(servers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for name, server in servers.items():
        if not _SERVER.fullmatch(name):
            raise refusal("a server's name has 1 to 64 letters, digits, - and _")
        if name == SLOT_SERVER:
            raise refusal(f"{SLOT_SERVER} is the slots' own server; give yours another name")
        canonical_json(server, JSON_BYTES)
    return servers


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    canonical_json(schema, JSON_BYTES)
    return schema


def _models(text: str) -> bool:
    return all(_MODEL.fullmatch(name.strip()) for name in text.split(","))


def _plain(text: str) -> bool:
    return not _CONTROL.search(text)


Flag = Annotated[bool, Field(strict=True)]

Prompt = Annotated[str, AfterValidator(_prompt)]

Line = Annotated[
    str,
    Field(min_length=1, max_length=200),
    _that(_plain, "must not hold control characters"),
]
"""A short text on one line: names, keys."""

Label = Annotated[str, Field(min_length=1, max_length=64), _that(_plain, "must not hold control characters")]

Role = Annotated[
    str,
    Field(min_length=1, max_length=64),
    _that(_plain, "must not hold control characters"),
    _that(lambda text: not is_slot_id(str(text)), "a role cannot look like a slot's id"),
]

LongText = Annotated[
    str, Field(min_length=1, max_length=100_000), _that(lambda text: "\0" not in str(text), "holds a NUL")
]

Rules = Annotated[
    list[
        Annotated[
            str,
            Field(min_length=1, max_length=2_000),
            _that(_plain, "must not hold control characters"),
        ]
    ],
    Field(max_length=200),
]
"""Names of tools, or rules such as `Bash(git log:*)`."""

Tags = Annotated[list[Label], Field(max_length=20)]

Model = Annotated[str, _that(lambda text: _MODEL.fullmatch(str(text)), "say a model's name or alias")]

Models = Annotated[str, Field(max_length=1_000), _that(_models, "say models' names or aliases, by comma")]

PermissionMode = Annotated[str, AfterValidator(_mode)]

Session = Annotated[
    str,
    _that(
        lambda text: parse_session(str(text)),
        "say fresh, slot, resume:<session id> or fork:<session id>",
    ),
]

Directory = Annotated[str, Field(min_length=1, max_length=4_096), AfterValidator(_directory)]

Servers = Annotated[dict[str, dict[str, Any]], Field(max_length=50), AfterValidator(_servers)]

Schema = Annotated[dict[str, Any], AfterValidator(_schema)]

Usd = Annotated[float, Field(gt=0, le=DOLLARS.most), _in(DOLLARS)]

Scope = Annotated[
    str,
    Field(min_length=1, max_length=68),
    _that(_plain, "must not hold control characters"),
]
"""Whose money a limit is about."""

Wait = Annotated[float, Field(ge=0, le=WAIT_SECONDS.most), _in(WAIT_SECONDS)]
"""Seconds. What is above the pool's longest wait is capped there, not refused here."""

Timeout = Annotated[float, Field(ge=ATTEMPT_SECONDS.least, le=ATTEMPT_SECONDS.most), _in(ATTEMPT_SECONDS)]

Position = Annotated[int, Field(ge=0, le=LARGEST_POSITION)]

Moment = Annotated[int, Field(ge=0, le=LARGEST_POSITION)]
"""Milliseconds since the Unix epoch."""

Page = Annotated[int, Field(ge=1, le=500)]

Slots = Annotated[int, Field(ge=1, le=1_000)]
"""A number of slots; the pool's own bounds are narrower."""

Ids = Annotated[list[str], Field(min_length=1, max_length=1_000)]
