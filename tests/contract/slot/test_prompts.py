"""What a slot driver promises of the way of a prompt to the model, and of the words on the way back."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from claude_pool.adapters.claude.project_text import project_text

from tests.support.slot_scenes import Play, output, play_on, recalled
from tests.unit.adapters.claude.bench import Bench, real_bench


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


def test_what_a_model_says_is_told_while_it_says_it_and_once(again: Play) -> None:
    told: list[tuple[str, str]] = []

    async def scene(bench: Bench) -> None:
        bench.driver.on_words(lambda attempt, text: told.append((attempt, text)))
        prompt = (
            '[[reply: "one two three"]] [[slow: 5ms x 3]] [[tool: Bash {"command": "true"}]] [[reply: four]]'
        )
        await bench.run(prompt)
        assert {attempt for attempt, _ in told} == {bench.attempt}
        texts = [text for _, text in told]
        assert len(texts) >= 4
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        assert texts[-1] == "one two three\n\nfour"

    again(scene)
