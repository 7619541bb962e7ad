"""What is drawn of a scene: as many lines as there are, whatever the size and whatever a log holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.adapters.cli.play.cursor import Cursor
from claude_pool.adapters.cli.play.drawing import lines
from claude_pool.adapters.cli.play.player import Entry, Player
from claude_pool.adapters.cli.play.scene import Queued, Scene, Slot, scene
from claude_pool.adapters.cli.replay_view import Wanted
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import TaskSpec, Text

from tests.support.recorded_log import RecordedLog, kept_events

TASK = "task-aaaaaaaaaaaaaaaa"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, ...]:
    return kept_events(tmp_path_factory.mktemp("log"))


def seen(events: tuple[Recorded, ...], position: int) -> Scene:
    cursor = Cursor(RecordedLog(events), None, Wanted().takes)
    while cursor.position < position:
        cursor.step()
    return scene(cursor.world, cursor.window, cursor.shown, cursor.end(), cursor.moment)


def screen(shown: Scene, player: Player | None = None, width: int = 100, height: int = 30, *,
           plain: bool = False) -> list[str]:  # fmt: skip
    return [line.plain for line in lines(shown, player or Player(), width, height, plain=plain)]


def holds(shown: list[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in shown)


def while_one_runs(events: tuple[Recorded, ...]) -> int:
    return next(each.position for each in events if each.event.NAME == "funds.reserved")


def test_slots_queue_money_and_the_last_events_are_there(events: tuple[Recorded, ...]) -> None:
    shown = screen(seen(events, while_one_runs(events)))

    assert holds(shown, "spent $", "reserved $", "limit $")
    assert holds(shown, " slot-0", "busy", "task-")
    assert holds(shown, "1 running")
    assert holds(shown, ">", "funds.reserved")
    assert holds(shown[-1:], "space pause", "q quit")


def test_what_waits_is_there_with_its_reason(events: tuple[Recorded, ...]) -> None:
    parked = next(each.position for each in events if each.event.NAME == "task.parked")

    assert holds(screen(seen(events, parked)), "task-", "provider_limit")


@pytest.mark.parametrize("height", [*range(1, 14), 24, 60])
@pytest.mark.parametrize("width", [1, 2, 7, 20, 40, 80, 200])
def test_every_size_is_filled_exactly(events: tuple[Recorded, ...], width: int, height: int) -> None:
    shown = seen(events, 200)
    for player in (Player(), Player(help=True), Player(entry=Entry("/", "x" * 90)), Player(note="n" * 300)):
        drawn = lines(shown, player, width, height)

        assert len(drawn) == height
        assert {line.cell_len for line in drawn} == {width}


def test_a_small_terminal_tells_what_it_has_no_room_for(events: tuple[Recorded, ...]) -> None:
    parked = next(each.position for each in events if each.event.NAME == "task.parked")

    assert "no room for slots, queue" in screen(seen(events, parked), width=60, height=6)[-1]
    assert holds(screen(seen(events, parked), width=40, height=10), "slot-0")


def test_positions_of_a_million_events_fit_into_a_small_terminal(events: tuple[Recorded, ...]) -> None:
    shown = seen(events, 200)
    far = tuple(replace(event, position=event.position + 1_000_000) for event in shown.events)
    late = replace(shown, events=far, position=1_000_200, end=1_000_281)

    drawn = screen(late, width=40, height=10)

    assert "1,000,200 of 1,000,281" in drawn[0]
    assert holds(drawn, ">1000200 ", late.events[-1].name)


def many(shown: Scene, count: int) -> Scene:
    slots = tuple(Slot(f"slot-{n}", "", "idle", "", None, ()) for n in range(count))
    queue = tuple(Queued(f"task-{n:016}", "slot", 0, "p") for n in range(200))
    return replace(shown, slots=slots, queue=queue, queued=count * 10)


def test_many_slots_and_tasks_are_scrolled_and_folded(events: tuple[Recorded, ...]) -> None:
    shown = many(seen(events, 100), 500)

    first, last = screen(shown), screen(shown, Player(scroll=10**6))
    assert holds(first, "Slots 1-", "of 500") and holds(first, " slot-0 idle")
    assert holds(last, " slot-499 idle") and not holds(last, " slot-0 idle")
    assert holds(first, "and 4,99", "more")


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x07\r\n\x00 evil", "\u202eevil", "\x9b31m", "[red]", "\ud800", "一二三" * 60]
)
def test_no_text_of_a_log_moves_the_cursor_of_a_terminal(events: tuple[Recorded, ...], text: str) -> None:
    event = TaskSubmitted(TASK, TaskSpec(Text(inline=text, size=9), tags=(text,)), text, 0)
    log = RecordedLog([replace(events[0], stream=TASK, version=1, event=event)])
    cursor = Cursor(log, None, Wanted().takes)
    cursor.step()
    shown = scene(cursor.world, cursor.window, cursor.shown, 1, 0)
    named = replace(shown, slots=(Slot("slot-0", "n", "idle", "", None, ()),))

    drawn = screen(named, Player(wanted=Wanted(type=text), entry=Entry("/", text)))

    assert all(line.isprintable() for line in drawn)


def test_in_a_terminal_without_unicode_everything_is_ascii(events: tuple[Recorded, ...]) -> None:
    for player in (Player(), Player(help=True), Player(note="…→ü")):
        assert all(line.isascii() for line in screen(seen(events, 200), player, plain=True))


def test_the_player_is_told_at_the_top(events: tuple[Recorded, ...]) -> None:
    shown = seen(events, 10)

    assert "▶ 10x · 10 of" in screen(shown)[0]
    assert "‖ · 10 of" in screen(shown, Player(playing=False))[0]
    assert "live · 10 of" in screen(shown, Player(tail=True, live=True))[0]
    assert holds(screen(shown, Player(wanted=Wanted(subjects=("slot-0",)))), "Events of slot-0")


def test_help_names_the_keys(events: tuple[Recorded, ...]) -> None:
    shown = screen(seen(events, 10), Player(help=True))

    assert holds(shown, "n N", "failure") and holds(shown, "q ", "leave")
    assert holds(screen(seen(events, 10), Player(help=True), height=5), "lines more")
