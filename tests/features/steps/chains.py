"""Phrases about chains, and about the repository that they may work in copies of."""

from __future__ import annotations

from pytest_bdd import then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, rows_of


@when(phrase("the coordinator chains as {name:Task}{options:Setting}"))
def chain(scene: Scene, name: str, options: dict[str, object], datatable: Table) -> None:
    steps = [_step(scene, row) for row in rows_of(datatable)]
    answer = scene.ask("pool_submit_chain", steps=steps, **options)
    scene.know_chain(name, [str(step["name"]) for step in steps], answer)


@when(
    phrase("the coordinator forks {source:Task} as {name:Task} from {step:Task}, which now {does:Behaviour}")
)
def fork(scene: Scene, source: str, name: str, step: str, does: str) -> None:
    steps = [letter for letter, chain_id in scene.steps.items() if chain_id == scene.chains[source]]
    order = scene.order(step, does, {})
    answer = scene.ask("pool_fork", id=scene.chains[source], step=step, prompt=order["prompt"])
    scene.know_chain(name, steps, answer)


def _step(scene: Scene, row: dict[str, str]) -> dict[str, object]:
    name, told = row.pop("task"), row.pop("told", "")
    needs = row.pop("needs", None)
    review = row.pop("review", "")
    order = scene.order(name, row.pop("which"), row)
    step: dict[str, object] = {**order, "name": name, "prompt": f"{order['prompt']} {told}".strip()}
    if needs:
        step["needs"] = [] if needs == "nothing" else needs.split(", ")
    return {**step, "review": True} if review else step


@then("the repository holds")
def holds(scene: Scene, datatable: Table) -> None:
    for row in rows_of(datatable):
        branch = scene.view(row["branch"])["branch"] if row["branch"] in scene.chains else row["branch"]
        assert scene.repository.files(branch) == row["files"].split(", "), branch
