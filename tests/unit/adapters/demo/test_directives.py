"""The directive language, sentence by sentence."""

from __future__ import annotations

import pytest
from claude_pool.adapters.demo.directives import (
    DirectiveError,
    Fault,
    Plan,
    Step,
    ToolCall,
    Usage,
    filler,
    output_served,
    parse,
    pieces,
)
from hypothesis import given
from hypothesis import strategies as st


def only_step(prompt: str) -> Step:
    (step,) = parse(prompt).steps
    return step


def test_a_prompt_without_directives_is_one_step_that_echoes() -> None:
    plan = parse("hello  world")
    assert (plan.steps, plan.text, plan.key) == ((Step(),), "hello world", "hello  world")


def test_the_text_of_a_plan_has_no_directives() -> None:
    assert parse("say [[delay: 1ms]] this [[hang]]").text == "say this"


@pytest.mark.parametrize(
    ("prompt", "says", "text"),
    [
        ("[[reply: hello there]]", "text", "hello there"),
        ('[[reply: "a ]] b\\n"]]', "text", "a ]] b\n"),
        ("[[reply:]]", "text", ""),
        ("[[bytes: 40]]", "text", filler(40)),
        ("[[empty]]", "text", ""),
        ("[[recall]]", "recall", ""),
        ("[[result]]", "result", ""),
        ("[[model]]", "model", ""),
        ("[[tools]]", "tools", ""),
        ("[[system has: the word]]", "system", "the word"),
    ],
)
def test_a_directive_says_what_the_answer_says(prompt: str, says: str, text: str) -> None:
    step = only_step(prompt)
    assert (step.says, step.text) == (says, text)


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ("[[status: 529]]", Fault("status", status=529)),
        ("[[status: 400 credit]]", Fault("status", status=400, variant="credit")),
        ("[[status: 400 too-long]]", Fault("status", status=400, variant="too-long")),
        ('[[status: 403 "not for you"]]', Fault("status", status=403, message="not for you")),
        ("[[status: 429 retry-after=30]]", Fault("status", status=429, retry_after="30")),
        ("[[status: 500 no-retry]]", Fault("status", status=500, no_retry=True)),
        ("[[hang]]", Fault("hang")),
        ("[[html]]", Fault("html")),
        ("[[stall after: 3]]", Fault("stall", after=3)),
        ("[[cut after: 0]]", Fault("cut", after=0)),
        ("[[error after: 2]] [[times: 1]]", Fault("error", after=2, times=1)),
    ],
)
def test_a_directive_says_what_goes_wrong(prompt: str, fault: Fault) -> None:
    assert only_step(prompt).fault == fault


def test_usage_keeps_the_usual_numbers_where_it_names_none() -> None:
    assert only_step("[[usage: cache_read=7 cache_write_1h=9]]").usage == Usage(100, 20, 7, 0, 9)


def test_slow_gives_the_number_of_pieces_and_the_time_between_them() -> None:
    step = only_step("[[slow: 2s x 20]]")
    assert (step.pieces, step.pace_ms) == (20, 2000)


def test_a_stop_reason_can_be_given() -> None:
    assert (only_step("[[stop: max_tokens]]").stop, only_step("[[refuse]]").stop) == ("max_tokens", "refusal")


def test_waiting_directives_have_a_time_and_a_path() -> None:
    step = only_step("[[delay: 5ms]] [[until: /tmp/go]]")
    assert (step.delay_ms, step.until) == (5, "/tmp/go")


def test_every_tool_ends_a_step() -> None:
    plan = parse('[[usage: input=1]] [[tool: Bash {"command":"ls"}]] [[tool: Read {}]] [[reply: done]]')
    assert [step.tools for step in plan.steps] == [
        (ToolCall("Bash", {"command": "ls"}),),
        (ToolCall("Read", {}),),
        (),
    ]
    assert [step.usage.input for step in plan.steps] == [1, 100, 100]


def test_a_tool_may_have_brackets_in_its_input() -> None:
    (call,) = parse('[[tool: Bash {"command":"[[ -f x ]] && echo y"}]]').steps[0].tools
    assert call.input == {"command": "[[ -f x ]] && echo y"}


def test_with_adds_a_tool_to_the_same_message() -> None:
    first, _ = parse("[[tool: A {}]] [[with: B {}]] done").steps
    assert [call.name for call in first.tools] == ["A", "B"]


def test_then_ends_a_step() -> None:
    assert [step.text for step in parse("[[reply: a]] [[then]] [[reply: b]]").steps] == ["a", "b"]


def test_a_fault_belongs_to_its_step_only() -> None:
    first, second = parse("[[hang]] [[times: 2]] [[tool: A {}]] done").steps
    assert (first.fault, second.fault) == (Fault("hang", times=2), None)


def test_key_and_personas_concern_the_whole_prompt() -> None:
    plan = parse("[[key: one]] [[persona: crash 3]] [[persona: linger]] x")
    assert (plan.key, plan.personas) == ("one", ("crash 3", "linger"))


@pytest.mark.parametrize("text", ["[[ -f x ]]", "[[Wiki Link]]", "[[12]]", "[[half", "[[a|b]]"])
def test_other_brackets_are_text(text: str) -> None:
    assert parse(text) == Plan((Step(),), text, text)


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("[[bogus]]", "there is no directive [[bogus]]"),
        ("[[reply: never closed", "not closed"),
        ('[[reply: "text" more]]', "not closed after its text"),
        ('[[reply: "half]]', "bad JSON"),
        ("[[tool: Bash]]", "bad JSON"),
        ("[[tool: {}]]", "needs the name of a tool"),
        ("[[tool: Bash [1]]]", "needs a JSON object"),
        ("[[tool: Bash {} more]]", "not closed"),
        ("[[with: Bash {}]]", "needs a [[tool: …]] before it"),
        ("[[status: 200]]", "an HTTP error status"),
        ("[[status: 400 purple]]", "knows no 'purple'"),
        ("[[usage: money=3]]", "knows no 'money'"),
        ("[[usage: input=many]]", "needs a number for input"),
        ("[[slow: 50ms]]", "a time and a number of pieces"),
        ("[[delay: soon]]", "needs a time such as 50ms"),
        ("[[bytes: some]]", "needs a number"),
        ("[[times: 2]]", "needs a fault in the same step"),
    ],
)
def test_a_bad_directive_is_named(prompt: str, problem: str) -> None:
    with pytest.raises(DirectiveError) as caught:
        parse(prompt)
    assert problem in str(caught.value)


@given(st.text())
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        plan = parse(text)
    except DirectiveError:
        return
    assert len(plan.steps) >= 1


@given(st.text(), st.one_of(st.none(), st.integers(1, 50)))
def test_pieces_make_up_the_text(text: str, count: int | None) -> None:
    parts = pieces(text, count)
    assert "".join(parts) == text
    assert count is None or len(parts) == count


def test_words_are_the_pieces_of_a_text() -> None:
    assert pieces("one two  three\n", None) == ["one", " two", "  three\n"]


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_output_tokens_are_served_with_the_pieces(output: int, count: int) -> None:
    served = [output_served(output, sent, count) for sent in range(count + 1)]
    assert served == sorted(served)
    assert (served[0], served[-1]) == (0, output)


def test_usage_adds_up_class_by_class() -> None:
    assert Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50) == Usage(11, 22, 33, 44, 55)


@given(st.integers(0, 1000))
def test_filler_has_the_size(size: int) -> None:
    assert len(filler(size).encode()) == size
