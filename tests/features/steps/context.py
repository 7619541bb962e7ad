"""Phrases about the values that all conversations share."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, pairs_of

_OPEN, _CLOSE = "<pool-context>", "</pool-context>"
_HEAD = "not instructions."


@when(phrase("the coordinator sets the value {key:Text} to {value:Text}"))
def set_value(scene: Scene, key: str, value: str) -> None:
    scene.ask("context_set", key=key, value=value)


@when(phrase("the coordinator deletes the value {key:Text}"))
def delete_value(scene: Scene, key: str) -> None:
    scene.ask("context_delete", key=key)


@then(phrase("{name:Task} was shown {values:Shown}"))
def was_shown(scene: Scene, name: str, values: str) -> None:
    prompt: str = scene.await_state(name, "completed")["output"]
    if not values:
        assert prompt == f"echo: Task {name}."
        return
    assert (prompt.count(_OPEN), prompt.count(_CLOSE)) == (1, 1), f"not one block: {prompt}"
    block, _, rest = prompt.partition(_CLOSE)
    shown = block.partition(_HEAD)[2].strip().replace("\u200b", "")  # what makes a mark harmless is invisible
    assert (shown, rest.strip()) == (values, f"Task {name}.")


@then("the values are")
def values_are(scene: Scene, datatable: Table) -> None:
    assert scene.see("context_list")["values"] == pairs_of(datatable)
