"""What each thing becomes after a crash, with the real service and a real log; see docs/recovery.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import ChainRequest, StepRequest, TaskRequest
from claude_pool.adapters.views import View
from claude_pool.adapters.wiring import Running
from claude_pool.domain import task
from claude_pool.domain.errors import StoreError, WrongState
from claude_pool.domain.invariants import check
from claude_pool.domain.task_events import AttemptStarted, TaskReopened, TaskSealed
from claude_pool.domain.values import Outcome

from tests.support.dying_log import FOR_EVER, owner
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, said
from tests.support.scripted_pool import WAIT_SECONDS
from tests.support.waiting import until

CUT_OFF = "Your work on the task below was cut off."
SPOKEN: dict[str, object] = {
    "type": "assistant",
    "message": {
        "id": "msg_1", "model": "claude-haiku-4-5", "role": "assistant", "content": [],
        "usage": {"input_tokens": 1_000, "output_tokens": 100},
    },
}  # fmt: skip
MOST_APPENDS = 60


class Slots:
    """What the slots of one owner after another do: a prompt with `hang` never ends under the first."""

    def __init__(self, folder: Path) -> None:
        """The first owner's."""
        self.folder = folder
        self.prompts: list[str] = []
        self.hangs = True
        self.speaks = True
        self.conversations: dict[str, list[str]] = {}

    def driver(self) -> ScriptedDriver:
        """Those of the next owner; the conversations are on the disk."""
        return ScriptedDriver(self._turn, conversations=self.conversations)

    async def _turn(self, live: LiveTurn) -> Outcome:
        self.prompts.append(live.prompt)
        if self.speaks:
            path = self.folder / "state" / "transcripts" / f"{live.turn.attempt}.jsonl"
            path.write_text(json.dumps(SPOKEN) + "\n")
        if self.hangs and "ask" in live.prompt:
            await live.ask("Bash")
        if self.hangs and "hang" in live.prompt:
            await asyncio.Event().wait()
        return said(live.prompt, cost=7)


Scene = Callable[[Running], Awaitable[str]]


async def crashed(slots: Slots, scene: Scene, **settings: int) -> str:
    """What the scene came to; its owner died when it was over."""
    async with owner(slots.folder, slots.driver(), FOR_EVER, "", **settings) as (running, log):
        found = await scene(running)
        log.left = 0
    slots.hangs = False
    return found


async def at_work(running: Running, request: TaskRequest, slots: Slots) -> str:
    """A task whose turn has begun."""
    before = len(slots.prompts)
    task_id = await running.application.submit(request)
    await until(lambda: len(slots.prompts) > before)
    return task_id


async def settled(running: Running, task_id: str) -> View:
    """The task when it has ended or needs someone."""
    await running.application.waiting.finished([task_id], WAIT_SECONDS)
    return await running.application.view(task_id)


def violations(running: Running) -> list[str]:
    """What no log may hold."""
    log = ((e.position, e.stream, e.version, e.event) for e in running.store.log.read_all())
    return [str(found) for found in check(log)]


def reserved(running: Running) -> int:
    """What is set aside now."""
    return running.world.open_pool().budget.reserved


def test_what_was_cut_off_goes_on_and_costs_what_was_seen_of_both_attempts(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def play() -> None:
        task_id = await crashed(slots, lambda pool: at_work(pool, TaskRequest("hang"), slots))
        async with owner(tmp_path, slots.driver()) as (running, _):
            view = await settled(running, task_id)
            assert (view["state"], view["attempts"]) == ("completed", 2)
            seen = await running.application.replay(None, None, task_id, 100)
            costs = [e["data"]["outcome"]["cost"] for e in seen["events"] if "outcome" in e["data"]]
            assert costs[0] > 0 and view["cost_microdollars"] == sum(costs)
            assert running.world.open_pool().budget.spent == sum(costs)
            assert (reserved(running), violations(running)) == (0, [])

    asyncio.run(play())
    assert [prompt.startswith(CUT_OFF) for prompt in slots.prompts] == [False, True]
    assert len(slots.conversations) == 1


def test_what_was_claimed_and_left_no_trace_asks(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.speaks = False

    async def play() -> None:
        task_id = await crashed(slots, lambda pool: at_work(pool, TaskRequest("hang"), slots))
        async with owner(tmp_path, slots.driver()) as (running, _):
            view = await settled(running, task_id)
            assert (view["state"], view["reason"], view["cost_estimated"]) == ("sealed", "sealed", False)
            (question,) = (await running.application.list_questions(task_id))["questions"]
            assert (question["kind"], question["choices"]) == ("sealed", ["rerun", "cancel"])
            await running.application.answer_question(question["question_id"], "rerun")
            assert (await settled(running, task_id))["state"] == "completed"
            assert (reserved(running), violations(running)) == (0, [])

    asyncio.run(play())
    assert slots.prompts == ["hang", "hang"]


def test_a_conversation_that_is_gone_asks(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def play() -> None:
        task_id = await crashed(slots, lambda pool: at_work(pool, TaskRequest("hang"), slots))
        slots.conversations.clear()
        async with owner(tmp_path, slots.driver()) as (running, _):
            view = await settled(running, task_id)
            assert (view["state"], view["attempts"], view["error"]["code"]) == ("sealed", 2, "interrupted")
            assert "cannot be taken up" in view["error"]["message"]
            assert (reserved(running), violations(running)) == (0, [])

    asyncio.run(play())


def test_a_cancel_that_was_recorded_holds(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def play() -> None:
        async with owner(tmp_path, slots.driver(), before="attempt.cancelled") as (running, _):
            task_id = await at_work(running, TaskRequest("hang"), slots)
            await running.service.handle(task.CancelTask(task_id, 0), CALLER)
        async with owner(tmp_path, slots.driver()) as (running, _):
            assert (await settled(running, task_id))["state"] == "cancelled"
            assert (reserved(running), violations(running)) == (0, [])

    asyncio.run(play())


def test_a_result_that_was_not_recorded_is_no_result(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def play() -> None:
        async with owner(tmp_path, slots.driver(), before="attempt.succeeded") as (running, log):
            task_id = await at_work(running, TaskRequest("quick"), slots)
            await until(lambda: log.left == 0)
        async with owner(tmp_path, slots.driver()) as (running, _):
            view = await settled(running, task_id)
            assert (view["state"], view["attempts"]) == ("completed", 2)
            assert violations(running) == []

    asyncio.run(play())
    assert slots.prompts[1].startswith(CUT_OFF)


def test_what_was_finished_stays_so(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def run(running: Running) -> str:
        return str(
            (await running.application.run(TaskRequest("quick"), wait_seconds=WAIT_SECONDS))["task_id"]
        )

    async def play() -> None:
        task_id = await crashed(slots, run)
        async with owner(tmp_path, slots.driver()) as (running, _):
            view = await running.application.view(task_id)
            assert (view["state"], view["attempts"], view["output"]) == ("completed", 1, "quick")

    asyncio.run(play())
    assert slots.prompts == ["quick"]


def test_what_was_not_accepted_is_accepted_once_by_a_second_call(tmp_path: Path) -> None:
    slots, request = Slots(tmp_path), TaskRequest("quick", idempotency_key="key")

    async def play() -> None:
        async with owner(tmp_path, slots.driver()) as (running, log):
            log.left = 0
            with pytest.raises(StoreError):
                await running.application.submit(request)
        for _ in range(2):
            async with owner(tmp_path, slots.driver()) as (running, log):
                task_id = await running.application.submit(request)
                assert (await settled(running, task_id))["state"] == "completed"
                log.left = 0

    asyncio.run(play())
    assert slots.prompts == ["quick"]


def test_a_chain_goes_on_with_the_step_that_was_cut_off(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    steps = (
        StepRequest("a", TaskRequest("one")),
        StepRequest("b", TaskRequest("hang")),
        StepRequest("c", TaskRequest("three")),
    )

    async def submit(running: Running) -> str:
        chain_id = await running.application.chains.submit(ChainRequest(steps), CALLER)
        await until(lambda: slots.prompts == ["one", "hang"])
        return chain_id

    async def play() -> None:
        chain_id = await crashed(slots, submit)
        async with owner(tmp_path, slots.driver()) as (running, _):
            await running.application.chains.finished([chain_id], WAIT_SECONDS)
            view = await running.application.chains.view(chain_id)
            assert view["state"] == "completed"
            assert [step["attempts"] for step in view["steps"]] == [1, 2, 1]
            assert (reserved(running), violations(running)) == (0, [])

    asyncio.run(play())
    assert len(slots.prompts) == 4 and slots.prompts[2].startswith(CUT_OFF)


def test_a_question_is_closed_with_its_attempt_and_a_late_answer_is_told_so(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def ask(running: Running) -> str:
        await at_work(running, TaskRequest("ask"), slots)
        await until(lambda: bool(running.world.questions))
        return next(iter(running.world.questions))

    async def play() -> None:
        question_id = await crashed(slots, ask, question_ms=60_000)
        async with owner(tmp_path, slots.driver(), question_ms=60_000) as (running, _):
            with pytest.raises(WrongState, match="its attempt has ended meanwhile"):
                await running.application.answer_question(question_id, "allow")

    asyncio.run(play())


def test_what_was_answered_under_an_earlier_owner_is_answered(tmp_path: Path) -> None:
    slots = Slots(tmp_path)

    async def answer(running: Running) -> str:
        await at_work(running, TaskRequest("ask"), slots)
        await until(lambda: bool(running.world.questions))
        question_id = next(iter(running.world.questions))
        await running.application.answer_question(question_id, "deny")
        return question_id

    async def play() -> None:
        question_id = await crashed(slots, answer, question_ms=60_000)
        async with owner(tmp_path, slots.driver(), question_ms=60_000) as (running, _):
            with pytest.raises(WrongState, match="it was answered already: deny"):
                await running.application.answer_question(question_id, "allow")

    asyncio.run(play())


async def dies_after(slots: Slots, appends: int) -> bool:
    """An owner takes over and dies after so many appends; whether it came to rest before that."""
    with contextlib.suppress(StoreError):
        async with owner(slots.folder, slots.driver(), appends) as (running, log):
            await until(lambda: log.left <= 0 or at_rest(running))
            return log.left > 0
    return False


def at_rest(running: Running) -> bool:
    """Whether nothing goes on that could end by itself."""
    world = running.world
    going = world.pending or world.running or world.parked or running.runtime.effects.busy
    return not going and all(type(at).__name__ == "Idle" for at in world.slots.values())


def test_an_owner_that_dies_anywhere_in_its_recovery_leaves_what_the_next_one_can_recover(
    tmp_path: Path,
) -> None:
    """After each append of its own, until one comes to rest before it dies."""
    slots = Slots(tmp_path / "0")
    slots.folder.mkdir()

    async def work(running: Running) -> str:
        task_id = await at_work(running, TaskRequest("hang"), slots)
        await running.application.submit(TaskRequest("quick"))
        return task_id

    async def play() -> int:
        task_id = await crashed(slots, work)
        for appends in range(MOST_APPENDS):
            folder = tmp_path / str(appends + 1)
            shutil.copytree(slots.folder, folder, ignore=shutil.ignore_patterns("s"))
            again = Slots(folder)
            again.hangs, again.conversations = False, {s: list(p) for s, p in slots.conversations.items()}
            if await dies_after(again, appends):
                return appends
            async with owner(folder, again.driver(), FOR_EVER) as (running, _):
                await until(lambda running=running: at_rest(running))  # type: ignore[misc]  # one at a time
                events = [e.event for e in running.store.log.read_stream(task_id)]
                assert sum(isinstance(event, TaskReopened) for event in events) == 1
                assert sum(isinstance(event, AttemptStarted) for event in events) <= 2
                state = (await running.application.view(task_id))["state"]
                lost = sum(isinstance(event, TaskSealed) for event in events) == 2
                assert state == ("sealed" if lost else "completed")
                assert (reserved(running), violations(running)) == (0, [])
        raise AssertionError("it never comes to rest")

    assert asyncio.run(play()) > 10
