"""Phrases about slots: who they are, how many there are, and how their processes end."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, compare, pairs_of, slot_row


@when(phrase("the coordinator configures {slot:Slot} with"))
def configure(scene: Scene, slot: str, datatable: Table) -> None:
    scene.ask("pool_configure_slot", slot_id=slot, **scene.options(pairs_of(datatable)))


@when(phrase("the coordinator {tool:Scales} {count:Count} {slots:Slots}"))
def scale(scene: Scene, tool: str, count: int) -> None:
    name = "target" if tool == "pool_set_target_slots" else "count"
    scene.ask(tool, **{name: count})


@when(phrase("the coordinator claims work for {slot:Slot}"))
def claim(scene: Scene, slot: str) -> None:
    scene.ask("pool_claim", slot_id=slot)


@then(phrase("nothing is claimed because {reason:Text}"))
def not_claimed(scene: Scene, reason: str) -> None:
    assert (scene.answer["claimed"], scene.answer["reason"]) == (False, reason)


@when(phrase("the process of {slot:Slot} dies"))
def kill(scene: Scene, slot: str) -> None:
    scene.kill_process(slot)


@then("the slots are")
def slots_are(scene: Scene, datatable: Table) -> None:
    scene.pool.settle()
    compare(datatable, [slot_row(view) for view in scene.see("pool_status")["slots"]])
