"""Limits that are set, raced for and asked about, on the real service with scripted slots."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.wiring import Running
from claude_pool.domain import pool
from claude_pool.domain.errors import BudgetExceeded, InvalidArgument, PoolError, WrongState
from claude_pool.domain.funding import Quote
from claude_pool.domain.pool_events import FundsToppedUp
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import AttemptStarted, TaskParked, TaskUnparked
from claude_pool.domain.values import Options, Outcome
from claude_pool.domain.world import World

from tests.support.domain_ledger import Ledger
from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import WAIT_SECONDS, Wire, at_once, scripted_pool, use_pool

Scene = Callable[[Running, asyncio.Event], Awaitable[None]]


def played(
    folder: Path, scene: Scene, slots: int = 2, limit: int | None = None, cost: int = 1_000, **settings: Any
) -> None:
    """Play a scene with a pool whose turns wait for the event and cost so much; its log is audited."""

    async def play() -> None:
        release = asyncio.Event()

        async def script(_live: LiveTurn) -> Outcome:
            await release.wait()
            return said("done", cost=cost)

        async with scripted_pool(folder, script, slots, limit, **settings) as running:
            async with asyncio.timeout(WAIT_SECONDS):
                await scene(running, release)
            audit(running)

    asyncio.run(play())


def audit(running: Running) -> None:
    """Every append of the log, seen by an account of its own: no limit is passed at any event."""
    account, world = Ledger(), World()  # slots go on meanwhile, so the log is folded as it was read
    recorded = list(running.store.log.read_all())
    for _, run in itertools.groupby(recorded, key=lambda each: each.meta.command_id):
        account.observe([Fact(each.stream, each.event) for each in run])
    for each in recorded:
        world.apply(each.position, each.stream, each.version, each.event)
    account.check(world)


async def until(running: Running, happened: Callable[[], bool]) -> None:
    """Wait until that holds after some append."""
    changed = asyncio.Event()
    running.service.on_facts(lambda _facts: changed.set())
    while not happened():
        await changed.wait()
        changed.clear()


async def submitted(running: Running, number: int, **wishes: Any) -> list[str | PoolError]:
    """So many callers at once; the id, or the refusal, that each one got."""
    request = TaskRequest("work", **wishes)
    calls = (running.application.submit(request) for _ in range(number))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, (str, PoolError)) for each in answers), answers
    return [each for each in answers if isinstance(each, (str, PoolError))]


async def ended(running: Running, *answers: str | PoolError) -> list[dict[str, Any]]:
    """The views of those that were accepted, once they have ended."""
    accepted = [each for each in answers if isinstance(each, str)]
    await running.application.waiting.finished(accepted, WAIT_SECONDS)
    return [await running.application.view(each) for each in accepted]


def count(running: Running, kind: type[object]) -> int:
    """How many events of a kind there are."""
    return sum(isinstance(each.event, kind) for each in running.store.log.read_all())


# Races.


def test_sixteen_callers_who_race_for_the_last_dollar_get_one_dollar(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        answers = await submitted(running, 16, options=Options(max_budget=250_000))
        views = await ended(running, *answers)
        paid = [view for view in views if view["state"] == "completed"]
        refused = [each for each in answers if not isinstance(each, str)]
        assert all(isinstance(each, BudgetExceeded) for each in refused)
        assert {view["error"]["code"] for view in views if view["error"]} <= {"budget_exceeded"}
        assert len(paid) == 4
        assert running.world.open_pool().budget.spent == 1_000_000

    played(tmp_path, scene, slots=8, limit=1_000_000, cost=250_000)


def test_attempts_that_race_for_the_last_funds_reserve_not_a_microdollar_too_much(tmp_path: Path) -> None:
    async def script(live: LiveTurn) -> Outcome:
        while live.budget is not None and live.spent < 500:
            live.spend(7)
            while live.spent >= live.budget:  # noqa: ASYNC110  # it is funded or interrupted
                await asyncio.sleep(0.0005)
            await asyncio.sleep(0)
        return said("done", cost=live.spent)

    async def play() -> None:
        async with scripted_pool(tmp_path, script, 8, 1_001) as running:
            running.service.outlook.price = lambda _model, _context, _mode: Quote(3, 40)
            async with asyncio.timeout(WAIT_SECONDS):
                views = await ended(running, *(await submitted(running, 8)))
            assert {view["error"]["code"] for view in views if view["error"]} == {"task_budget_reached"}
            assert count(running, FundsToppedUp) > 8
            audit(running)

    asyncio.run(play())


def test_callers_and_limits_that_race_leave_a_log_that_adds_up(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        pool = running.application
        changes = (
            pool.money.budget(limit, soft=soft, scope=scope)
            for limit, soft, scope in [
                (40, None, "pool"), (20, 5, "day"), (9, 9, "tag:night"), (100, None, "day"),
                (None, None, "pool"), (None, 3, "tag:night"), (30, 10, "pool"),
            ]
        )  # fmt: skip
        answers, *_ = await asyncio.gather(submitted(running, 12, tags=("night",)), *changes)
        await until(running, lambda: not running.world.running and not running.world.pending)
        assert len(answers) == 12

    played(tmp_path, scene, slots=3, cost=4)


# Limits that change while the pool works.


def test_a_raised_limit_wakes_what_waits_for_money_exactly_once(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        first, *others = await submitted(running, 4, options=Options(max_budget=1_000))
        await until(running, lambda: len(running.world.parked) == 3)
        await running.application.money.budget(4_000)
        await until(running, lambda: len(running.world.running) == 4)
        release.set()
        assert {view["state"] for view in await ended(running, first, *others)} == {"completed"}
        assert (count(running, TaskParked), count(running, TaskUnparked)) == (3, 3)

    played(tmp_path, scene, slots=4, limit=1_000)


def test_a_limit_below_what_is_spent_admits_nothing_and_ends_nothing(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        (task_id,) = await submitted(running, 1, options=Options(max_budget=5_000))
        await until(running, lambda: bool(running.world.running))
        view = await running.application.money.budget(1)
        assert (view["limit_microdollars"], view["free_microdollars"]) == (1, 0)
        (waiting,) = await submitted(running, 1)
        release.set()
        done, given_up = await ended(running, task_id, waiting)
        assert done["state"] == "completed"
        assert given_up["error"]["code"] == "budget_exceeded"
        (refused,) = await submitted(running, 1)
        assert isinstance(refused, BudgetExceeded)
        assert count(running, AttemptStarted) == 1
        await running.application.money.budget(limit=None)
        assert isinstance((await submitted(running, 1))[0], str)

    played(tmp_path, scene, limit=10_000)


def test_the_limit_of_a_tag_concerns_nobody_else(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        await running.application.money.budget(500, scope="tag:night")
        await ended(running, *(await submitted(running, 1, tags=("night",))))
        (refused,) = await submitted(running, 1, tags=("night",))
        assert isinstance(refused, BudgetExceeded)
        assert isinstance((await submitted(running, 1))[0], str)
        scopes = {each["scope"]: each for each in running.application.money.budget_now()["scopes"]}
        assert scopes["tag:night"]["spent_microdollars"] == 1_000
        assert scopes["day"]["limit_usd"] is None
        assert len(scopes["day"]["day"]) == len("2026-01-31")

    played(tmp_path, scene)


# Questions.


async def asked(running: Running, kind: str | None = None) -> dict[str, Any]:
    """The only question; it comes right after what it is about."""
    await until(running, lambda: bool(running.application.status()["open_questions"]))
    (question,) = (await running.application.list_questions(kind=kind))["questions"]
    return dict(question)


def test_at_a_soft_limit_work_parks_and_goes_on_when_somebody_says_so(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        pool = running.application
        await pool.money.budget(soft=1_000)
        await ended(running, *(await submitted(running, 1)))
        waiting = [str(each) for each in await submitted(running, 3)]
        await until(running, lambda: len(running.world.parked) == 3)
        assert (await pool.view(waiting[0]))["reason"] == "soft_limit"
        question = await asked(running, "soft_limit")
        name = question.pop("question_id")
        assert question == {
            "kind": "soft_limit", "task_id": None, "scope": "pool", "choices": ["continue", "stop"],
            "text": "The soft limit of the pool ($0.001000) is reached: $0.001000 spent, $0.000000 "
            "reserved; no hard limit. May it go on?", "soft_limit_microdollars": 1_000,
            "spent_microdollars": 1_000, "deadline": None, "default": None,
        }  # fmt: skip
        assert pool.status()["open_questions"] == 1
        told = await pool.answer_question(name, "continue", amount=9_000)
        assert (told["state"], told["task_id"], told["soft_limit_usd"]) == ("answered", None, 0.01)
        assert {view["state"] for view in await ended(running, *waiting)} == {"completed"}
        with pytest.raises(WrongState, match="answered already: continue"):
            await pool.answer_question(name, "stop")
        assert (pool.status()["open_questions"], await pool.list_questions()) == (0, {"questions": []})

    played(tmp_path, scene)


def test_stop_ends_what_waits(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        pool = running.application
        await pool.money.budget(soft=1_000)
        await ended(running, *(await submitted(running, 1)))
        waiting = await submitted(running, 1)
        await until(running, lambda: bool(running.world.parked))
        told = await pool.answer_question((await asked(running))["question_id"], "stop")
        assert (told["stopped"], told["limit_microdollars"]) == (True, 1_000)
        (given_up,) = await ended(running, *waiting)
        assert given_up["error"]["code"] == "budget_exceeded"
        (refused,) = await submitted(running, 1)
        assert isinstance(refused, BudgetExceeded)

    played(tmp_path, scene)


def test_one_of_two_answers_at_once_counts(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        await running.application.money.budget(soft=1_000)
        await ended(running, *(await submitted(running, 1)))
        name = (await asked(running))["question_id"]
        answers = await asyncio.gather(
            *(running.application.answer_question(name, choice) for choice in ("continue", "stop")),
            return_exceptions=True,
        )
        assert [isinstance(each, WrongState) for each in answers] == [False, True]

    played(tmp_path, scene)


def test_a_budget_whose_limit_an_owner_put_below_its_soft_limit_is_shown(tmp_path: Path) -> None:
    async def scene(running: Running, _release: asyncio.Event) -> None:
        await running.application.money.budget(soft=5_000)
        settings = running.world.open_pool().settings
        owner = pool.StartOwner("", "owner-2", 2, "0", settings, 1_000, True, 0)
        await running.service.handle(owner, CALLER)
        view = await running.application.money.budget()
        assert (view["limit_microdollars"], view["soft_limit_microdollars"]) == (1_000, 5_000)

    played(tmp_path, scene)


def test_a_question_is_closed_by_another_limit(tmp_path: Path) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        await running.application.money.budget(soft=1_000)
        await ended(running, *(await submitted(running, 1)))
        name = (await asked(running))["question_id"]
        view = await running.application.money.budget(soft=2_000)
        assert "question_id" not in view["scopes"][0]
        with pytest.raises(WrongState, match="its limits have changed"):
            await running.application.answer_question(name, "continue")

    played(tmp_path, scene)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"choice": "allow"}, "choice: say continue or stop"),
        ({"choice": "stop", "amount": 5}, "amount_usd: goes with continue"),
        ({"choice": "continue", "message": "yes"}, "answer it without message and updated_input"),
        ({"choice": "continue", "updated_input": "{}"}, "answer it without message and updated_input"),
    ],
)
def test_a_soft_limit_has_only_its_own_answers(tmp_path: Path, answer: dict[str, Any], problem: str) -> None:
    async def scene(running: Running, release: asyncio.Event) -> None:
        release.set()
        await running.application.money.budget(soft=1_000)
        await ended(running, *(await submitted(running, 1)))
        name = (await asked(running))["question_id"]
        with pytest.raises(InvalidArgument, match=problem):
            await running.application.answer_question(name, **answer)
        assert (await asked(running))["question_id"] == name

    played(tmp_path, scene)


# Over the wire.

WRONG: list[Any] = [float("nan"), float("inf"), -1, 0, 1e30, "1:30", True, [], 1e-7]


@pytest.mark.parametrize(
    ("tool", "argument", "others"),
    [
        ("pool_budget", "set_usd", {}),
        ("pool_budget", "soft_usd", {}),
        ("pool_answer_question", "amount_usd", {"question_id": "question-x", "choice": "continue"}),
    ],
)
def test_no_senseless_amount_changes_anything(
    tmp_path: Path, tool: str, argument: str, others: dict[str, Any]
) -> None:
    async def body(wire: Wire) -> dict[str, Any]:
        before = (await wire.view("pool_budget"))["scopes"]
        for value in WRONG:
            said = await wire.refusal(tool, **{argument: value}, **others)
            assert said.startswith(f"[invalid_argument] {argument}"), (value, said)
        assert (await wire.view("pool_budget"))["scopes"] == before
        return {}

    use_pool(tmp_path, body)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scope": "days", "set_usd": 1}, "[invalid_argument] scope: say pool, day, or tag: and a tag"),
        ({"scope": "tag:", "set_usd": 1}, "[invalid_argument] scope"),
        ({"scope": "tag:" + "x" * 65}, "[invalid_argument] scope"),
        ({"scope": 5}, "[invalid_argument] scope"),
        ({"scope": "day", "reset": True}, "[invalid_argument] scope: a reset is of all accounts together"),
        ({"lift": "all"}, "[invalid_argument] lift"),
        ({"lift": "both", "set_usd": 1}, "[invalid_argument] set_usd: is set and lifted in one call"),
        ({"lift": "soft", "soft_usd": 1}, "[invalid_argument] soft_usd: is set and lifted in one call"),
        ({"set_usd": 1, "soft_usd": 2, "reset": True}, "[invalid_argument] soft_usd: $2.000000 is above"),
        ({"reset": "yes"}, "[invalid_argument] reset"),
    ],
)  # fmt: skip
def test_no_senseless_change_of_the_budget_changes_anything(
    tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    async def body(wire: Wire) -> dict[str, Any]:
        before = (await wire.view("pool_budget"))["scopes"]
        refusal = await wire.refusal("pool_budget", **arguments)
        assert refusal.startswith(said), refusal
        assert (await wire.view("pool_budget"))["scopes"] == before
        return {}

    use_pool(tmp_path, body)


def test_limits_are_set_and_lifted_over_the_wire_and_a_wait_tells_of_a_question(tmp_path: Path) -> None:
    async def body(wire: Wire) -> dict[str, Any]:
        view = await wire.view("pool_budget", set_usd=2, soft_usd=0.0005, scope="day")
        day = view["scopes"][1]
        assert (day["scope"], day["limit_usd"], day["soft_limit_usd"]) == ("day", 2, 0.0005)
        assert view["limit_usd"] is None
        await at_once(wire, ("pool_run", {"prompt": "one"}))
        waited = await wire.view("pool_wait")
        (question,) = waited["questions"]
        assert question["deadline"] > 1_000_000_000_000
        told = await wire.view("pool_answer_question", question_id=question["question_id"], choice="continue")
        assert (told["scope"], told["soft_limit_microdollars"]) == ("day", None)
        assert "questions" not in await wire.view("pool_wait")
        return await wire.view("pool_budget", lift="both", scope="day")

    assert use_pool(tmp_path, body)["scopes"][1]["limit_microdollars"] is None
