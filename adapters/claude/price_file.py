"""Reads price files: US dollars per million tokens, by model; the shipped one, and a user's over it."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, NoReturn, cast

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.prices import MAX_OUTPUT, PriceList, Rates, dearest

_SHIPPED = Path(__file__).with_name("prices.toml")
_LARGEST_FILE = 1 << 20
_LONGEST_TEXT = 500
_NANODOLLARS = 1_000
"""One dollar per million tokens is a thousand nanodollars per token."""

_LEAST_DOLLARS, _MOST_DOLLARS = Decimal("0.001"), 10_000
_MOST_TOKENS = 100_000_000
_MOST_FACTOR = 100

_PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_FIELDS = (*_PRICES, "max_output", "long_above", "long_factor")
_TABLES = ("cli", "date", "sources", "aliases", "plan", "unknown", "models")

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The prices that hold, and where they are from.

    `path` is the user's file that lies over the shipped one, or None. `cli` is the newest version of the CLI
    whose accounts the prices were compared with, `date` and `sources` are what the files say of themselves.
    """

    prices: PriceList
    path: str | None
    cli: str
    date: str
    sources: tuple[str, ...]


def price_file(path: str | None = None) -> PriceFile:
    """The shipped prices, and over them, model by model, those of the user's file at `path`.

    A model that neither names is charged at the highest price of either for each class of tokens.

    Raises:
        InvalidArgument: the user's file is missing, no TOML, or holds what can be no price; the error names
            the place in it.
    """
    shipped = _Document(str(_SHIPPED), _load(str(_SHIPPED)))
    documents = [shipped] if path is None else [shipped, _Document(path, _load(path))]
    models: dict[str, Rates] = {}
    aliases: dict[str, str] = {}
    plan: dict[str, str] = {}
    for document in documents:
        models |= document.models()
        aliases |= document.names("aliases", models)
        plan |= document.names("plan", models)
    rows = [each for each in (document.unknown() for document in documents) if each is not None]
    unknown = dearest((*models.values(), *rows))
    last = documents[-1]
    newest = max((document.text("cli") for document in documents), key=version_key)
    return PriceFile(
        PriceList(models, unknown, aliases, plan), path, newest, last.text("date"), last.sources()
    )


def price_list(path: str | None = None) -> PriceList:
    """The prices alone; see `price_file`."""
    return price_file(path).prices


def version_key(version: str) -> tuple[int, ...]:
    """What versions such as 2.1.330 are ordered by; () for what is none."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


@dataclass(frozen=True, slots=True)
class _Document:
    """A file that was read, and is checked as it is asked for its parts."""

    path: str
    content: Table

    def __post_init__(self) -> None:
        for name in self.content:
            if name not in _TABLES:
                self._refuse(name, f"there is no such key{_closest(name, _TABLES)}")

    def models(self) -> dict[str, Rates]:
        rows = self._table("models")
        return {name: self._rates(f"models.{name}", self._of(rows, name, "models")) for name in rows}

    def unknown(self) -> Rates | None:
        return self._rates("unknown", self._table("unknown")) if "unknown" in self.content else None

    def names(self, table: str, models: Mapping[str, Rates]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, model in self._table(table).items():
            if not isinstance(model, str) or model not in models:
                hint = _closest(model, models) if isinstance(model, str) else ""
                self._refuse(f"{table}.{name}", f"{_short(model)} has no row in models{hint}")
            found[name.lower()] = model
        return found

    def text(self, name: str) -> str:
        value = self.content.get(name, "")
        text = value if isinstance(value, str) else str(value)
        if isinstance(value, (bool, int, Decimal, dict, list)) or len(text) > _LONGEST_TEXT:
            self._refuse(name, "it is not a short text")
        return text

    def sources(self) -> tuple[str, ...]:
        found: object = self.content.get("sources", [])
        if not isinstance(found, list):
            self._refuse("sources", "it is not a list of texts")
        texts = tuple(cast("list[object]", found))
        if not all(isinstance(text, str) and len(text) <= _LONGEST_TEXT for text in texts):
            self._refuse("sources", "it is not a list of short texts")
        return cast("tuple[str, ...]", texts)

    def _table(self, name: str) -> Table:
        return self._of(self.content, name, "") if name in self.content else {}

    def _of(self, table: Table, name: str, where: str) -> Table:
        value = table[name]
        if not isinstance(value, dict):
            self._refuse(f"{where}.{name}".lstrip("."), "it is not a table")
        return cast("Table", value)

    def _rates(self, where: str, row: Table) -> Rates:
        for name in row:
            if name not in _FIELDS:
                self._refuse(f"{where}.{name}", f"there is no such key{_closest(name, _FIELDS)}")
        if ("long_above" in row) != ("long_factor" in row):
            self._refuse(where, "long_above and long_factor belong together")

        def nano(name: str) -> int:
            return self._nanodollars(where, name, row.get(name))

        def count(name: str, default: int, most: int) -> int:
            return self._count(where, name, row.get(name, default), most)

        return Rates(
            nano("input"), nano("output"), nano("cache_read"), nano("cache_write_5m"), nano("cache_write_1h"),
            count("long_above", 1, _MOST_TOKENS) if "long_above" in row else None,
            count("long_factor", 1, _MOST_FACTOR),
            count("max_output", MAX_OUTPUT, _MOST_TOKENS),
        )  # fmt: skip

    def _nanodollars(self, where: str, name: str, value: object) -> int:
        """A price per token, rounded up: what is charged may not fall behind what is billed."""
        if value is None:
            self._refuse(f"{where}.{name}", "it is missing; say what a million tokens cost in dollars")
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            self._refuse(f"{where}.{name}", f"{_short(value)} is not a number of dollars")
        dollars = Decimal(value)
        if not dollars.is_finite() or not _LEAST_DOLLARS <= dollars <= _MOST_DOLLARS:
            problem = f"{_short(value)} is not a price from {_LEAST_DOLLARS} to {_MOST_DOLLARS} dollars"
            self._refuse(f"{where}.{name}", f"{problem} per million tokens")
        return int((dollars * _NANODOLLARS).to_integral_value(ROUND_CEILING))

    def _count(self, where: str, name: str, value: object, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
            self._refuse(f"{where}.{name}", f"{_short(value)} is not a whole number from 1 to {most}")
        return value

    def _refuse(self, key: str, problem: str) -> NoReturn:
        raise _refusal(self.path, f"{key[:200]}: {problem}")


def _load(path: str) -> Table:
    try:
        # Opened without waiting and looked at first: a pipe in the place of the file must not hang us.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > _LARGEST_FILE:
                raise _refusal(path, "it is not a regular file of at most 1 MiB")
            content = file.read()
    except OSError as error:
        raise _refusal(path, f"it cannot be read: {error.strerror or error}") from None
    try:
        return tomllib.loads(content.decode("utf-8"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _refusal(path, f"it is not valid TOML: {error}") from None


def _refusal(path: str, problem: str) -> InvalidArgument:
    hint = "correct it there, or leave --prices, CLAUDE_POOL_PRICES and the option prices out"
    return InvalidArgument(argument="prices", problem=f"{path}: {problem}; {hint}")


def _closest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def _short(value: object) -> str:
    text = str(value) if isinstance(value, (int, Decimal, str)) else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
