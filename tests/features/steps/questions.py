"""Phrases about what slots and sealed tasks ask, and what they are told."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene


@then(phrase("{name:Task} asks {text:Text}"))
def asks(scene: Scene, name: str, text: str) -> None:
    scene.pool.until(lambda: bool(scene.view(name).get("questions")), f"{name} asked something")
    assert [each["text"] for each in scene.view(name)["questions"]] == [text]


@when(phrase("the coordinator tells {name:Task} {choice:Choice}"))
@when(phrase("the coordinator tells {name:Task} {choice:Choice}, saying {message:Text}"))
def tell(scene: Scene, name: str, choice: str, message: str | None = None) -> None:
    scene.ask("pool_answer_question", question_id=scene.question_of(name), choice=choice, message=message)
