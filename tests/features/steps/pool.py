"""Phrases about the pool as a whole."""

from __future__ import annotations

from pytest_bdd import given, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, pairs_of


@given(phrase("a pool of {count:Count} {slots:Slots}{more:With}"))
def open_pool(scene: Scene, count: int, datatable: Table | None = None) -> None:
    scene.open(count, pairs_of(datatable))


@when(phrase("{seconds:Count} {word:Seconds}"))
def pass_time(scene: Scene, seconds: int) -> None:
    scene.pool.advance(seconds * 1000)


@when(phrase("the clock is set {way:Ways} by {hours:Count} hours"))
def set_clock(scene: Scene, way: int, hours: int) -> None:
    scene.pool.set_clock(way * hours * 3_600_000)


@when("the coordinator resumes the pool")
def resume(scene: Scene) -> None:
    scene.ask("pool_resume")


@when(phrase("the coordinator drains the pool to {mode:Drains}"))
def drain(scene: Scene, mode: str) -> None:
    seconds = 0.001 if scene.busy() and mode == "finish" else 50
    scene.ask("pool_drain", mode=mode, timeout_seconds=seconds)
