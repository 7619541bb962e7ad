"""What a slot driver promises of turns that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.domain.values import End, Limit, LimitKind

from tests.support.slot_scenes import Play, output, play_on
from tests.unit.adapters.claude.bench import Bench, real_bench

_SCHEMA = (
    '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'
)


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
