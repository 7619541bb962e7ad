"""Phrases about what slots and the coordinator write to one another."""

from __future__ import annotations

import re

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_level import View
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, compare

_OPEN, _CLOSE = "<pool-messages>", "</pool-messages>"
_MESSAGE = re.compile(r"From (\S+) at \S+ \S+ UTC: (.*?)(?= From \S+ at |$)")


@when(phrase("{sender:Who} writes {text:Text} to {to:Who}"))
def write(scene: Scene, sender: str, text: str, to: str) -> None:
    if to == "everyone":
        scene.ask("pool_broadcast", **{"from": sender, "content": text})
    else:
        scene.ask("pool_send_message", **{"from": sender, "to": to, "content": text})


@then(phrase("{name:Task} was told"))
def was_told(scene: Scene, name: str, datatable: Table) -> None:
    prompt: str = scene.await_state(name, "completed")["output"]
    assert (prompt.count(_OPEN), prompt.count(_CLOSE)) == (1, 1), f"not one block: {prompt}"
    block, _, rest = prompt.partition(_CLOSE)
    shown = " ".join(block.partition("your task follows.")[2].replace("\u200b", "").split())
    compare(datatable, [{"from": sender, "text": text} for sender, text in _MESSAGE.findall(shown)])
    assert rest.strip() == f"Task {name}."


@then(phrase("the inbox of {owner:Who} is"))
def inbox_is(scene: Scene, owner: str, datatable: Table) -> None:
    def look() -> list[View]:
        found: list[View] = scene.see("pool_peek_messages", slot_id=owner)["messages"]
        return found

    # A slot may be about to write what is expected.
    scene.pool.until(lambda: len(look()) >= len(datatable) - 1, f"the messages of {owner} came")
    messages = look()
    compare(datatable, [{"from": m["from"], "text": m["content"], "state": m["state"]} for m in messages])
