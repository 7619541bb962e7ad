"""Reading a Messages API request, and deciding what it is answered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from .directives import Plan, Step, parse


@dataclass(frozen=True)
class Ask:
    """What one request asks: the last real prompt in it and how far that prompt has been answered.

    Every text block of the user is a prompt of its own: the CLI puts prompts that were queued, or that
    failed before, into one message. `step` counts the model's messages since the last prompt, `earlier`
    are the prompts before it, and `tool_result` is the text of the last tool result.
    """

    model: str
    prompt: str
    step: int
    stream: bool
    earlier: tuple[str, ...]
    tool_result: str
    system: str
    tools: tuple[str, ...]


def read_ask(body: dict[str, Any]) -> Ask:
    """The question in a request body. Reminders, tool results and messages of role system are no prompts."""
    prompts: list[str] = []
    notices = [_text(body.get("system"))]
    step, tool_result = 0, ""
    for message in _objects(body.get("messages")):
        role, content = message.get("role"), message.get("content")
        if role == "assistant":
            step += 1
        elif role == "system":
            notices.append(_text(content))
        else:
            tool_result = _last_result(content) or tool_result
            for text in _texts(content):
                if _is_reminder(text):
                    notices.append(text)
                elif text.startswith(_EMPTY_NUDGE):
                    step += 1  # the CLI leaves the empty answer itself out
                elif text.strip() and not _is_nudge(text):
                    prompts.append(text.removesuffix("\n"))
                    step = 0
    return Ask(
        model=str(body.get("model", "")),
        prompt=prompts[-1] if prompts else "",
        step=step,
        stream=bool(body.get("stream")),
        earlier=tuple(prompts[:-1]),
        tool_result=tool_result,
        system="\n".join(notices),
        tools=tuple(str(tool.get("name", "")) for tool in _objects(body.get("tools"))),
    )


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if is_object(item)] if _is_list(value) else []


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(block.get("text", "")) for block in _objects(content) if block.get("type") == "text"]


def _text(content: object) -> str:
    return "\n".join(_texts(content))


def _is_reminder(text: str) -> bool:
    return text.lstrip().startswith(_REMINDERS)


_REMINDERS = (
    "<system-reminder>",
    "<local-command-",
    "<command-name>",
    "[Request interrupted by user",
)


_EMPTY_NUDGE = "[Your previous response had no visible output"
_NUDGES = (
    _EMPTY_NUDGE,
    "Output token limit hit.",
    "Your response above was stopped by a safety classifier",
    "[structured-output-enforce]",
)


def _is_nudge(text: str) -> bool:
    """Whether the CLI itself asks the model to go on."""
    return text.startswith(_NUDGES)


def _last_result(content: object) -> str:
    results = [block for block in _objects(content) if block.get("type") == "tool_result"]
    return _text(results[-1].get("content")) if results else ""


class Script:
    """What the API answers: rules by prompt, and the directives in the prompt where no rule fits."""

    def __init__(self) -> None:
        """A script without rules."""
        self._rules: list[tuple[str, tuple[Step, ...]]] = []
        self._faulted: dict[tuple[str, int], int] = {}

    def when(self, contains: str, *steps: Step) -> Script:
        """Answer prompts that contain a text with these steps; past the last one it is repeated."""
        self._rules.append((contains, steps))
        return self

    def decide(self, ask: Ask) -> Step:
        """The step that answers a request. Counts faults that befall only the first requests.

        Raises:
            DirectiveError: the prompt holds a bad directive.
        """
        plan = self._plan(ask.prompt)
        at = min(ask.step, len(plan.steps) - 1)
        step = plan.steps[at]
        fault = step.fault
        if fault is not None and fault.times is not None:
            seen = self._faulted.get((plan.key, at), 0)
            self._faulted[plan.key, at] = seen + 1
            if seen >= fault.times:
                return replace(step, fault=None)
        return step

    def answer(self, ask: Ask, step: Step) -> str:
        """The text that a step says to a request."""
        return _SAYS[step.says](ask, step, self._plan(ask.prompt).text)

    def _plan(self, prompt: str) -> Plan:
        for contains, steps in self._rules:
            if contains in prompt:
                return Plan(steps, prompt, prompt)
        return parse(prompt)


_SAYS: dict[str, Callable[[Ask, Step, str], str]] = {
    "text": lambda _, step, __: step.text,
    "echo": lambda _, __, text: f"echo: {text}",
    "recall": lambda ask, _, __: json.dumps(ask.earlier, ensure_ascii=False),
    "result": lambda ask, _, __: ask.tool_result,
    "model": lambda ask, _, __: ask.model,
    "tools": lambda ask, _, __: ",".join(ask.tools),
    "system": lambda ask, step, __: "yes" if step.text in ask.system else "no",
}
