"""What the project says of its events and states is found in the code, and kept logs agree with it."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))  # the tools are programs, on nobody's path

from claude_pool.adapters.places import Places  # noqa: E402
from claude_pool.adapters.reading import LogReader  # noqa: E402
from claude_pool.domain import catalogue, chain, slot, task  # noqa: E402
from claude_pool.domain.records import Event  # noqa: E402

from tools.manual import emitters, events, machines, states  # noqa: E402

EVENTS: tuple[type[Event], ...] = catalogue.EVENTS
LOGS = sorted(path for path in (ROOT / "tests" / "golden" / "logs").iterdir() if path.is_dir())


def test_somebody_emits_and_somebody_reads_every_event() -> None:
    names = [events.named(event) for event in EVENTS]
    assert [name for name in names if not emitters.emitters(name)[0]] == []
    assert [name for name in names if not emitters.readers(name)] == []


def test_what_emits_an_event_is_found_through_the_functions_that_decide() -> None:
    direct, wider = emitters.emitters(("domain.task_events", "TaskCompleted"))
    assert direct == [("domain.task.commands", "ApproveTask"), ("domain.task.commands", "RecordAttemptEnded")]
    assert ("domain.attempts", "RecordEnd") in wider


def test_what_stands_in_the_branch_of_another_command_is_not_emitted() -> None:
    direct, _ = emitters.emitters(("domain.slot_events", "SlotQuarantined"))
    assert ("domain.housing", "RecordWorkplaceFailed") in direct
    assert ("domain.slot.commands", "AddSlot") not in direct


def test_a_state_without_a_place_in_the_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = states.DIAGRAMS[0]
    places = {name: place for name, place in whole.places.items() if name != "sealed"}
    monkeypatch.setattr(states, "DIAGRAMS", (dataclasses.replace(whole, places=places),))
    states.svg.cache_clear()
    with pytest.raises(SystemExit, match="sealed"):
        states.svg("task")


@pytest.mark.parametrize("kept", LOGS, ids=lambda path: str(path.name))
def test_kept_logs_only_go_along_the_arrows(kept: Path, tmp_path: Path) -> None:
    state = Path(shutil.copytree(kept, tmp_path / "state"))
    reader = LogReader(Places(str(state), str(state / "socket"), str(state), str(state)), "any")
    drawn = {name: machines.machine(name) for name in ("task", "slot", "chain")}
    folds: dict[str, tuple[Any, Any]] = {
        "task": (task, task.ABSENT),
        "slot": (slot, slot.ABSENT),
        "chain": (chain, chain.ABSENT),
    }
    now: dict[str, Any] = {}
    walked = 0
    for recorded in reader.events():
        kind = recorded.stream.partition("-")[0]
        if kind not in folds:
            continue
        module, nothing = folds[kind]
        before = now.get(recorded.stream, nothing)
        after = now[recorded.stream] = module.evolve(before, recorded.event)
        one, two = machines.name_of(before), machines.name_of(after)
        if one != two:
            assert recorded.event.NAME in drawn[kind].arrows[one, two], recorded
            walked += 1
    reader.close()
    assert walked > 20
