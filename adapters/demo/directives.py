"""The directive language: what a prompt may say about the answer it wants.

A directive stands anywhere in a prompt as `[[name]]` or `[[name: argument]]`, with nothing between `[[`
and the name. Everything else in the prompt is ordinary text. A text argument that is a JSON string may
hold `]]` and escapes. An unknown name or a bad argument raises `DirectiveError`.

A prompt is answered in steps, one a model call. Every `[[tool: …]]` and every `[[then]]` ends a step;
directives before it shape that call, directives after it the next one. The last step is repeated for
as long as the CLI goes on asking, as it does after `max_tokens`, a refusal or an empty answer.

What the answer says (default: `echo: ` and the prompt without its directives):

    [[reply: TEXT]]            this text
    [[bytes: N]]               N bytes of text
    [[empty]]                  no content at all
    [[recall]]                 a JSON list of the earlier prompts of the conversation
    [[result]]                 the text of the last tool result
    [[model]]  [[tools]]       the model, the tools of the request, comma separated
    [[system has: TEXT]]       `yes` or `no`: whether the system prompt or a reminder contains TEXT
    [[tool: NAME {JSON}]]      a tool call; [[with: NAME {JSON}]] adds one to the same message

How it comes:

    [[usage: input=N output=N cache_read=N cache_write=N cache_write_1h=N]]   tokens served (100 and 20)
    [[slow: 50ms x 20]]        in 20 pieces, 50 ms apart; `output` tokens are spread evenly over the pieces
    [[delay: 200ms]]           nothing for that long, then the answer
    [[until: PATH]]            the first piece, then nothing until the file PATH exists
    [[stop: REASON]]           another stop reason, such as max_tokens; [[refuse]] is [[stop: refusal]]

What goes wrong with it:

    [[status: 529]]            that HTTP status with the API's usual error; after the number may stand
                               `credit`, `too-long` (both 400), `retry-after=SECONDS`, `no-retry`, "MESSAGE",
                               `resets=EPOCH`: a usage limit that ends then (seconds since 1970)
    [[hang]]                   no answer at all, not even headers
    [[html]]                   status 200 with a web page, as a captive portal sends it
    [[stall after: N]]         N pieces, then silence on an open connection
    [[cut after: N]]           N pieces, then the connection breaks
    [[error after: N]]         N pieces, then an error event inside the stream
    [[times: N]]               the fault of this step befalls only the first N requests of it

`[[key: NAME]]` names the prompt for that count (default: its whole text). `[[persona: NAME ARGUMENT]]`
concerns the fake executable only; an API ignores it.

This module imports nothing but the standard library, so that it can also be loaded by its path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeGuard


class DirectiveError(ValueError):
    """A prompt holds a directive that does not exist or that has a bad argument."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one model call, by price class. `cache_write` are five-minute entries."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The sum, class by class."""
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
        )


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asks for."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a step: `kind` is status, hang, html, stall, cut or error.

    `after` counts pieces, `retry_after` is in seconds, `times` None means every request.
    """

    kind: str
    after: int = 0
    status: int = 0
    variant: str = ""
    message: str = ""
    retry_after: str | None = None
    resets: int | None = None
    no_retry: bool = False
    times: int | None = None


@dataclass(frozen=True)
class Step:
    """One model call: what it says, what it is billed, how it comes and what goes wrong.

    `says` is `text` (then `text` holds it), echo, recall, result, model, tools or system.
    `pieces` None means a piece a word; `pace_ms` lies between two pieces.
    """

    says: str = "echo"
    text: str = ""
    tools: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=lambda: Usage(100, 20))
    stop: str | None = None
    pieces: int | None = None
    pace_ms: int = 0
    delay_ms: int = 0
    until: str | None = None
    fault: Fault | None = None


@dataclass(frozen=True)
class Plan:
    """What a prompt asks for: its steps (at least one), its text without directives, its personas."""

    steps: tuple[Step, ...]
    text: str
    key: str
    personas: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Directive:
    name: str
    argument: str
    json: dict[str, Any] | None = None


_START = re.compile(r"\[\[([a-z][a-z0-9_ ]*?)(:|\]\])")
_JSON = json.JSONDecoder()


def parse(prompt: str) -> Plan:
    """The plan that a prompt asks for.

    Raises:
        DirectiveError: a directive is unknown or its argument is bad.
    """
    directives, text = _scan(prompt)
    steps: list[Step] = []
    step = Step()
    key, times = prompt, None
    personas: list[str] = []
    for directive in directives:
        if directive.name == "key":
            key = directive.argument
        elif directive.name == "persona":
            personas.append(directive.argument)
        elif directive.name == "times":
            times = _count(directive)
        elif directive.name == "tool":
            step = replace(step, tools=(_tool_call(directive),))
            steps.append(_bounded(step, times))
            step, times = Step(), None
        elif directive.name == "then":
            steps.append(_bounded(step, times))
            step, times = Step(), None
        elif directive.name == "with":
            if not steps:
                raise DirectiveError("[[with: …]] needs a [[tool: …]] before it")
            steps[-1] = replace(steps[-1], tools=(*steps[-1].tools, _tool_call(directive)))
        else:
            step = _shaped(step, directive)
    steps.append(_bounded(step, times))
    return Plan(tuple(steps), text, key, tuple(personas))


def _bounded(step: Step, times: int | None) -> Step:
    if times is None:
        return step
    if step.fault is None:
        raise DirectiveError("[[times: …]] needs a fault in the same step")
    return replace(step, fault=replace(step.fault, times=times))


def _scan(prompt: str) -> tuple[list[_Directive], str]:
    directives: list[_Directive] = []
    kept: list[str] = []
    at = 0
    while found := _START.search(prompt, at):
        kept.append(prompt[at : found.start()])
        name = found.group(1)
        if found.group(2) == "]]":
            directives.append(_Directive(name, ""))
            at = found.end()
        else:
            directive, at = _with_argument(prompt, name, found.end())
            directives.append(directive)
    kept.append(prompt[at:])
    return directives, " ".join("".join(kept).split())


def _with_argument(prompt: str, name: str, start: int) -> tuple[_Directive, int]:
    """The directive whose argument begins at `start`, and where the text after it begins."""
    while start < len(prompt) and prompt[start].isspace():
        start += 1
    head, values = "", None
    if name in ("tool", "with"):
        called = re.compile(r"[\w.-]+\s*").match(prompt, start)
        if called is None:
            raise DirectiveError(f"[[{name}: …]] needs the name of a tool")
        head, start = called.group().strip(), called.end()
        values, start = _json_at(prompt, name, start)
        if not _is_object(values):
            raise DirectiveError(f"[[{name}: {head} …]] needs a JSON object")
        closed = re.compile(r"\s*\]\]").match(prompt, start)
        if closed is None:
            raise DirectiveError(f"[[{name}: …]] is not closed")
        return _Directive(name, head, values), closed.end()
    if prompt.startswith('"', start):
        text, start = _json_at(prompt, name, start)
        closed = re.compile(r"\s*\]\]").match(prompt, start)
        if closed is None:
            raise DirectiveError(f"[[{name}: …]] is not closed after its text")
        return _Directive(name, str(text)), closed.end()
    end = prompt.find("]]", start)
    if end < 0:
        raise DirectiveError(f"[[{name}: …]] is not closed")
    return _Directive(name, prompt[start:end].strip()), end + 2


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _json_at(prompt: str, name: str, start: int) -> tuple[Any, int]:
    try:
        return _JSON.raw_decode(prompt, start)
    except ValueError as error:
        raise DirectiveError(f"[[{name}: …]] holds bad JSON: {error}") from error


def _tool_call(directive: _Directive) -> ToolCall:
    return ToolCall(directive.argument, directive.json or {})


def _shaped(step: Step, directive: _Directive) -> Step:
    """The step with one directive applied to it."""
    shape = _SHAPES.get(directive.name)
    if shape is None:
        raise DirectiveError(f"there is no directive [[{directive.name}]]")
    return shape(step, directive)


def _count(directive: _Directive) -> int:
    if not directive.argument.isdecimal():
        raise DirectiveError(f"[[{directive.name}: …]] needs a number, not {directive.argument!r}")
    return int(directive.argument)


def _milliseconds(directive: _Directive, text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*(ms|s)", text.strip())
    if found is None:
        raise DirectiveError(f"[[{directive.name}: …]] needs a time such as 50ms or 2s, not {text!r}")
    return int(found.group(1)) * (1000 if found.group(2) == "s" else 1)


def _slow(step: Step, directive: _Directive) -> Step:
    pace, cross, pieces = directive.argument.partition("x")
    if not cross or not pieces.strip().isdecimal():
        raise DirectiveError("[[slow: …]] is a time and a number of pieces: 50ms x 20")
    return replace(step, pace_ms=_milliseconds(directive, pace), pieces=max(1, int(pieces)))


def _usage(step: Step, directive: _Directive) -> Step:
    values = {"input": step.usage.input, "output": step.usage.output}
    for word in directive.argument.split():
        name, _, number = word.partition("=")
        if name not in ("input", "output", "cache_read", "cache_write", "cache_write_1h"):
            raise DirectiveError(f"[[usage: …]] knows no {name!r}")
        if not number.isdecimal():
            raise DirectiveError(f"[[usage: …]] needs a number for {name}")
        values[name] = int(number)
    return replace(step, usage=Usage(**values))


def _status(step: Step, directive: _Directive) -> Step:
    rest = directive.argument
    quoted = re.search(r'"(?:[^"\\]|\\.)*"', rest)
    message = ""
    if quoted:
        message, rest = str(json.loads(quoted.group())), rest.replace(quoted.group(), " ")
    words = rest.split()
    if not words or not words[0].isdecimal() or not 400 <= int(words[0]) <= 599:
        raise DirectiveError("[[status: …]] begins with an HTTP error status such as 529")
    fault = Fault("status", status=int(words[0]), message=message)
    for word in words[1:]:
        if word in ("credit", "too-long"):
            fault = replace(fault, variant=word)
        elif word == "no-retry":
            fault = replace(fault, no_retry=True)
        elif word.startswith("retry-after="):
            fault = replace(fault, retry_after=word.partition("=")[2])
        elif word.startswith("resets=") and word.removeprefix("resets=").isdecimal():
            fault = replace(fault, resets=int(word.removeprefix("resets=")))
        else:
            raise DirectiveError(f"[[status: …]] knows no {word!r}")
    return replace(step, fault=fault)


def _said(says: str) -> Callable[[Step, _Directive], Step]:
    return lambda step, directive: replace(step, says=says, text=directive.argument)


def _failing(kind: str) -> Callable[[Step, _Directive], Step]:
    return lambda step, _: replace(step, fault=Fault(kind))


def _failing_after(kind: str) -> Callable[[Step, _Directive], Step]:
    return lambda step, directive: replace(step, fault=Fault(kind, after=_count(directive)))


def _bytes(step: Step, directive: _Directive) -> Step:
    size = _count(directive)
    return replace(step, says="text", text=filler(size), pieces=step.pieces or max(1, min(64, size)))


_SHAPES: dict[str, Callable[[Step, _Directive], Step]] = {
    "reply": _said("text"),
    "bytes": _bytes,
    "empty": lambda step, _: replace(step, says="text", text=""),
    "recall": _said("recall"),
    "result": _said("result"),
    "model": _said("model"),
    "tools": _said("tools"),
    "system has": _said("system"),
    "usage": _usage,
    "slow": _slow,
    "delay": lambda step, directive: replace(step, delay_ms=_milliseconds(directive, directive.argument)),
    "until": lambda step, directive: replace(step, until=directive.argument),
    "stop": lambda step, directive: replace(step, stop=directive.argument),
    "refuse": lambda step, _: replace(step, stop="refusal"),
    "status": _status,
    "hang": _failing("hang"),
    "html": _failing("html"),
    "stall after": _failing_after("stall"),
    "cut after": _failing_after("cut"),
    "error after": _failing_after("error"),
}


def filler(size: int) -> str:
    """A text of `size` bytes."""
    return ("abcdefghijklmnopqrstuvwxyz012345" * (size // 32 + 1))[:size]


def pieces(text: str, count: int | None) -> list[str]:
    """`text` in the pieces that it is streamed in: a piece a word, or `count` of them, the last ones
    empty where the text is too short to be split."""
    if count is None:
        return re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])
    size, extra = divmod(len(text), count)
    cuts = [index * size + min(index, extra) for index in range(count + 1)]
    return [text[start:end] for start, end in pairwise(cuts)]


def output_served(output: int, sent: int, count: int) -> int:
    """How many of `output` tokens were served once `sent` of `count` pieces were."""
    return output if count == 0 or sent >= count else output * sent // count
