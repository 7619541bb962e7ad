"""Phrases about the pool as a whole."""

from __future__ import annotations

from pytest_bdd import given, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, pairs_of


@given(phrase("a pool of {count:Count} {slots:Slots}"))
@given(phrase("a pool of {count:Count} {slots:Slots} with"))
def open_pool(scene: Scene, count: int, datatable: Table | None = None) -> None:
    scene.open(count, pairs_of(datatable))


@when(phrase("{seconds:Count} {word:Seconds}"))
def pass_time(scene: Scene, seconds: int) -> None:
    scene.pool.advance(seconds * 1000)


@when("the coordinator resumes the pool")
def resume(scene: Scene) -> None:
    scene.ask("pool_resume")


@when("the pool is stopped and started again")
def start_again(scene: Scene) -> None:
    scene.pool.restart(crash=False)


@when("the owner dies and another one takes over")
def take_over(scene: Scene) -> None:
    scene.pool.restart(crash=True)
