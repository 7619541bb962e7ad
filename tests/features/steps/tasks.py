"""Phrases about tasks: handing them in, waiting for them, and what they come to."""

from __future__ import annotations

import json

from pytest_bdd import given, then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, attempt_rows, compare, pairs_of, rows_of, task_row


@when(phrase("the coordinator {tool:Calls} {name:Task}, which {does:Behaviour}{more:With}"))
def hand_in(scene: Scene, tool: str, name: str, does: str, datatable: Table | None = None) -> None:
    scene.know(name, scene.ask(tool, **scene.order(name, does, pairs_of(datatable))))


@when(phrase("the coordinator {tool:Calls} {name:Task} again as {other:Task}{more:With}"))
def hand_in_again(scene: Scene, tool: str, name: str, other: str, datatable: Table | None = None) -> None:
    scene.know(other, scene.ask(tool, **scene.repeat(name, pairs_of(datatable))))


@when(phrase("the coordinator {patience:HandsIn}"))
def hand_in_many(scene: Scene, patience: float | None, datatable: Table) -> None:
    rows = rows_of(datatable)
    if patience is not None:
        _fan_out(scene, rows, patience)
        return
    for row in rows:
        hand_in(scene, "pool_submit", row.pop("task"), row.pop("which"), list(row.items()))


@given(phrase("{name:Task} is at work"))
@when(phrase("{name:Task} is at work"))
def at_work(scene: Scene, name: str) -> None:
    scene.await_state(name, "running")
    scene.await_words(name)


def _fan_out(scene: Scene, rows: list[dict[str, str]], seconds: float) -> None:
    names = [row.pop("task") for row in rows]
    orders = [scene.order(name, row.pop("which"), row) for name, row in zip(names, rows, strict=True)]
    answer = scene.ask("pool_fan_out", tasks=orders, wait_seconds=seconds)
    for name, view in zip(names, answer["results"] if answer is not None else (), strict=True):
        scene.know(name, view)


@then("the results are")
def results_are(scene: Scene, datatable: Table) -> None:
    views = scene.answer["results"]
    compare(datatable, [task_row(scene.name_of(view["task_id"]), view) for view in views])


@when(phrase("{name:Task} is released"))
def release(scene: Scene, name: str) -> None:
    scene.gate(name).touch()


@when(phrase("the coordinator waits{names:Awaited}"))
def wait(scene: Scene, names: list[str]) -> None:
    _wait(scene, names, 20)


@when("the coordinator asks what is new")
def look(scene: Scene) -> None:
    _wait(scene, [], 0)


def _wait(scene: Scene, names: list[str], seconds: float) -> None:
    ids = [scene.subject(name) for name in names]
    answer = scene.ask(
        "pool_wait",
        task_ids=[each for each in ids if each.startswith("task-")] or None,
        chain_ids=[each for each in ids if each.startswith("chain-")] or None,
        cursor=scene.cursor,
        wait_seconds=seconds,
    )
    if answer is not None:
        scene.cursor = answer["cursor"]


@then(phrase("the wait tells of {names:Tasks}"))
def waited(scene: Scene, names: list[str]) -> None:
    told = [view["task_id"] for view in scene.answer["tasks"]]
    told += [view["chain_id"] for view in scene.answer.get("chains", ())]
    assert [scene.name_of(each) for each in told] == names


@then(phrase("{names:Tasks} {are:Are} {state:State}"))
def has_state(scene: Scene, names: list[str], state: str) -> None:
    for name in names:
        scene.await_state(name, state)


@then(phrase("{name:Task} is {state:State} because of {reason:Text}"))
def waits_for(scene: Scene, name: str, state: str, reason: str) -> None:
    assert scene.await_state(name, state)["reason"] == reason


@then(phrase("{name:Task} answers {text:Text}"))
def answers(scene: Scene, name: str, text: str) -> None:
    view = scene.await_state(name, "completed")
    assert view.get("output", view.get("final_output")) == text


@then(phrase("{name:Task} fails {how:How} with {code:Code}"))
def fails(scene: Scene, name: str, how: str, code: str) -> None:
    error = scene.await_state(name, "failed")["error"]
    assert (error["code"], error["retryable"]) == (code, {"for now": True, "for good": False}[how])


@then(phrase("{name:Task} and {other:Task} are {many:Many}"))
def are_one(scene: Scene, name: str, other: str, many: str) -> None:
    assert (scene.tasks[name] == scene.tasks[other]) == (many == "one task")


@then("the tasks are")
def tasks_are(scene: Scene, datatable: Table) -> None:
    names = [row["task"] for row in rows_of(datatable)]
    for name in names:
        scene.await_end(name)
    compare(datatable, [task_row(name, scene.view(name)) for name in names])


@then("the attempts are")
def attempts_are(scene: Scene, datatable: Table) -> None:
    names = {task_id: name for name, task_id in scene.tasks.items()}
    compare(datatable, attempt_rows(scene.events(), names))


@then(phrase("{name:Task} remembers {names:Tasks}"))
def remembers(scene: Scene, name: str, names: list[str]) -> None:
    earlier: list[str] = json.loads(scene.await_state(name, "completed")["output"])
    assert [prompt.rstrip(".")[-1] for prompt in earlier] == names


@when(phrase("the coordinator looks at {name:Task}"))
def look_at(scene: Scene, name: str) -> None:
    scene.ask("pool_result", task_id=scene.id_of(name))


@when(phrase("the coordinator {tool:Lists}{more:With}"))
def list_things(scene: Scene, tool: str, datatable: Table | None = None) -> None:
    wishes = pairs_of(datatable)
    scene.listed = {name: int(value) if name == "limit" else value for name, value in wishes.items()}
    scene.ask(tool, **scene.listed)


@when("the coordinator turns the page")
def turn(scene: Scene) -> None:
    scene.ask("pool_list_tasks", **scene.listed, cursor=scene.answer["cursor"])


@then(phrase("the list shows {names:Listed}"))
def shows(scene: Scene, names: list[str]) -> None:
    if "slots" in scene.answer:
        assert [view["slot_id"] for view in scene.answer["slots"]] == names
    else:
        waited(scene, names)


@then(phrase("the coordinator is refused with {code:Code}"))
def refused(scene: Scene, code: str) -> None:
    refusal = scene.take_refusal()
    assert refusal.code == code, refusal.message


@when(phrase("the coordinator cancels {name:Task}"))
def cancel(scene: Scene, name: str) -> None:
    if name in scene.chains:
        scene.ask("pool_cancel_chain", chain_id=scene.chains[name])
    else:
        scene.ask("pool_cancel", task_id=scene.subject(name))


@when(phrase("the coordinator goes away while it runs {name:Task}, which {does:Behaviour}"))
def go_away(scene: Scene, name: str, does: str) -> None:
    scene.leave(name, scene.order(name, does, {}))
