"""The lines of a scene, as many and as wide as a terminal has them. They hold no control characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from .. import output
from .lanes import ABSENT, BUSY, DOWN, IDLE, PREPARING, Stretch, cells
from .layout import Layout, lay_out
from .player import SPANS_MS, Player, filter_text
from .scene import Happened, Queued, Scene, Slot

HELP = (
    ("space", "go on, or pause"),
    ("→ ←  l h", "one event on, or back; with a filter, to the next one of it"),
    ("PgDn PgUp", "a hundred events on, or back"),
    ("n N", "to the next failure, or the one before"),
    ("g G  Home End", "to the start, or the end; when live, the end is now"),
    (":", "to a position (120) or time (2026-11-22T10:53:01Z, 2h ago)"),
    ("+ -", "faster, slower"),
    ("/", "show only events about ids (task-… slot-0), or named so (*.failed)"),
    ("Esc", "end the filter, or stop what is under way"),
    ("z Z", "less time in the lanes, or more"),
    ("↑ ↓  k j", "other slots"),
    ("?", "this help; any key ends it"),
    ("q", "leave"),
)  # fmt: skip
"""The keys, and what they do."""

_KEYS = "space pause  ←→ step  n/N failure  +/- speed  / filter  : go to  g/G start/end  ? help  q quit"
_SHORT_KEYS = "space ←→ n/N +/- / : g/G ? q"
_STYLES = {
    IDLE: "dim", BUSY: "green", PREPARING: "yellow", DOWN: "red", ABSENT: "",
    "idle": "dim", "busy": "green", "starting": "yellow", "draining": "yellow", "failed": "red",
    "stopped": "dim",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters of the lanes; neighbouring attempts alternate between two."""

    busy: str
    other: str
    idle: str
    preparing: str
    down: str
    failed: str
    play: str
    pause: str
    dot: str


UNICODE = Glyphs("█", "▓", "·", "░", "x", "✗", "▶", "‖", " · ")
ASCII = Glyphs("#", "=", ".", ":", "x", "!", ">", "||", " - ")


def lines(scene: Scene, player: Player, width: int, height: int, *, plain: bool = False) -> list[Text]:
    """Exactly `height` lines of exactly `width` cells. `plain`: in ASCII alone."""
    width, height = max(1, width), max(1, height)
    glyphs = ASCII if plain else UNICODE
    if player.help:
        drawn = _help(height)
    else:
        layout = lay_out(height, len(scene.slots), scene.queued)
        drawn = [*_head(scene, player, glyphs, width)[: layout.head]]
        drawn += _lanes(scene, player, glyphs, width, layout)
        drawn += _queue(scene, width, layout)
        drawn += _events(scene, player, width, layout)
        drawn = drawn[: height - 1] if height > 1 else drawn[:1]
        drawn += [Text()] * (height - 1 - len(drawn))
        if height > 1:
            drawn.append(_foot(player, layout, width))
    return [_fitted(line, width, plain) for line in drawn[:height]]


def _help(height: int) -> list[Text]:
    widest = max(len(keys) for keys, _ in HELP)
    drawn = [Text("Keys", "bold"), *(Text(f"{keys:<{widest}}  {meaning}") for keys, meaning in HELP)]
    if len(drawn) > height:
        drawn[height - 1 :] = [Text(f"... {len(drawn) - height + 1} lines more in a higher terminal")]
    return drawn + [Text()] * (height - len(drawn))


def _head(scene: Scene, player: Player, glyphs: Glyphs, width: int) -> list[Text]:
    mode = (
        "live" if player.tail else f"{glyphs.play} {_rate(player.rate)}" if player.playing else glyphs.pause
    )
    at = output.moment(scene.now or None)[: 19 if width < 80 else None].replace("T", " ")
    where = f"{scene.position:,} of {scene.end:,}"
    first = (
        Text(" ").append(mode, "bold").append(glyphs.dot + where).append(f"{glyphs.dot}{at}" if at else "")
    )
    if width >= 60:
        first = Text("claude-pool replay", "bold").append(first)
    return [first, _money(scene, glyphs, width), _counts(scene, glyphs)]


def _rate(rate: float) -> str:
    return "at full speed" if math.isinf(rate) else f"{rate:,}x"


def _money(scene: Scene, glyphs: Glyphs, width: int) -> Text:
    status = scene.status
    spent, reserved, limit = (
        status.spent_microdollars,
        status.reserved_microdollars,
        status.budget_microdollars,
    )
    said = f" spent {output.dollars(spent)}{glyphs.dot}reserved {output.dollars(reserved)}{glyphs.dot}"
    line = Text(said + ("no limit" if limit is None else f"limit {output.dollars(limit)}"))
    room = min(40, width - line.cell_len - 3)
    if limit and room >= 8:
        used = min(room, spent * room // limit)
        held = min(room - used, -(-reserved * room // limit))
        line.append(" [").append(glyphs.busy * used, "green").append(glyphs.other * held, "yellow")
        line.append(glyphs.idle * (room - used - held), "dim").append("]")
    return line


def _counts(scene: Scene, glyphs: Glyphs) -> Text:
    status = scene.status
    counts = {
        "pending": status.pending_tasks, "parked": status.parked_tasks, "running": status.running_tasks,
        "in review": status.pending_review_tasks, "sealed": status.sealed_tasks,
        "completed": status.completed_tasks, "failed": status.failed_tasks,
        "cancelled": status.cancelled_tasks,
    }  # fmt: skip
    always = ("pending", "running", "completed", "failed")
    told = [f"{count:,} {name}" for name, count in counts.items() if count or name in always]
    line = Text(" ")
    if scene.holds:
        line.append(output.line(scene.holds), "bold yellow").append(glyphs.dot)
    return line.append(glyphs.dot.join(told))


def _lanes(scene: Scene, player: Player, glyphs: Glyphs, width: int, layout: Layout) -> Iterator[Text]:
    if not layout.lanes:
        return
    first = first_lane(player, len(scene.slots), layout.lanes)
    some = scene.slots[first : first + layout.lanes]
    span = SPANS_MS[player.span]
    if layout.titles:
        of = (
            f" {first + 1}-{first + len(some)} of {len(scene.slots):,}"
            if len(some) < len(scene.slots)
            else ""
        )
        yield _title(f"Slots{of}: the last {_duration(span)}")
    names = max((cell_len(slot.name or slot.slot_id) for slot in some), default=0)
    names = min(names, max(6, width // 6))
    for slot in some:
        yield _lane(slot, scene.now, span, glyphs, width, names)


def first_lane(player: Player, slots: int, rows: int) -> int:
    """The first lane that is shown of so many, in so many rows."""
    return max(0, min(player.scroll, slots - rows))


def _lane(slot: Slot, now: int, span: int, glyphs: Glyphs, width: int, names: int) -> Text:
    line = Text(" " + set_cell_size(slot.name or slot.slot_id, names) + " ")
    line.append(f"{slot.state:<8} "[: 9 if width >= 50 else 2], _STYLES.get(slot.state, ""))
    room = width - line.cell_len
    strip = room if width < 60 else min(60, room // 2)
    shown = cells(slot.stretches, now - span, now, max(0, strip))
    alternate = _alternating(slot.stretches)
    drawn = (_glyph(cell, after, glyphs, alternate) for cell, after in zip_longest(shown, shown[1:]))
    for (glyph, style), some in groupby(drawn):
        line.append(glyph * len(list(some)), style)
    if slot.since is not None:
        line.append(f" {_duration(max(0, now - slot.since))}")
    return line.append(f" {slot.what}" if slot.what else "")


def _alternating(stretches: Sequence[Stretch]) -> frozenset[str]:
    """Every second attempt."""
    attempts = dict.fromkeys(stretch.attempt for stretch in stretches if stretch.attempt)
    return frozenset(list(attempts)[1::2])


def _glyph(
    cell: Stretch | None, after: Stretch | None, glyphs: Glyphs, alternate: frozenset[str]
) -> tuple[str, str]:
    if cell is None or cell.kind == ABSENT:
        return " ", ""
    if cell.failed and cell is not after:
        return glyphs.failed, "red"
    if cell.kind == BUSY:
        style = "red" if cell.failed else _STYLES[BUSY]
        return (glyphs.other if cell.attempt in alternate else glyphs.busy), style
    return {IDLE: glyphs.idle, PREPARING: glyphs.preparing, DOWN: glyphs.down}[cell.kind], _STYLES[cell.kind]


def _queue(scene: Scene, width: int, layout: Layout) -> Iterator[Text]:
    if not layout.queue:
        return
    if layout.titles:
        yield _title(f"Queue: {scene.queued:,}")
    rows = layout.queue if scene.queued <= layout.queue else layout.queue - 1
    for queued in scene.queue[:rows]:
        yield _queued(queued, scene.now, width)
    if scene.queued > rows:
        yield Text(f" and {scene.queued - rows:,} more", "dim")


def _queued(queued: Queued, now: int, width: int) -> Text:
    waited = _duration(max(0, now - queued.since))
    named = queued.task_id if width >= 60 else queued.task_id[:10]
    return Text(f" {named} {waited:>5} ").append(f"{queued.reason} ", "yellow").append(queued.prompt)


def _events(scene: Scene, player: Player, width: int, layout: Layout) -> Iterator[Text]:
    if not layout.events:
        return
    if layout.titles:
        wanted = output.line(filter_text(player.wanted))
        yield _title("Events" + (f" of {wanted}" if wanted else ""))
    for event in scene.events[-layout.events :]:
        yield _event(event, width, here=event.position == scene.position)


def _event(event: Happened, width: int, *, here: bool) -> Text:
    line = Text(f"{'>' if here else ' '}{event.position:>6} ", "bold" if here else "")
    if width >= 60:
        line.append(output.moment(event.at)[11 : -1 if width >= 100 else 19] + " ")
    if width >= 80:
        line.append(f"{output.line(event.stream):<22} ")
    line.append(f"{event.name:<22} ", "bold red" if event.failure else "cyan")
    return line.append(event.said)


def _foot(player: Player, layout: Layout, width: int) -> Text:
    if player.entry is not None:
        asked = "filter" if player.entry.kind == "/" else "go to"
        return Text(f" {asked} {player.entry.kind} {_tail(player.entry.text, width - 12)}_", "bold")
    if player.note:
        return Text(f" {output.line(player.note, 500)}", "bold yellow")
    keys = next((keys for keys in (_KEYS, _SHORT_KEYS) if len(keys) < width), "? q")
    if layout.missing:
        missing = f" no room for {', '.join(layout.missing)}"
        fits = next((k for k in (_SHORT_KEYS, "? q") if len(missing) + len(k) + 3 <= width), "")
        return Text(missing, "yellow").append(f"  {fits}" if fits else "", "dim")
    return Text(f" {keys}", "dim")


def _tail(text: str, width: int) -> str:
    shown = output.visible(text)
    return shown[-max(1, width) :]


def _title(text: str) -> Text:
    return Text(text, "bold")


def _duration(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and (unit != "m" or seconds >= 60):
            whole, rest = divmod(seconds, length)
            less = {"d": ("h", 3_600), "h": ("m", 60), "m": ("s", 1)}[unit]
            return f"{whole}{unit}" + (f"{rest // less[1]}{less[0]}" if rest // less[1] else "")
    return f"{seconds}s"


def _fitted(line: Text, width: int, plain: bool) -> Text:
    """`line` in exactly `width` cells, with nothing in it that moves a terminal's cursor."""
    fitted = line.copy()
    if not fitted.plain.isprintable():
        fitted = Text("".join(c if c.isprintable() else "?" for c in fitted.plain))
    if plain and not fitted.plain.isascii():
        ascii = fitted.plain.replace("…", "~").replace("→", "right").replace("←", "left")
        fitted = Text(
            ascii.replace("↑", "up").replace("↓", "down").encode("ascii", "backslashreplace").decode()
        )
    fitted.truncate(width, overflow="crop", pad=True)
    return fitted
