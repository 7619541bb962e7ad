"""What a person does with the film: pause, speed, filter, where to go next. No clock, no terminal, no log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from claude_pool.domain.world import POOL

from ..replay_view import Wanted

SPEEDS = (1, 2, 5, 10, 50, 200, 1_000, math.inf)
"""How many seconds of the log pass in one; the last one is as fast as it can be folded."""

SPANS_MS = (5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000)
"""So long a time the lanes may show."""

_LONGEST_WAIT_MS = 1_000
"""Where nothing happens for longer, in the viewer's time, the film goes on."""

_PAGE = 100
_LONGEST_ENTRY = 200
_SUBJECTS = ("task-", "chain-", "slot-")


@dataclass(frozen=True, slots=True)
class Step:
    """Go on by so many events of those shown, or back."""

    events: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Go to the next failure, or to the one before."""

    forward: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Go before the first event."""


@dataclass(frozen=True, slots=True)
class End:
    """Go to the last event."""


@dataclass(frozen=True, slots=True)
class GoTo:
    """Go to a position or time, as typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Show other events: `wanted` of the player has changed."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up what is under way."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


Act = Step | Failure | Start | End | GoTo | Filter | Cancel | Quit


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that is being typed: a filter after `/`, a position or time after `:`."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Player:
    """`speed` and `span` are places in `SPEEDS` and `SPANS_MS`, `scroll` is the first lane, `note` a line for
    the viewer. `tail`: at the end, what happens next is waited for and shown at once.
    """

    playing: bool = True
    speed: int = 3
    span: int = 2
    scroll: int = 0
    wanted: Wanted = Wanted()
    entry: Entry | None = None
    help: bool = False
    note: str = ""
    live: bool = False
    tail: bool = False

    @property
    def rate(self) -> float:
        """How many seconds of the log pass in one."""
        return SPEEDS[self.speed]


def pressed(player: Player, key: str) -> tuple[Player, Act | None]:
    """What a key makes of the player, and where it has it go. Keys are characters, or names like `left`."""
    if player.entry is not None:
        return _typed(player, player.entry, key)
    if player.help:
        return (player, Quit()) if key == "q" else (replace(player, help=False), None)
    calm = replace(player, note="")
    if key in _GOING:
        act = _GOING[key]
        return replace(calm, playing=player.live and isinstance(act, End), tail=False), act
    change = _CHANGING.get(key)
    if change is not None:
        return change(calm), None
    match key:
        case "q":
            return player, Quit()
        case "escape" if player.wanted != Wanted():
            return replace(calm, wanted=Wanted()), Filter()
        case "escape":
            return calm, Cancel()
        case _:
            return player, None


def parse_filter(text: str) -> Wanted:
    """`task-… slot-0 attempt.*`: ids of what events are to be about, and one pattern of their names.

    Raises:
        ValueError: it has two patterns.
    """
    subjects: list[str] = []
    types: list[str] = []
    for word in text.split():
        (subjects if word.startswith(_SUBJECTS) or word == POOL else types).append(word)
    if len(types) > 1:
        raise ValueError("one pattern of names is enough, such as task.* or *.failed")
    return Wanted(subjects=tuple(subjects), type=types[0] if types else None)


def filter_text(wanted: Wanted) -> str:
    """A filter as it is typed."""
    return " ".join((*wanted.subjects, *(() if wanted.type is None else (wanted.type,))))


def passed(clock: float, seconds: float, rate: float, next_at: int) -> float:
    """The film's clock (ms) after `seconds` of the viewer's; `next_at` is when the next event was recorded.

    Where that is far away, the time in between is left out. At an endless rate it is there at once.
    """
    if math.isinf(rate):
        return max(clock, float(next_at))
    return max(clock + seconds * 1000 * rate, next_at - _LONGEST_WAIT_MS * rate)


def _typed(player: Player, entry: Entry, key: str) -> tuple[Player, Act | None]:
    match key:
        case "enter":
            return _entered(replace(player, entry=None), entry)
        case "escape":
            return replace(player, entry=None), None
        case "backspace":
            shorter = Entry(entry.kind, entry.text[:-1]) if entry.text else None
            return replace(player, entry=shorter), None
        case _ if len(entry.text) >= _LONGEST_ENTRY:
            return player, None
        case "space":
            return replace(player, entry=Entry(entry.kind, entry.text + " ")), None
        case _ if len(key) == 1 and key.isprintable():
            return replace(player, entry=Entry(entry.kind, entry.text + key)), None
        case _:
            return player, None


def _entered(player: Player, entry: Entry) -> tuple[Player, Act | None]:
    text = entry.text.strip()
    if entry.kind == ":":
        going = replace(player, playing=False, tail=False)
        return (going, GoTo(text)) if text else (player, None)
    try:
        return replace(player, wanted=parse_filter(text)), Filter()
    except ValueError as error:
        return replace(player, note=str(error)), None


def _toggled(player: Player) -> Player:
    return replace(player, playing=not player.playing, tail=False)


def _faster(player: Player, by: int) -> Player:
    return replace(player, speed=max(0, min(player.speed + by, len(SPEEDS) - 1)))


def _wider(player: Player, by: int) -> Player:
    return replace(player, span=max(0, min(player.span + by, len(SPANS_MS) - 1)))


def _scrolled(player: Player, by: int) -> Player:
    return replace(player, scroll=max(0, player.scroll + by))


_GOING: dict[str, Act] = {
    "right": Step(1), "l": Step(1), "left": Step(-1), "h": Step(-1),
    "pagedown": Step(_PAGE), "pageup": Step(-_PAGE),
    "n": Failure(True), "N": Failure(False), "p": Failure(False),
    "home": Start(), "g": Start(), "end": End(), "G": End(),
}  # fmt: skip

_CHANGING: dict[str, Callable[[Player], Player]] = {
    "space": _toggled,
    "+": lambda player: _faster(player, 1),
    "=": lambda player: _faster(player, 1),
    "-": lambda player: _faster(player, -1),
    "z": lambda player: _wider(player, -1),
    "Z": lambda player: _wider(player, 1),
    "down": lambda player: _scrolled(player, 1),
    "j": lambda player: _scrolled(player, 1),
    "up": lambda player: _scrolled(player, -1),
    "k": lambda player: _scrolled(player, -1),
    "/": lambda player: replace(player, entry=Entry("/", filter_text(player.wanted))),
    ":": lambda player: replace(player, entry=Entry(":")),
    "?": lambda player: replace(player, help=True),
}
