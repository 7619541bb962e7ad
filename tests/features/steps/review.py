"""Phrases about verdicts, and what an attempt is told of them."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene


@when(phrase("the coordinator approves {name:Task}"))
def approve(scene: Scene, name: str) -> None:
    scene.ask("pool_approve_result", task_id=scene.id_of(name))


@when(phrase("the coordinator rejects {name:Task}, saying {feedback:Text}"))
def reject(scene: Scene, name: str, feedback: str) -> None:
    scene.ask("pool_reject_result", task_id=scene.id_of(name), feedback=feedback)


@then(phrase("the last attempt of {name:Task} was told {text:Text}"))
def was_told(scene: Scene, name: str, text: str) -> None:
    said = scene.await_end(name)["output"]
    assert text in said, said
