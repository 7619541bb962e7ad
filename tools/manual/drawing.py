"""Draws a state machine as SVG: boxes where a table puts them, arrows between, labels where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import hypot
from pathlib import Path

COLUMN, ROW = 225, 84
WIDTH, HEIGHT = 124, 34
LETTER, LINE = 6.3, 13
MARGIN = 24
STYLE = Path(__file__).with_name("diagram.css").read_text("utf-8")
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle by its middle and its size."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return wide * high if wide > 0 and high > 0 else 0.0

    def border(self, towards: Point) -> Point:
        """Where a line from the middle to `towards` leaves the box."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        scale = max(abs(dx) / (self.width / 2 + 3), abs(dy) / (self.height / 2 + 3), 1e-6)
        return (self.x + dx / scale, self.y + dy / scale)


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, with what stands at it. `many`: it begins at each of several states."""

    source: str
    target: str
    labels: tuple[str, ...]


def draw(
    title: str,
    places: Mapping[str, Point],
    arrows: Sequence[Arrow],
    over: Sequence[str],
    many: Mapping[str, Sequence[str]],
) -> str:
    """An SVG. `places` are columns and rows; `over` the states that end it; `many` what a box stands for."""
    boxes = {name: _box(name, place, many.get(name, ())) for name, place in places.items()}
    pairs = {(arrow.source, arrow.target) for arrow in arrows}
    lines: list[str] = []
    labels: list[str] = []
    taken = list(boxes.values())
    rounded: list[Box] = []
    for arrow in sorted(arrows, key=lambda each: -len(each.labels)):
        bend = 0.14 if (arrow.target, arrow.source) in pairs else 0.0
        curve = _curve(boxes, arrow, bend)
        lines += _line(curve)
        rounded += [Box(*_at(curve, t / 8), 0, 0) for t in range(9)]
        spot = _spot(curve, arrow.labels, taken)
        taken.append(spot)
        labels += _label(spot, arrow.labels)
    inside = (*taken, *rounded)
    left = min(each.x - each.width / 2 for each in inside) - MARGIN
    top = min(each.y - each.height / 2 for each in inside) - MARGIN
    width = max(each.x + each.width / 2 for each in inside) + MARGIN - left
    height = max(each.y + each.height / 2 for each in inside) + MARGIN - top
    drawn = [line for name, box in boxes.items() for line in _state(name, box, over, many.get(name, ()))]
    return "\n".join([
        f'<svg class="diagram" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="back" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"/>',
        *lines, *labels, *drawn, "</svg>", "",
    ])  # fmt: skip


def _box(name: str, place: Point, many: Sequence[str]) -> Box:
    x, y = place[0] * COLUMN, place[1] * ROW
    if many:
        return Box(x, y, WIDTH, LINE * (len(many) + 1) + 10)
    return Box(x, y, max(WIDTH, 8 * len(name) + 16), HEIGHT)


Curve = tuple[Point, Point, Point]


def _curve(boxes: Mapping[str, Box], arrow: Arrow, bend: float) -> Curve:
    one, two = boxes[arrow.source], boxes[arrow.target]
    dx, dy = two.x - one.x, two.y - one.y
    middle = ((one.x + two.x) / 2, (one.y + two.y) / 2)
    for name, box in boxes.items():  # go around what lies in between
        if name not in (arrow.source, arrow.target) and _near(one, two, box):
            bend = bend or 0.3
    control = (middle[0] - dy * bend * 2, middle[1] + dx * bend * 2)
    return (one.border(control), control, two.border(control))


def _near(one: Box, two: Box, box: Box) -> bool:
    length = hypot(two.x - one.x, two.y - one.y)
    along = ((box.x - one.x) * (two.x - one.x) + (box.y - one.y) * (two.y - one.y)) / length
    away = abs((box.x - one.x) * (two.y - one.y) - (box.y - one.y) * (two.x - one.x)) / length
    return 0 < along < length and away < HEIGHT / 2


def _at(curve: Curve, t: float) -> Point:
    (ax, ay), (bx, by), (cx, cy) = curve
    u = 1 - t
    return (u * u * ax + 2 * u * t * bx + t * t * cx, u * u * ay + 2 * u * t * by + t * t * cy)


def _line(curve: Curve) -> Iterator[str]:
    (ax, ay), (bx, by), (cx, cy) = curve
    yield f'<path d="M{ax:.0f} {ay:.0f}Q{bx:.0f} {by:.0f} {cx:.0f} {cy:.0f}"/>'
    length = hypot(cx - bx, cy - by) or 1
    ux, uy = (cx - bx) / length, (cy - by) / length
    left, right = (cx - 9 * ux - 4 * uy, cy - 9 * uy + 4 * ux), (cx - 9 * ux + 4 * uy, cy - 9 * uy - 4 * ux)
    head = f"M{cx:.0f} {cy:.0f}L{left[0]:.0f} {left[1]:.0f} {right[0]:.0f} {right[1]:.0f}Z"
    yield f'<path class="head" d="{head}"/>'


def _spot(curve: Curve, labels: Sequence[str], taken: Sequence[Box]) -> Box:
    width, height = max(len(each) for each in labels) * LETTER + 6, len(labels) * LINE + 2
    best, least = Box(0, 0, width, height), float("inf")
    for t in (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75):
        for dy in (0, -12, 12, -24, 24):
            x, y = _at(curve, t)
            box = Box(x, y + dy, width, height)
            cost = sum(box.overlap(other) for other in taken) + abs(dy) * 2 + abs(t - 0.5) * 40
            if cost < least:
                best, least = box, cost
    return best


def _label(box: Box, labels: Sequence[str]) -> Iterator[str]:
    yield _rect(box, "back")
    for number, text in enumerate(labels):
        y = box.y + (number - (len(labels) - 1) / 2) * LINE + 4
        yield f'<text x="{box.x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _state(name: str, box: Box, over: Sequence[str], many: Sequence[str]) -> Iterator[str]:
    if many:
        yield _rect(box, "many")
        for number, text in enumerate(("each of", *many)):
            y = box.y + (number - len(many) / 2) * LINE + 4
            yield f'<text x="{box.x:.0f}" y="{y:.0f}">{escape(text)}</text>'
        return
    yield _rect(box, "over" if name in over else "state")
    yield f'<text class="state" x="{box.x:.0f}" y="{box.y + 5:.0f}">{escape(name)}</text>'


def _rect(box: Box, kind: str) -> str:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    round_ = "" if kind == "back" else ' rx="8"'
    size = f'width="{box.width:.0f}" height="{box.height:.0f}"'
    return f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" {size}{round_}/>'
