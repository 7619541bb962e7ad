"""What the shell prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

View = dict[str, Any]

_WIDEST = 60
_WIDEST_LAST = 160


def result(text: str) -> None:
    """Print a result. On a terminal, control characters (a task's output may hold any) are made visible."""
    shown = visible(text) if sys.stdout.isatty() else text
    sys.stdout.write(shown if shown.endswith("\n") or not shown else shown + "\n")
    sys.stdout.flush()


def as_json(value: object) -> None:
    """Print a result as JSON."""
    result(json.dumps(value, ensure_ascii=False, indent=2))


def note(text: str) -> None:
    """Tell a person something beside the result."""
    sys.stderr.write(visible(text) + "\n")
    sys.stderr.flush()


def visible(text: str) -> str:
    """`text` with control characters other than line breaks and tabs as `\\x1b`."""
    return "".join(c if c in "\n\t" or c.isprintable() or c == "\u2028" else _escaped(c) for c in text)


def line(value: object, widest: int = _WIDEST) -> str:
    """A value on one line of at most `widest` characters."""
    text = visible(" ".join(str(value).split()))
    return text if len(text) <= widest else text[: widest - 1] + "…"


def table(rows: Sequence[View], columns: Mapping[str, Callable[[View], object]]) -> None:
    """Print rows under headings; `columns` maps a heading to what stands below it.

    A person at a terminal sees the beginning of long values, a pipe gets those of the last column whole.
    """
    *_, last = columns
    whole = sys.maxsize if not sys.stdout.isatty() else _WIDEST_LAST
    cells = [
        [
            line("" if (value := show(row)) is None else value, whole if name == last else _WIDEST)
            for name, show in columns.items()
        ]
        for row in rows
    ]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    for row in ([*columns], *cells):
        result("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def fields(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line; what is None or empty is left out."""
    shown = {name: value for name, value in pairs.items() if value is not None and value not in ("", [], {})}
    widest = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        result(f"{name.ljust(widest)}  {line(value, 2000)}")


def dollars(microdollars: object) -> str:
    """Money for people: `$0.0123`; what that would round to nothing to the microdollar, `$0.000040`."""
    if not isinstance(microdollars, int):
        return ""
    places = 6 if 0 < abs(microdollars) < 50 else 4
    return f"${microdollars / 1_000_000:.{places}f}"


def seconds(milliseconds: object) -> str:
    """A duration for people: `12.3s`."""
    return f"{milliseconds / 1000:.1f}s" if isinstance(milliseconds, int) else ""


def moment(milliseconds: object) -> str:
    """A time of the log for people: UTC, to the millisecond."""
    if not isinstance(milliseconds, int):
        return ""
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


@contextmanager
def progress(text: str) -> Generator[Callable[[str], None]]:
    """Show on standard error, if that is a terminal, that something goes on; call to change the text.

    Of a `Share` a bar is drawn, with the time that is left.
    """
    if not sys.stderr.isatty():
        yield _nothing
        return
    from .going_on import going_on

    with going_on(text) as say:
        yield say


def _nothing(_text: str) -> None:
    return None


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()
