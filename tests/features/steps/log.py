"""Phrases about the log: what it tells, and who takes a pool over from it."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, compare

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the tools are programs, on nobody's path

from tools.screen import drawn


@when(phrase("the pool is {end:Ends} and started again"))
def start_again(scene: Scene, end: str) -> None:
    scene.pool.restart(end)


@when("the owner dies and another one takes over")
def take_over(scene: Scene) -> None:
    scene.pool.restart("crash")


@when(phrase("the coordinator asks why {subject:Subject} is as it is"))
def ask_why(scene: Scene, subject: str) -> None:
    scene.ask("pool_why", id=scene.subject(subject))


@then(phrase("the story of {subject:Subject} is"))
def story_is(scene: Scene, subject: str, datatable: Table) -> None:
    scene.pool.settle()
    compare(datatable, scene.see("pool_why", id=scene.subject(subject))["story"])


@then("a replay gives what the pool shows")
def replay_agrees(scene: Scene) -> None:
    scene.pool.settle()
    assert scene.pool.replayed_status() == scene.see("pool_status")


@then(phrase("the film at {event:Text} shows"))
def film_shows(scene: Scene, event: str, datatable: Table) -> None:
    scene.pool.settle()
    position = next(each["position"] for each in scene.events() if each["name"] == event)
    shown = drawn(scene.pool.places().state_dir, position, 100, 24, 60).export_text()
    for name, task_id in scene.tasks.items():
        shown = shown.replace(task_id, name)
    for (line,) in datatable[1:]:
        assert line in " ".join(shown.split()), shown


@then("the log adds up")
def adds_up(scene: Scene) -> None:
    scene.pool.settle()
    assert scene.pool.check_log() == []
