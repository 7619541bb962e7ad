"""Which prompt a request asks, and what a script answers to it."""

from __future__ import annotations

from typing import Any

from claude_pool.adapters.demo.directives import Fault, Step
from claude_pool.adapters.demo.script import Ask, Script, read_ask


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def assistant(text: str = "said") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def tool_result(text: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}
    return {"role": "user", "content": [block]}


def ask(*messages: dict[str, Any], **more: Any) -> Ask:
    return read_ask({"model": "m", "messages": list(messages), **more})


def test_the_last_text_of_the_user_is_the_prompt() -> None:
    asked = ask(user("one"), assistant(), user("two"))
    assert (asked.prompt, asked.earlier, asked.step) == ("two", ("one",), 0)


def test_a_plain_string_is_a_prompt_too() -> None:
    assert ask({"role": "user", "content": "hello"}).prompt == "hello"


def test_texts_of_one_message_are_prompts_of_their_own() -> None:
    asked = ask(user("failed before\n", "again"))
    assert (asked.prompt, asked.earlier) == ("again", ("failed before",))


def test_reminders_are_notices_and_no_prompts() -> None:
    asked = ask(user("<system-reminder>\nmind the step\n</system-reminder>", "go"), system="be kind")
    assert (asked.prompt, asked.earlier) == ("go", ())
    assert "mind the step" in asked.system
    assert "be kind" in asked.system


def test_messages_of_role_system_are_notices() -> None:
    asked = ask(user("go"), {"role": "system", "content": [{"type": "text", "text": "# Environment"}]})
    assert (asked.prompt, asked.step) == ("go", 0)
    assert "# Environment" in asked.system


def test_traces_of_local_commands_are_no_prompts() -> None:
    traces = ("<local-command-caveat>x", "<command-name>/clear</command-name>", "<local-command-stdout>")
    assert ask(user(*traces, "go")).earlier == ()


def test_steps_are_counted_from_the_last_prompt() -> None:
    asked = ask(user("go"), assistant(), tool_result("a"), assistant(), tool_result("b"))
    assert (asked.prompt, asked.step, asked.tool_result) == ("go", 2, "b")


def test_what_the_cli_says_to_go_on_is_no_prompt() -> None:
    asked = ask(user("go"), assistant(), user("Output token limit hit. Resume directly."))
    assert (asked.prompt, asked.step) == ("go", 1)


def test_an_empty_answer_that_was_left_out_counts_as_a_step() -> None:
    asked = ask(user("go", "[Your previous response had no visible output. Please continue.]"))
    assert (asked.prompt, asked.step) == ("go", 1)


def test_a_request_of_a_strange_shape_asks_nothing() -> None:
    asked = read_ask({"messages": ["x", 7, {"role": "user", "content": 3}], "tools": {}})
    assert (asked.prompt, asked.step, asked.tools) == ("", 0, ())


def test_the_tools_of_a_request_are_known() -> None:
    assert ask(user("go"), tools=[{"name": "A"}, {"name": "B"}]).tools == ("A", "B")


def test_a_rule_goes_before_directives() -> None:
    script = Script().when("weather", Step(says="text", text="rain"), Step(says="text", text="sun"))
    first = ask(user("the weather? [[reply: snow]]"))
    second = ask(user("the weather?"), assistant())
    third = ask(user("the weather?"), assistant(), assistant())
    said = [script.answer(asked, script.decide(asked)) for asked in (first, second, third)]
    assert said == ["rain", "sun", "sun"]


def test_a_fault_befalls_only_the_first_requests() -> None:
    script = Script()
    asked = ask(user("[[hang]] [[times: 2]]"))
    assert [script.decide(asked).fault for _ in range(3)] == [Fault("hang", times=2)] * 2 + [None]


def test_faults_of_different_prompts_are_counted_apart() -> None:
    script = Script()
    prompts = ["a [[hang]] [[times: 1]]", "b [[hang]] [[times: 1]]"]
    assert all(script.decide(ask(user(prompt))).fault for prompt in prompts)


def test_faults_of_prompts_with_one_key_are_counted_together() -> None:
    script = Script()
    first, second = (ask(user(f"{name} [[key: k]] [[hang]] [[times: 1]]")) for name in "ab")
    assert script.decide(first).fault is not None
    assert script.decide(second).fault is None


def test_the_last_step_is_repeated() -> None:
    asked = ask(user("[[reply: a]] [[then]] [[reply: b]]"), assistant(), assistant(), assistant())
    assert Script().decide(asked).text == "b"


def test_answers_are_made_of_the_request() -> None:
    script = Script()
    messages = [user("before"), assistant(), user("now"), assistant(), tool_result("found")]
    asked = ask(*messages, system="be kind", tools=[{"name": "A"}, {"name": "B"}])
    said = {says: script.answer(asked, Step(says=says, text="kind")) for says in ("text", "echo", "recall")}
    assert said == {"text": "kind", "echo": "echo: now", "recall": '["before"]'}
    more = [
        script.answer(asked, Step(says=says, text="kind")) for says in ("result", "model", "tools", "system")
    ]
    assert more == ["found", "m", "A,B", "yes"]
