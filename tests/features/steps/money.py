"""Phrases about money."""

from __future__ import annotations

from pytest_bdd import given, then, when

from tests.features.steps.vocabulary import phrase
from tests.support.pool_money import dollars, microdollars
from tests.support.pool_scene import Scene
from tests.support.pool_tables import Table, account_row, compare, cost_row, forecast_row, pairs_of


@when(phrase("the coordinator sets the budget to {amount:Money}"))
def set_budget(scene: Scene, amount: str) -> None:
    scene.ask("pool_budget", set_usd=float(amount.removeprefix("$")))


@when("the coordinator changes the budget with")
def change_budget(scene: Scene, datatable: Table) -> None:
    scene.ask("pool_budget", **scene.options(pairs_of(datatable)))


@then("the accounts are")
def accounts_are(scene: Scene, datatable: Table) -> None:
    scene.pool.settle()
    compare(datatable, [account_row(each) for each in scene.see("pool_budget")["scopes"]])


@when("the coordinator resets the budget")
def reset_budget(scene: Scene) -> None:
    scene.ask("pool_budget", reset=True)


@then("the budget is")
def budget_is(scene: Scene, datatable: Table) -> None:
    scene.pool.settle()
    compare(datatable, [scene.budget_row()])


@given(phrase("{count:Count} tasks have run for {seconds:Count} seconds"))
def tasks_have_run(scene: Scene, count: int, seconds: int) -> None:
    for number in range(count):
        scene.work_for(f"past-{number}", "uses 1000 and 100 tokens", seconds * 1000)


@then("the forecast is")
def forecast_is(scene: Scene, datatable: Table) -> None:
    scene.pool.settle()
    compare(datatable, [forecast_row(scene.see("pool_budget")["forecast"])])


@then(phrase("the costs by {by:Code} are"))
def costs_by(scene: Scene, by: str, datatable: Table) -> None:
    view = scene.pool.costs(by)
    rows = [cost_row(by, scene.name_of(row["label"]), row) for row in view["rows"]]
    compare(datatable, [*rows, cost_row(by, "total", view["total"])])


@then(phrase("{name:Task} costs {price:Price}"))
def costs(scene: Scene, name: str, price: list[str]) -> None:
    cost = scene.await_end(name)["cost_microdollars"]
    assert microdollars(price[0]) <= cost <= microdollars(price[-1]), dollars(cost)
