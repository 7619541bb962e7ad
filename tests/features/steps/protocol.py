"""Phrases about a coordinator that speaks the protocol: what it is offered, given and told."""

from __future__ import annotations

import json

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, compare, pairs_of, part_of


@when("a coordinator connects")
def connect(scene: Scene) -> None:
    scene.wire.connect("default")


@when(phrase("a coordinator connects with the toolsets {toolsets:Text}"))
def connect_with(scene: Scene, toolsets: str) -> None:
    scene.wire.connect(toolsets)


@when(phrase("it calls {tool:Tool} with"))
def call(scene: Scene, tool: str, docstring: str) -> None:
    scene.wire.call(tool, json.loads(docstring))


@when(phrase("it reads {address:Address}"))
def read(scene: Scene, address: str) -> None:
    *folder, last = address.split("/")
    scene.wire.read("/".join([*folder, scene.tasks.get(last, last)]))


@then("it is offered the tools")
def offered(scene: Scene, datatable: Table) -> None:
    found = [
        {"tool": tool["name"], "changes nothing": "yes" if tool["annotations"].get("readOnlyHint") else "no"}
        for tool in scene.wire.tools()
    ]
    compare(datatable, found)


@then("it is given")
def given_back(scene: Scene, datatable: Table) -> None:
    rows = pairs_of(datatable).items()
    # WORK is the directory that tasks run in.
    expected = {path: json.loads(value.replace("WORK", str(scene.work))) for path, value in rows}
    assert {path: part_of(scene.wire.result(), path) for path in expected} == expected


@then(phrase("it is told {text:Text}"))
def told(scene: Scene, text: str) -> None:
    said = scene.wire.error()
    assert said.startswith(text), said


@then(phrase("what it read has more than {count:Count} characters"))
def read_much(scene: Scene, count: int) -> None:
    assert len(scene.wire.text()) > count
