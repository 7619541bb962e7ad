"""What a slot driver promises of processes and the conversations that they hold."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from claude_pool.domain.ports import Launch, SlotFailure, Turn

from tests.support.slot_scenes import Play, recalled
from tests.unit.adapters.claude.bench import SLOT, Bench


def test_a_launched_slot_tells_its_process_and_version(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        launch = Launch(SLOT, 1, str(uuid4()), str(bench.cwd), model="haiku")
        launched = await bench.driver.launch(launch)
        os.kill(launched.pid, 0)
        assert launched.cli_version == bench.settings.cli.version

    play(scene)


def test_two_turns_share_one_process_and_one_conversation(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        first = await bench.run("the first prompt")
        second = await bench.run("[[recall]]")
        assert recalled(second) == ["the first prompt"]
        assert first.session == second.session
        os.kill(pid, 0)

    play(scene)


def test_the_conversation_has_the_id_that_it_was_launched_with(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        await bench.launch(session=session)
        assert (await bench.run("hello")).session == session

    play(scene)


def test_a_cleared_slot_has_another_conversation_that_remembers_nothing(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        before = await bench.run("the first prompt")
        session = await bench.driver.clear(SLOT)
        after = await bench.run("[[recall]]")
        assert session == after.session != before.session
        assert recalled(after) == []

    play(scene)


def test_a_new_process_resumes_a_conversation_by_its_id(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        await bench.launch(session=session)
        await bench.run("the first prompt")
        await bench.launch(session=session, resume=session)
        report = await bench.run("[[recall]]")
        assert recalled(report) == ["the first prompt"]
        assert report.session == session

    play(scene)


def test_a_fork_goes_on_under_its_own_id_and_leaves_the_original_alone(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session, branch = str(uuid4()), str(uuid4())
        await bench.launch(session=session)
        await bench.run("the first prompt")
        await bench.launch(session=branch, resume=session, fork=True)
        forked = await bench.run("only in the branch")
        await bench.launch(session=session, resume=session)
        assert forked.session == branch
        assert recalled(await bench.run("[[recall]]")) == ["the first prompt"]

    play(scene)


def test_resuming_an_unknown_conversation_fails_the_launch(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        with pytest.raises(SlotFailure) as failure:
            await bench.launch(session=session, resume=session)
        assert failure.value.code == "session_not_found"
        assert bench.exits == [] and bench.strays == []

    play(scene)


def test_a_directory_that_is_not_there_fails_the_launch(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        bench.cwd.rmdir()
        with pytest.raises(SlotFailure) as failure:
            await bench.launch()
        assert failure.value.code == "invalid_argument"

    play(scene)


def test_a_form_that_is_no_form_fails_the_launch(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        with pytest.raises(SlotFailure) as failure:
            await bench.launch(json_schema='{"type": "strnig"}')
        assert failure.value.code == "invalid_argument"

    play(scene)


def test_a_prompt_for_another_conversation_is_not_asked_in_this_one(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        turn = Turn(bench.next_attempt(), str(uuid4()), "hello", "haiku")
        report = await bench.driver.run(SLOT, turn, lambda _attempt, _spent: None)
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        assert bench.calls() == []

    play(scene)
