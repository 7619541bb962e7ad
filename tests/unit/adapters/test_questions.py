"""Questions between slots and callers, through the application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.application import Application
from claude_pool.adapters.questions import INPUT_SHOWN_BYTES
from claude_pool.adapters.requests import TaskRequest
from claude_pool.domain.errors import InvalidArgument, NotFound, PoolError, WrongState
from claude_pool.domain.ports import Ask
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import WAIT_SECONDS, scripted_pool

Scene = Callable[[Application, str], Awaitable[None]]
BASH = json.dumps({"command": "touch x"})


async def obedient(live: LiveTurn) -> Outcome:
    """Asks once, and says what it was told."""
    leave = await live.ask("Bash", BASH)
    return said(f"{leave.allowed} {leave.message} {leave.updated_input}")


def played(folder: Path, scene: Scene, script: Callable[[LiveTurn], Awaitable[Outcome]] = obedient) -> None:
    """Play a scene with a pool whose one slot runs a task by `script`; its id is handed over."""

    async def play() -> None:
        async with scripted_pool(folder, script, slots=1, question_ms=60_000) as running:
            pool = running.application
            view = await pool.run(TaskRequest("do it"), wait_seconds=WAIT_SECONDS)
            await scene(pool, view["task_id"])

    asyncio.run(play())


async def only_question(pool: Application) -> dict[str, Any]:
    """The one that is open."""
    (question,) = (await pool.list_questions())["questions"]
    return dict(question)


async def end_of(pool: Application, task_id: str) -> str:
    """What the task came to."""
    await pool.waiting.finished([task_id], WAIT_SECONDS)
    view = await pool.view(task_id)
    assert view["state"] == "completed", view
    return str(view["output"])


def test_an_open_question_is_listed_with_all_that_one_needs_to_answer_it(tmp_path: Path) -> None:
    async def scene(pool: Application, task_id: str) -> None:
        question = await only_question(pool)
        deadline = question.pop("deadline")
        assert deadline > 1_000_000_000_000 and question.pop("question_id").startswith("question-")
        assert question == {
            "kind": "permission", "task_id": task_id, "text": f"May it use Bash: {BASH}", "tool": "Bash",
            "input": {"command": "touch x"}, "choices": ["allow", "deny"], "default": "deny",
        }  # fmt: skip
        view = await pool.view(task_id)
        assert (view["state"], view["reason"]) == ("running", "question")
        assert [each["deadline"] for each in view["questions"]] == [deadline]

    played(tmp_path, scene)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (("allow", None, None), "True  None"),
        (("allow", None, '{"command": "ls"}'), 'True  {"command": "ls"}'),
        (("deny", "not here", None), "False not here None"),
        (("deny", None, None), "False You may not use this tool here. Go on without it. None"),
    ],
)
def test_the_slot_is_told_what_was_answered(
    tmp_path: Path, answer: tuple[str, str | None, str | None], told: str
) -> None:
    async def scene(pool: Application, task_id: str) -> None:
        question = await only_question(pool)
        assert (await pool.answer_question(question["question_id"], *answer))["task_id"] == task_id
        assert await end_of(pool, task_id) == told
        assert (await pool.list_questions())["questions"] == []

    played(tmp_path, scene)


@pytest.mark.parametrize("kind", ["permission", "sealed", "soft_limit", None])
def test_questions_are_listed_by_kind_and_task(tmp_path: Path, kind: str | None) -> None:
    async def scene(pool: Application, task_id: str) -> None:
        found = (await pool.list_questions(task_id, kind))["questions"]
        assert len(found) == (kind in ("permission", None))
        with pytest.raises(NotFound):
            await pool.list_questions("task-aaaaaaaaaaaaaaaa")

    played(tmp_path, scene)


@pytest.mark.parametrize(
    ("answer", "argument"),
    [
        (("rerun", None, None), "choice"),
        (("allow", "why", None), "message"),
        (("deny", None, "{}"), "updated_input"),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(
    tmp_path: Path, answer: tuple[str, str | None, str | None], argument: str
) -> None:
    async def scene(pool: Application, _task_id: str) -> None:
        question = await only_question(pool)
        with pytest.raises(InvalidArgument, match=argument):
            await pool.answer_question(question["question_id"], *answer)
        assert await only_question(pool) == question

    played(tmp_path, scene)


def test_a_late_answer_is_told_what_happened(tmp_path: Path) -> None:
    async def scene(pool: Application, task_id: str) -> None:
        question_id = (await only_question(pool))["question_id"]
        await pool.answer_question(question_id, "deny")
        with pytest.raises(WrongState, match="it was answered already: deny"):
            await pool.answer_question(question_id, "allow")
        await end_of(pool, task_id)
        with pytest.raises(NotFound):
            await pool.answer_question("question-aaaaaaaaaaaaaaaa", "allow")

    played(tmp_path, scene)


def test_cancelling_the_task_withdraws_its_question(tmp_path: Path) -> None:
    async def scene(pool: Application, task_id: str) -> None:
        question_id = (await only_question(pool))["question_id"]
        assert (await pool.cancel(task_id))["state"] == "cancelled"
        with pytest.raises(WrongState, match=r"its attempt has ended|wanted no answer"):
            await pool.answer_question(question_id, "allow")
        assert (await pool.list_questions())["questions"] == []

    played(tmp_path, scene)


def test_of_a_long_input_the_beginning_is_shown(tmp_path: Path) -> None:
    async def writes_much(live: LiveTurn) -> Outcome:
        leave = await live.ask("Write", json.dumps({"content": "x" * INPUT_SHOWN_BYTES}))
        return said(str(leave.allowed))

    async def scene(pool: Application, task_id: str) -> None:
        question = await only_question(pool)
        assert question["input"].startswith('{"content": "xxx')
        assert question["input"].endswith("bytes)")
        await pool.answer_question(question["question_id"], "allow")
        assert await end_of(pool, task_id) == "True"

    played(tmp_path, scene, writes_much)


def test_an_input_that_was_changed_at_length_reaches_the_slot_whole(tmp_path: Path) -> None:
    long = json.dumps({"command": "x" * 5_000})

    async def scene(pool: Application, task_id: str) -> None:
        question = await only_question(pool)
        await pool.answer_question(question["question_id"], "allow", None, long)
        assert await end_of(pool, task_id) == f"True  {long}"

    played(tmp_path, scene)


def test_questions_of_one_turn_are_answered_each_by_its_id(tmp_path: Path) -> None:
    async def asks_twice(live: LiveTurn) -> Outcome:
        leaves = await asyncio.gather(live.ask("Bash", BASH, "r1"), live.ask("Write", "{}", "r2"))
        return said(" ".join(str(leave.allowed) for leave in leaves))

    async def scene(pool: Application, task_id: str) -> None:
        waited = await pool.wait([task_id], None, WAIT_SECONDS)
        if len((await pool.list_questions())["questions"]) < 2:
            await pool.wait([task_id], waited.cursor, WAIT_SECONDS)
        asked = (await pool.list_questions())["questions"]
        assert len(asked) == 2
        for question in asked:
            await pool.answer_question(
                question["question_id"], "allow" if question["tool"] == "Write" else "deny"
            )
        assert await end_of(pool, task_id) == "False True"

    played(tmp_path, scene, asks_twice)


def test_a_question_that_cannot_be_recorded_is_denied(tmp_path: Path) -> None:
    async def asks_late(live: LiveTurn) -> Outcome:
        await live.ask("Bash", BASH)
        assert live.put is not None
        stale = await live.put(_of_another_attempt(live))
        return said(f"{stale.allowed} {stale.message}")

    async def scene(pool: Application, task_id: str) -> None:
        await pool.answer_question((await only_question(pool))["question_id"], "allow")
        assert "it is not given leave any more" in await end_of(pool, task_id)

    played(tmp_path, scene, asks_late)


def _of_another_attempt(live: LiveTurn) -> Ask:
    task_id = live.turn.attempt.rpartition(".")[0]
    return Ask(f"{task_id}.7", "r9", "Bash", BASH, "Bash")


def test_where_questions_are_denied_at_once_nobody_is_asked(tmp_path: Path) -> None:
    async def play() -> None:
        async with scripted_pool(tmp_path, obedient, slots=1, question_ms=0) as running:
            view = await running.application.run(TaskRequest("do it"), wait_seconds=WAIT_SECONDS)
            assert view["output"] == "False nobody is asked None"

    asyncio.run(play())


def test_errors_of_answers_are_refusals(tmp_path: Path) -> None:
    async def scene(pool: Application, _task_id: str) -> None:
        with pytest.raises(PoolError) as refused:
            await pool.answer_question("x" * 500, "allow")
        assert refused.value.code == "not_found" and len(refused.value.message) < 200

    played(tmp_path, scene)
