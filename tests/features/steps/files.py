"""Phrases about files of the project."""

from __future__ import annotations

from pytest_bdd import given, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene


@given(phrase("the project has the file {name:Text}"))
@when(phrase("the project has the file {name:Text}"))
def has_file(scene: Scene, name: str, docstring: str) -> None:
    path = scene.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(docstring + "\n")
