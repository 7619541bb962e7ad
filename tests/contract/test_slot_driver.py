"""What a slot driver promises, on the real CLI and on the fake one alike."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from claude_pool.adapters.claude.project_text import project_text
from claude_pool.domain.errors import NotFound
from claude_pool.domain.ports import Ask, Launch, Leave, SlotFailure, Turn, TurnReport
from claude_pool.domain.values import Denial, End, Limit, LimitKind

from tests.support.waiting import until
from tests.unit.adapters.claude.bench import SLOT, Bench, fake_bench, real_bench

Scene = Callable[[Bench], Awaitable[None]]
Play = Callable[[Scene], None]
Opener = Callable[[Path], AbstractAsyncContextManager[Bench]]
_OPENERS: dict[str, Opener] = {"fake": fake_bench, "real": real_bench}
_SLOW_ANSWER = "[[reply: one two three four five six seven eight]] [[slow: 1s x 60]]"
_SCHEMA = (
    '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'
)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene on a driver of its own."""
    opener = _OPENERS[request.param]
    return lambda scene: play_on(opener, tmp_path, scene)


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.real)])
def again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Play]:
    """Runs scenes on a slot that is launched once for all of them; each begins with a new conversation."""
    opened = _OPENERS[request.param](tmp_path_factory.mktemp("slot"))
    with asyncio.Runner() as runner:
        bench = runner.run(opened.__aenter__())
        try:
            runner.run(bench.launch())

            async def show(scene: Scene) -> None:
                await bench.driver.clear(SLOT)
                await scene(bench)

            yield lambda scene: runner.run(show(scene))
        finally:
            runner.run(opened.__aexit__(None, None, None))


def play_on(opener: Opener, folder: Path, scene: Scene) -> None:
    """Run a scene on the driver that `opener` makes in `folder`."""

    async def show() -> None:
        async with opener(folder) as bench:
            await scene(bench)

    asyncio.run(show())


def output(report: TurnReport) -> str:
    """The text of a turn that must have succeeded."""
    assert report.outcome.end is End.SUCCEEDED, report.outcome
    return report.outcome.output.inline or ""


def recalled(report: TurnReport) -> list[str]:
    """The earlier prompts of the conversation, as a `[[recall]]` answers them."""
    prompts: list[str] = json.loads(output(report))
    return prompts


# ---------------------------------------------------------------------------- launching and conversations


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


# ---------------------------------------------------------------------------- settings of a turn


def test_a_model_holds_for_its_turn_only_without_a_new_process(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch(model="haiku")
        assert output(await bench.run("[[model]]", model="sonnet")) == "claude-sonnet-5-5"
        report = await bench.run("[[model]]")
        assert output(report) == report.outcome.model == "claude-haiku-5-5"
        os.kill(pid, 0)

    play(scene)


@pytest.mark.real
def test_an_effort_holds_for_its_turn_only(tmp_path: Path) -> None:
    ask = '[[tool: Bash {"command": "echo $CLAUDE_EFFORT"}]] [[result]]'

    async def scene(bench: Bench) -> None:
        await bench.launch(effort="low", permission_mode="bypassPermissions")
        assert output(await bench.run(ask, effort="high")) == "high"
        assert output(await bench.run(ask)) == "low"

    play_on(real_bench, tmp_path, scene)


def test_what_a_turn_leaves_open_is_the_default_whoever_ran_before(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(model="haiku", effort="low", permission_mode="acceptEdits")
        turn = Turn(bench.next_attempt(), "", '[[tool: Bash {"command": "touch made"}]] [[model]]')
        report = await bench.driver.run(SLOT, turn, lambda _attempt, _spent: None)
        assert output(report) == "claude-opus-5-5"
        assert [denial.tool for denial in report.outcome.denials] == ["Bash"]

    play(scene)


@pytest.mark.real
def test_the_users_own_default_model_comes_back_after_another(tmp_path: Path) -> None:
    settings = tmp_path / "home" / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"model": "sonnet"}')

    async def scene(bench: Bench) -> None:
        await bench.launch(model=None)
        models = [output(await bench.run("[[model]]", model=model)) for model in (None, "haiku", None)]
        assert models == ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"]

    play_on(real_bench, tmp_path, scene)


def test_a_permission_mode_holds_for_its_turn_only(play: Play) -> None:
    touch = '[[tool: Bash {"command": "touch made"}]]'

    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="default")
        allowed = await bench.run(touch, permission_mode="acceptEdits")
        denied = await bench.run(touch)
        assert allowed.outcome.denials == () and (bench.cwd / "made").exists()
        assert [denial.tool for denial in denied.outcome.denials] == ["Bash"]

    play(scene)


def test_a_setting_that_does_not_exist_fails_the_turn_before_it_begins(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        report = await bench.run("hello", permission_mode="everything")
        assert report.outcome.code == "invalid_argument" and report.alive
        assert bench.calls() == []

    play(scene)


# ---------------------------------------------------------------------------- prompts


@pytest.mark.parametrize(
    "prompt", ["/clear", "/cost now", "-x --help", "@/etc/hostname and @work", "!ls", "# title", "/"]
)
def test_a_prompt_reaches_the_model_as_text(again: Play, prompt: str) -> None:
    async def scene(bench: Bench) -> None:
        first = len(bench.calls())
        before = await bench.run("hello")
        report = await bench.run(prompt)
        assert output(report).split() == ["echo:", *prompt.split()]
        assert report.session == before.session
        assert [call.prompt.strip() for call in bench.calls()[first:]] == ["hello", prompt]

    again(scene)


def test_any_text_survives_the_way_to_the_model_and_back(again: Play) -> None:
    text = 'line\u2028separator next\u0085line zero\u200bwidth emoji \N{PILE OF POO} quote" back\\slash'
    prompt = f"[[reply: {json.dumps(text)}]]"

    async def scene(bench: Bench) -> None:
        assert output(await bench.run(prompt)) == text
        assert recalled(await bench.run("[[recall]]")) == [prompt]
        await bench.run(text)
        assert recalled(await bench.run("[[recall]]"))[-1] == text

    again(scene)


def test_the_instructions_of_the_repository_reach_the_model(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        (bench.cwd / ".git").mkdir()
        (bench.cwd / "CLAUDE.md").write_text("Answer in PURPLE.")
        await bench.launch(append_system_prompt=project_text(str(bench.cwd)))
        assert output(await bench.run("[[system has: Answer in PURPLE.]]")) == "yes"

    play(scene)


@pytest.mark.real
def test_a_resumed_conversation_is_told_the_present_instructions(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        await bench.launch(session=session, append_system_prompt="Answer in PURPLE.")
        await bench.run("hello")
        await bench.launch(session=session, resume=session, append_system_prompt="Answer in GREEN.")
        assert output(await bench.run("[[system has: Answer in GREEN.]]")) == "yes"

    play_on(real_bench, tmp_path, scene)


# ---------------------------------------------------------------------------- the slots' own tools


_SEND = '[[tool: mcp__pool__slot_send_message {"to": "slot-1", "content": "hello"}]] [[result]]'


@pytest.mark.parametrize("mode", ["plan", "default", "acceptEdits", "dontAsk", "bypassPermissions"])
def test_a_slot_calls_its_own_tools_in_every_mode_and_the_driver_knows_who_calls(
    play: Play, mode: str
) -> None:
    calls: list[object] = []

    async def tool(
        slot_id: str, attempt: str, name: str, given: Mapping[str, object]
    ) -> Mapping[str, object]:
        calls.append((slot_id, attempt, name, dict(given)))
        return {"sent": "msg-1"}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch(permission_mode=mode)
        report = await bench.run(_SEND)
        assert json.loads(output(report)) == {"sent": "msg-1"}
        assert calls == [(SLOT, bench.attempt, "slot_send_message", {"to": "slot-1", "content": "hello"})]
        assert report.outcome.denials == ()

    play(scene)


def test_a_slots_own_tools_outlive_its_conversation(play: Play) -> None:
    async def tool(_: str, attempt: str, __: str, ___: Mapping[str, object]) -> Mapping[str, object]:
        return {"attempt": attempt}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch()
        await bench.run(_SEND)
        await bench.driver.clear(SLOT)
        assert json.loads(output(await bench.run(_SEND))) == {"attempt": bench.attempt}

    play(scene)


def test_a_refused_tool_call_is_told_with_its_code_and_the_turn_goes_on(play: Play) -> None:
    async def tool(_: str, __: str, ___: str, given: Mapping[str, object]) -> Mapping[str, object]:
        if given["to"] == "crash":
            raise RuntimeError("boom")
        raise NotFound(kind="slot", id="slot-9", hint="")

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch()
        for to, said in (("slot-9", "[not_found] There is no slot slot-9."), ("crash", "[internal]")):
            assert output(await bench.run(_SEND.replace("slot-1", to))).startswith(said)
        lacking = '[[tool: mcp__pool__slot_send_message {"to": "slot-1"}]] [[result]]'
        assert output(await bench.run(lacking)).startswith("[invalid_argument] content: is required")

    play(scene)


def test_a_slot_is_not_silent_while_its_own_tool_waits(play: Play) -> None:
    async def tool(_: str, __: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(1.8)  # the slot is silent for longer than it may be, but for our tool
        return {"waited": True}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch()
        assert json.loads(output(await bench.run(_SEND, silence_ms=1500))) == {"waited": True}

    play(scene)


def test_an_interrupt_gives_up_a_tool_call_that_waits_and_leaves_the_slot_warm(play: Play) -> None:
    ends: list[str] = []
    begun: list[str] = []

    async def tool(_: str, attempt: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
        begun.append(attempt)
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(attempt)
        return {}

    async def scene(bench: Bench) -> None:
        bench.driver.on_slot_tool(tool)
        await bench.launch()
        report = await bench.run_and_interrupt(_SEND, when=lambda: bool(begun))
        assert (report.outcome.end, report.alive) == (End.INTERRUPTED, True)
        assert ends == [bench.attempt]
        assert output(await bench.run("go on")) == "echo: go on"

    play(scene)


def test_a_process_that_dies_gives_up_a_tool_call_that_waits(play: Play) -> None:
    ends: list[str] = []

    async def scene(bench: Bench) -> None:
        async def tool(_: str, attempt: str, ___: str, ____: Mapping[str, object]) -> Mapping[str, object]:
            os.kill(pid, 9)
            try:
                await asyncio.Event().wait()
            finally:
                ends.append(attempt)
            return {}

        bench.driver.on_slot_tool(tool)
        pid = await bench.launch()
        report = await bench.run(_SEND)
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        assert ends == [bench.attempt]

    play(scene)


# ---------------------------------------------------------------------------- what is said meanwhile


def test_what_a_model_says_is_told_while_it_says_it_and_once(play: Play) -> None:
    told: list[tuple[str, str]] = []

    async def scene(bench: Bench) -> None:
        bench.driver.on_words(lambda attempt, text: told.append((attempt, text)))
        await bench.launch()
        prompt = (
            '[[reply: "one two three"]] [[slow: 5ms x 3]] [[tool: Bash {"command": "true"}]] [[reply: four]]'
        )
        await bench.run(prompt)
        assert {attempt for attempt, _ in told} == {bench.attempt}
        texts = [text for _, text in told]
        assert len(texts) >= 4
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        assert texts[-1] == "one two three\n\nfour"

    play(scene)


# ---------------------------------------------------------------------------- outcomes


def test_a_tool_call_is_part_of_its_turn(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run('[[tool: Bash {"command": "echo from the tool"}]] [[result]]')
        assert output(report) == "from the tool"
        assert report.outcome.turns == 2 and report.rss_mb > 0

    again(scene)


def test_a_denied_tool_is_recorded_and_does_not_fail_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="plan")
        report = await bench.run('[[tool: Bash {"command": "touch made"}]] [[reply: without it]]')
        assert output(report) == "without it"
        assert [(denial.tool, bool(denial.reason)) for denial in report.outcome.denials] == [("Bash", True)]
        assert not (bench.cwd / "made").exists()

    play(scene)


# ---------------------------------------------------------------------------- questions

_TOUCH = '[[tool: Bash {"command": "touch made"}]] [[reply: went on]]'


def test_a_tool_that_is_allowed_runs(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        asked: list[Ask] = []

        async def allow(ask: Ask) -> Leave:
            asked.append(ask)
            return Leave(True)

        bench.driver.on_question(allow)
        await bench.launch()
        report = await bench.run(_TOUCH, asks=True)
        assert output(report) == "went on" and report.outcome.denials == ()
        assert (bench.cwd / "made").exists()
        ask = asked[0]
        assert (len(asked), ask.attempt, ask.tool) == (1, bench.attempt, "Bash")
        assert json.loads(ask.input) == {"command": "touch made"}
        assert ask.text == "Bash: touch made" and ask.request_id

    play(scene)


def test_a_tool_runs_with_the_input_that_it_is_allowed_with(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def change(_ask: Ask) -> Leave:
            return Leave(True, updated_input='{"command": "touch instead"}')

        bench.driver.on_question(change)
        await bench.launch()
        await bench.run(_TOUCH, asks=True)
        assert [path.name for path in bench.cwd.iterdir()] == ["instead"]

    play(scene)


def test_a_model_is_told_why_a_tool_was_denied(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def deny(_ask: Ask) -> Leave:
            return Leave(False, "not on a Sunday")

        bench.driver.on_question(deny)
        await bench.launch()
        report = await bench.run('[[tool: Bash {"command": "touch made"}]] [[result]]', asks=True)
        assert output(report) == "not on a Sunday"
        assert report.outcome.denials == (Denial("Bash", "not on a Sunday"),)
        assert not (bench.cwd / "made").exists()

    play(scene)


def test_several_questions_of_a_turn_are_answered_each(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def odd(ask: Ask) -> Leave:
            return Leave("one" in ask.input, "no")

        bench.driver.on_question(odd)
        await bench.launch()
        words = (
            '[[tool: Bash {"command": "touch one"}]] [[with: Bash {"command": "touch two"}]] [[reply: done]]'
        )
        report = await bench.run(words, asks=True)
        assert output(report) == "done" and len(report.outcome.denials) == 1
        assert [path.name for path in bench.cwd.iterdir()] == ["one"]

    play(scene)


@pytest.mark.parametrize(("mode", "asks"), [("default", False), ("plan", True), ("dontAsk", True)])
def test_where_nobody_is_asked_a_tool_is_denied_at_once(play: Play, mode: str, asks: bool) -> None:
    async def scene(bench: Bench) -> None:
        async def never(ask: Ask) -> Leave:
            raise AssertionError(ask)

        bench.driver.on_question(never)
        await bench.launch(permission_mode=mode)
        report = await bench.run(_TOUCH, asks=asks)
        assert output(report) == "went on"
        assert [(denial.tool, bool(denial.reason)) for denial in report.outcome.denials] == [("Bash", True)]

    play(scene)


def test_an_interrupt_takes_the_question_back(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        asked, withdrawn = asyncio.Event(), asyncio.Event()

        async def wait(_ask: Ask) -> Leave:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                withdrawn.set()
            raise AssertionError

        bench.driver.on_question(wait)
        await bench.launch()
        turn = asyncio.create_task(bench.run(_TOUCH, asks=True))
        async with asyncio.timeout(20):
            await asked.wait()
            await bench.driver.interrupt(SLOT, bench.attempt)
            report = await turn
            await withdrawn.wait()
        assert (report.outcome.end, report.alive) == (End.INTERRUPTED, True)
        assert output(await bench.run("[[reply: warm]]")) == "warm"

    play(scene)


def test_a_slot_that_waits_for_an_answer_is_not_silent(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def later(_ask: Ask) -> Leave:
            await asyncio.sleep(1.8)  # a person thinks for longer than the slot may be silent
            return Leave(True)

        bench.driver.on_question(later)
        await bench.launch()
        assert output(await bench.run(_TOUCH, asks=True, silence_ms=1500)) == "went on"

    play(scene)


def test_a_fault_of_who_answers_denies(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        async def fail(_ask: Ask) -> Leave:
            raise ValueError("oh no")

        bench.driver.on_question(fail)
        await bench.launch()
        report = await bench.run(_TOUCH, asks=True)
        assert output(report) == "went on"
        assert "oh no" in report.outcome.denials[0].reason

    play(scene)


@pytest.mark.real
def test_a_question_to_the_user_is_put_where_a_task_allows_it_by_name(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        async def choose(ask: Ask) -> Leave:
            answers = {**json.loads(ask.input), "answers": {"Which?": "b"}}
            return Leave(True, updated_input=json.dumps(answers))

        bench.driver.on_question(choose)
        options = [{"label": each, "description": each} for each in "ab"]
        question = {"question": "Which?", "header": "H", "multiSelect": False, "options": options}
        words = f"[[tool: AskUserQuestion {json.dumps({'questions': [question]})}]] [[result]]"
        for allowed, answer in (((), "No such tool available"), (("AskUserQuestion",), '"Which?"="b"')):
            await bench.launch(permission_mode="plan", allowed_tools=allowed)
            assert answer in output(await bench.run(words, asks=True))

    play_on(real_bench, tmp_path, scene)


# ---------------------------------------------------------------------------- failures


_LIMITS = {
    "status: 400 credit": LimitKind.BILLING,
    "status: 401": LimitKind.LOGIN,
    "status: 403": LimitKind.LOGIN,
    "status: 429": LimitKind.RATE,
    "status: 529": LimitKind.OVERLOADED,
    "html": LimitKind.UNREACHABLE,
}


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        ("status: 400", "provider_error", False),
        ("status: 400 credit", "provider_limit", False),
        ("status: 400 too-long", "prompt_too_long", False),
        ("status: 401", "not_logged_in", False),
        ("status: 403", "not_logged_in", False),
        ("status: 404", "model_not_found", False),
        ("status: 413", "prompt_too_long", False),
        ("status: 429", "provider_limit", True),
        ("status: 500", "provider_error", True),
        ("status: 529", "provider_error", True),
        ("html", "provider_error", True),
    ],
)
def test_a_failure_of_the_provider_has_its_code(again: Play, fault: str, code: str, retryable: bool) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run(f"[[{fault}]]")
        outcome = report.outcome
        assert (outcome.end, outcome.code, outcome.retryable) == (End.FAILED, code, retryable)
        assert outcome.message and outcome.output.inline == ""
        assert outcome.limit == (Limit(_LIMITS[fault]) if fault in _LIMITS else None)
        assert report.alive and output(await bench.run("and again")) == "echo: and again"

    again(scene)


@pytest.mark.real
def test_a_model_that_refuses_fails_the_turn(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        outcome = (await bench.run("[[refuse]]")).outcome
        assert (outcome.end, outcome.code, outcome.retryable) == (End.FAILED, "model_refused", False)

    play_on(real_bench, tmp_path, scene)


def test_a_structured_answer_is_kept_apart_from_the_text(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(json_schema=_SCHEMA)
        report = await bench.run('[[tool: StructuredOutput {"a": 1}]]')
        assert report.outcome.end is End.SUCCEEDED
        assert report.outcome.structured_output is not None
        assert report.outcome.structured_output.inline == '{"a":1}'

    play(scene)


def test_a_text_where_a_form_was_asked_for_is_a_mismatch(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(json_schema=_SCHEMA)
        report = await bench.run("only words")
        assert (report.outcome.end, report.outcome.code) == (End.FAILED, "schema_mismatch")

    play(scene)


def test_too_many_turns_of_the_model_end_the_turn(play: Play) -> None:
    tool = '[[tool: Bash {"command": "true"}]] '

    async def scene(bench: Bench) -> None:
        await bench.launch(max_turns=2)
        report = await bench.run(tool * 3)
        assert (report.outcome.code, report.outcome.retryable) == ("turn_limit", False)
        assert report.outcome.cost == bench.bill() > 0

    play(scene)


def test_a_silent_slot_is_ended_with_its_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run("[[hang]]", silence_ms=300)
        assert (report.outcome.code, report.alive) == ("timed_out_silence", False)
        assert bench.exits == []
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_says_nothing_to_a_prompt_is_ended(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        os.kill(pid, signal.SIGSTOP)
        report = await bench.run("hello", first_output_ms=300, silence_ms=2_000)
        # what it printed before it was stopped may still be on its way, and is an output
        assert report.outcome.code in ("timed_out_start", "timed_out_silence")
        assert report.outcome.retryable
        assert not report.alive
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_goes_on_talking_is_not_silent(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("[[reply: a b c d e f]] [[slow: 300ms x 6]]", silence_ms=1200)
        assert output(report) == "a b c d e f"

    again(scene)


def test_a_tool_that_is_silent_for_too_long_ends_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        tool = '[[tool: Bash {"command": "sleep 30"}]]'
        report = await bench.run(tool, silence_ms=400, tool_silence_ms=900)
        assert (report.outcome.code, report.alive) == ("timed_out_silence", False)

    play(scene)


def test_a_slot_is_silent_for_longer_while_a_tool_works(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        report = await bench.run('[[tool: Bash {"command": "sleep 3"}]]', silence_ms=1500)
        assert report.outcome.end is End.SUCCEEDED

    play(scene)


@pytest.mark.real
def test_the_work_of_a_subagent_is_a_sign_of_life(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        steps = '[[tool: Bash {"command": "sleep 1"}]] ' * 3
        given = {"description": "d", "subagent_type": "general-purpose", "prompt": f"{steps}[[reply: in]]"}
        prompt = f"[[tool: Agent {json.dumps(given)}]] [[reply: out]]"
        assert output(await bench.run(prompt, silence_ms=2_500, tool_silence_ms=2_500)) == "out"

    play_on(real_bench, tmp_path, scene)


# ---------------------------------------------------------------------------- money and evidence


def test_every_turn_costs_what_was_served_for_it(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        session = str(uuid4())
        await bench.launch(session=session)
        costs: list[tuple[int, int]] = []

        async def measured(prompt: str) -> None:
            first = len(bench.calls())
            report = await bench.run(prompt)
            assert not report.outcome.estimated
            costs.append((report.outcome.cost, bench.bill(first)))

        await measured("[[usage: input=1000 output=200]]")
        await measured("[[usage: input=10 output=2000 cache_read=5000 cache_write=300]]")
        await measured('[[tool: Bash {"command": "true"}]] [[usage: input=70 output=30]]')
        await bench.driver.clear(SLOT)
        await measured("[[usage: input=3000 output=10]]")
        await measured("[[status: 529]]")
        await bench.launch(session=session, resume=session)
        await measured("[[usage: input=400 output=40]]")
        assert [cost for cost, _ in costs] == [bill for _, bill in costs]
        assert costs[4] == (0, 0) and all(cost > 0 for cost, _ in costs if cost != 0)

    play(scene)


def test_looking_a_model_up_is_paid_once_in_a_process(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        costs: list[tuple[int, int, bool]] = []
        for model in ("claude-opus-5", "haiku", "claude-opus-5", "claude-opus-5-5"):
            first = len(bench.calls())
            outcome = (await bench.run("[[usage: input=10 output=2]]", model=model)).outcome
            costs.append((outcome.cost, bench.bill(first), outcome.estimated))
        assert [cost for cost, _, _ in costs] == [bill for _, bill, _ in costs]
        assert [estimated for _, _, estimated in costs] == [True, False, False, False]
        assert costs[0][0] == costs[2][0] + (100 * 5 + 1 * 25)

    play(scene)


@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
def test_a_call_that_is_cut_off_before_its_answer_is_not_free(play: Play, killed: bool) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        await bench.run("[[usage: input=5000 output=20]]")
        prompt = f"{'word ' * 400}[[hang]]"
        turn = asyncio.create_task(bench.run(prompt))
        await until(lambda: bench.calls()[-1].prompt == prompt)
        await until(lambda: any(line.get("status") == "requesting" for line in bench.printed()))
        if killed:
            os.kill(pid, 9)
        else:
            await bench.driver.interrupt(SLOT, bench.attempt)
        outcome = (await turn).outcome
        read = 5_020 + len(prompt) // 4
        assert (outcome.cost, outcome.tokens.input, outcome.estimated) == (-(-read // 10), read, True)

    play(scene)


def test_an_interrupted_turn_costs_what_was_served_until_then(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run_and_interrupt(f"[[usage: input=5000 output=2000]] {_SLOW_ANSWER}")
        outcome = report.outcome
        output_of_the_message = 2000 // 2  # microdollars, at half a microdollar a token
        assert outcome.estimated
        assert outcome.tokens.input == 5000
        assert 500 <= outcome.cost <= 500 + output_of_the_message

    again(scene)


def test_a_stream_that_breaks_is_paid_for(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run(
            "[[usage: input=5000 output=20]] [[reply: a b c d]] [[slow: 50ms x 4]] [[cut after: 2]]"
        )
        assert report.outcome.cost >= 500

    again(scene)


_TWO_CALLS = "[[usage: input=5000 output=2]] [[tool: Bash {}]] [[usage: input=5000 output=2]]"
"""Costs about 500 microdollars, and then as much again."""


def test_a_turn_tells_that_its_money_nearly_ends_and_that_it_ended(again: Play) -> None:
    told: list[tuple[str, int]] = []

    async def scene(bench: Bench) -> None:
        def note(attempt: str, metered: int) -> None:
            told.append((attempt, metered))

        await bench.run(_TWO_CALLS, budget=2_000, margin=900, on_spend=note)
        assert told == []
        await bench.run(_TWO_CALLS, budget=800, margin=400, on_spend=note)
        assert [attempt for attempt, _ in told] == [bench.attempt] * 2
        (_, nearly), (_, ended) = told
        assert 500 <= nearly < 800 <= 1_000 <= ended

    again(scene)


def test_a_turn_that_is_stopped_where_its_money_ends_keeps_what_was_said_and_goes_on(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        spent, said = asyncio.Event(), asyncio.Event()
        bench.driver.on_words(lambda _attempt, _text: said.set())
        words = "[[reply: one two three four five six]] [[usage: input=5000 output=600]] [[slow: 1s x 6]]"
        turn = asyncio.create_task(bench.run(words, budget=400, on_spend=lambda _a, _s: spent.set()))
        async with asyncio.timeout(20):
            await spent.wait()
            await said.wait()
        await bench.driver.interrupt(SLOT, bench.attempt)
        report = await turn
        outcome = report.outcome
        assert (outcome.end, outcome.output.inline, report.alive) == (End.INTERRUPTED, "one t", True)
        assert outcome.cost >= 500 and outcome.context >= 5_000
        assert recalled(await bench.run("[[recall]]")) == [words]

    again(scene)


def test_a_turn_that_gets_more_money_tells_anew_where_it_ends(again: Play) -> None:
    told: list[int] = []

    async def scene(bench: Bench) -> None:
        def pay(attempt: str, metered: int) -> None:
            told.append(metered)
            bench.driver.fund(SLOT, "task-99.1", 1)
            bench.driver.fund(SLOT, attempt, 100 * 10 ** len(told))

        await bench.run(_TWO_CALLS, budget=100, on_spend=pay)
        assert len(told) == 2 and 500 <= told[0] < 1_000 <= told[1]
        bench.driver.fund(SLOT, bench.attempt, 1)  # nothing runs
        assert len(told) == 2

    again(scene)


def test_money_that_is_spent_when_it_is_given_is_told_at_once(again: Play) -> None:
    told: list[int] = []

    async def scene(bench: Bench) -> None:
        def pay(attempt: str, metered: int) -> None:
            told.append(metered)
            bench.driver.fund(SLOT, attempt, 100 if len(told) == 1 else 10_000)

        await bench.run("[[usage: input=5000 output=2]] [[slow: 20ms x 10]]", budget=400, on_spend=pay)
        assert len(told) == 2 and told[0] == told[1]

    again(scene)


def test_a_turn_tells_how_much_its_conversation_holds(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run(
            "[[usage: input=7 output=2]] [[tool: Bash {}]] [[usage: input=50 output=20 cache_read=300]]"
        )
        assert report.outcome.context == 50 + 20 + 300

    again(scene)


def test_the_transcript_of_a_turn_is_what_its_evidence_says(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("hello")
        path = bench.settings.transcripts_dir / f"{bench.attempt}.jsonl"
        content = path.read_bytes()
        evidence = report.outcome.transcript
        assert (len(content), hashlib.sha256(content).hexdigest()) == (evidence.length, evidence.sha256)
        assert json.loads(content.splitlines()[-1])["type"] == "result"
        assert path.stat().st_mode & 0o777 == 0o600

    again(scene)


# ---------------------------------------------------------------------------- interrupting and ending


def test_an_interrupted_turn_leaves_the_slot_warm(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        report = await bench.run_and_interrupt(_SLOW_ANSWER)
        assert (report.outcome.end, report.outcome.code) == (End.INTERRUPTED, "interrupted")
        assert report.alive and output(await bench.run("go on")) == "echo: go on"
        os.kill(pid, 0)

    play(scene)


def test_an_interrupt_ends_the_tool_that_works(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch(permission_mode="bypassPermissions")
        mark = bench.cwd / "pid"
        command = json.dumps({"command": f"echo $$ > {mark}; sleep 60"})
        report = await bench.run_and_interrupt(f"[[tool: Bash {command}]]", when=mark.exists)
        assert report.outcome.end is End.INTERRUPTED
        await until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists())

    play(scene)


def test_an_interrupt_of_another_attempt_does_nothing(again: Play) -> None:
    async def scene(bench: Bench) -> None:
        turn = asyncio.create_task(bench.run("[[delay: 300ms]]"))
        await bench.driver.interrupt(SLOT, "task-99.1")
        assert (await turn).outcome.end is End.SUCCEEDED

    again(scene)


def test_what_a_tool_leaves_running_ends_with_the_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch(permission_mode="bypassPermissions")
        mark = bench.cwd / "pid"
        daemon = f"(setsid sh -c 'echo $$ > {mark}; exec sleep 60' > /dev/null 2>&1 < /dev/null &)"
        command = json.dumps({"command": f"{daemon}; until [ -s {mark} ]; do sleep 0.05; done"})
        report = await bench.run(f"[[tool: Bash {command}]]")
        assert report.outcome.end is End.SUCCEEDED and report.alive
        assert not Path(f"/proc/{mark.read_text().strip()}").exists()
        os.kill(pid, 0)

    play(scene)


def test_a_stopped_slot_leaves_no_process_and_no_folder(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        await bench.run("hello")
        end = await bench.driver.stop(SLOT)
        assert (end.exit_code, end.expected) == (0, True)
        assert list(bench.settings.runtime_dir.iterdir()) == []
        assert bench.exits == []
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play(scene)


def test_a_slot_that_is_stopped_in_a_turn_interrupts_it(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        await bench.launch()
        served = asyncio.Event()
        turn = asyncio.create_task(
            bench.run(_SLOW_ANSWER, budget=1, on_spend=lambda _attempt, _spent: served.set())
        )
        await served.wait()
        await bench.driver.stop(SLOT)
        assert (await turn).outcome.end is End.INTERRUPTED

    play(scene)


def test_an_idle_process_that_dies_is_told(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        os.kill(await bench.launch(), 9)
        await until(lambda: bench.exits != [])
        assert [(end.exit_code, end.expected) for end in bench.exits] == [(-9, False)]

    play(scene)


def test_a_process_that_dies_in_a_turn_fails_it_and_is_paid(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        pid = await bench.launch()
        served = asyncio.Event()
        prompt = f"[[usage: input=5000 output=60]] {_SLOW_ANSWER}"
        turn = asyncio.create_task(
            bench.run(prompt, budget=1, on_spend=lambda _attempt, _spent: served.set())
        )
        await served.wait()
        os.kill(pid, 9)
        report = await turn
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        assert report.outcome.estimated and report.outcome.cost >= 500
        assert bench.exits == []

    play(scene)


def test_a_slot_without_a_process_fails_its_turn(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        report = await bench.run("hello")
        assert (report.outcome.code, report.alive) == ("slot_failed", False)
        with pytest.raises(SlotFailure):
            await bench.driver.clear(SLOT)

    play(scene)


def test_a_stopped_slot_can_be_launched_again(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        first = await bench.launch()
        await bench.driver.stop(SLOT)
        assert await bench.launch() != first
        assert output(await bench.run("hello")) == "echo: hello"

    play(scene)


def test_slots_work_side_by_side(play: Play) -> None:
    async def scene(bench: Bench) -> None:
        names = ("slot-0", "slot-1")
        for name in names:
            await bench.driver.launch(Launch(name, 1, str(uuid4()), str(bench.cwd), model="haiku"))
        reports = await asyncio.gather(
            *(
                bench.driver.run(
                    name, Turn(f"task-{name}.1", "", f"I am {name}", "haiku"), lambda _attempt, _spent: None
                )
                for name in names
            )
        )
        assert [output(report) for report in reports] == [f"echo: I am {name}" for name in names]

    play(scene)
