"""A table with a bar in each row, as wide as the terminal allows and in characters that it can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

_GAP = "  "
_BAR_PLACE = 3
_BARS = range(8, 41)
"""So wide are bars; where there is less room, columns go."""
_LABELS = range(8, 25)
"""So wide are labels at least, and so wide (an id fits) they are before columns go."""
_KEPT = 2
"""So many columns are never left out."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Bars:
    """Rows of cells, each with the length of its bar (the longest fills it), and `last`, the sum of all.

    The first column is a label, the others are numbers; those on the right are left out first where there
    is no room. Cells hold no control characters.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[Sequence[str], int]]
    last: Sequence[str]


def bar(length: int, longest: int, width: int, *, ascii_only: bool) -> str:
    """A bar `length` / `longest` of `width` characters long; what is not nothing is seen."""
    if length <= 0:
        return ""
    eighths = max(1, width * 8 * length // longest)
    if ascii_only:
        return "#" * max(1, eighths // 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def show(console: Console, table: Bars) -> None:
    """Print the table; the bar comes after the third column, or the last one there is room for."""
    plain = console.options.ascii_only
    cells = [
        [_printable(cell, plain) for cell in row]
        for row in (table.columns, *(row for row, _ in table.rows), table.last)
    ]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*cells, strict=True)]
    shown = _fitting(widths, console.width)
    room = console.width - sum(widths[1:shown]) - len(_GAP) * shown
    label = min(widths[0], max(_LABELS.start, room - _BARS.start))
    width = max(0, min(room - label, _BARS.stop - 1))
    lengths = [0, *(length for _, length in table.rows), 0]
    for number, (row, length) in enumerate(zip(cells, lengths, strict=True)):
        drawn = bar(length, max(lengths), width, ascii_only=plain) if width else ""
        pieces = [_label(row[0], label, plain), *map(str.rjust, row[1:shown], widths[1:shown])]
        pieces.insert(_BAR_PLACE, drawn.ljust(width))
        line = Text(_GAP.join(pieces).rstrip(), "bold" if number in (0, len(cells) - 1) else "")
        begin = cell_len(_GAP.join([*pieces[:_BAR_PLACE], ""]))
        if drawn:
            line.stylize("cyan", begin, begin + width)
        console.print(line, no_wrap=True, overflow="crop")


def _fitting(widths: Sequence[int], most: int) -> int:
    """How many columns there is room for beside a bar."""
    shown = len(widths)
    needed = min(widths[0], _LABELS.stop - 1) + _BARS.start
    while shown > _KEPT and needed + sum(widths[1:shown]) + len(_GAP) * shown > most:
        shown -= 1
    return shown


def _printable(cell: str, plain: bool) -> str:
    return cell.encode("ascii", "backslashreplace").decode() if plain else cell


def _label(label: str, width: int, plain: bool) -> str:
    if cell_len(label) <= width:
        return set_cell_size(label, width)
    return set_cell_size(label, width - 1) + ("~" if plain else "…")
