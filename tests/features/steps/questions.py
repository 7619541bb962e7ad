"""Phrases about what slots, sealed tasks and the pool ask, and what they are told."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene


@then(phrase("{name:Asker} asks {text:Text}"))
def asks(scene: Scene, name: str | None, text: str) -> None:
    if name is None:
        assert scene.soft_limit_question()["text"] == text
        return
    scene.pool.until(lambda: bool(scene.view(name).get("questions")), f"{name} asked something")
    assert [each["text"] for each in scene.view(name)["questions"]] == [text]


@when(phrase("the coordinator answers {name:Asker} with {answer:Answer}"))
def answer_question(scene: Scene, name: str | None, answer: dict[str, object]) -> None:
    question = scene.soft_limit_question()["question_id"] if name is None else scene.question_of(name)
    scene.ask("pool_answer_question", question_id=question, **answer)
