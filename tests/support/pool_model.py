"""What a task has the model do, in the words of features, as the directives that the scripted model obeys."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.pool_clock import NOON

_TIMES = {None: "", " once": "[[times: 1]]", " twice": "[[times: 2]]"}

_CLAUSES: tuple[tuple[str, str], ...] = (
    (r'answers "(?P<text>[^"]*)"', "[[reply: {text}]]"),
    (r"answers with (?P<size>\d+) characters", "[[bytes: {size}]]"),
    (r"answers nothing", "[[empty]]"),
    (r"repeats its prompt", ""),
    (r"recalls its conversation", "[[recall]]"),
    (r"names its model", "[[model]]"),
    (r'says whether it was told "(?P<text>[^"]*)"', "[[system has: {text}]]"),
    (r"fills in (?P<form>\{.*\})", "[[tool: StructuredOutput {form}]]"),
    (r"works until it is released", "[[until: {gate}]]"),
    (r"goes on for (?P<pieces>\d+) words", "[[bytes: 4000]] [[slow: 20ms x {pieces}]]"),
    (r"uses (?P<input>\d+) and (?P<output>\d+) tokens", "[[usage: input={input} output={output}]]"),
    (r"is refused with status (?P<status>\d+)(?P<times> once| twice)?", "[[status: {status}]] {times}"),
    (
        r"writes (?P<file>[a-z.]+)",
        '[[tool: Bash {{"command": "echo by a slot > {file}"}}]] [[reply: written]]',
    ),
    (r"finds no credit(?P<times> once)?", "[[status: 400 credit]] {times}"),
    (
        r"hits a limit that ends in (?P<minutes>\d+) minutes(?P<times> once)?",
        "[[status: 429 resets={resets}]] {times}",
    ),
    (r'wants to run "(?P<command>[^"]*)"', '[[tool: Bash {{"command": "{command}"}}]]'),
    (r"is told the result", "[[result]]"),
    (r"is too long", "[[status: 400 too-long]]"),
    (
        r'writes "(?P<text>[^"]*)" to (?P<to>slot-\d+)',
        '[[tool: mcp__pool__slot_send_message {{"to": "{to}", "content": {text}}}]]',
    ),
    (r"reads its messages", "[[tool: mcp__pool__slot_read_messages {{}}]]"),
    (
        r'asks "(?P<text>[^"]*)" in vain',
        '[[tool: mcp__pool__slot_ask_coordinator {{"question": {text}, "wait_seconds": 0}}]]',
    ),
    (r'asks "(?P<text>[^"]*)"', '[[tool: mcp__pool__slot_ask_coordinator {{"question": {text}}}]]'),
    (r"loses its process", "[[persona: crash 1]]"),
    (r"loses its process in silence", "[[persona: exit0]]"),
)
_AND = re.compile(r" and ")


def behaviours() -> tuple[str, ...]:
    """The clauses that features may use, as patterns."""
    return tuple(pattern for pattern, _ in _CLAUSES)


def directives(behaviour: str, gate: Path, key: str) -> str:
    """The directives for `behaviour`: clauses joined by `and`.

    `gate` is the file that releases a task that works until it is released; `key` is the name under which
    the model counts how often it refused.

    Raises:
        ValueError: features know no such behaviour.
    """
    found, at = list[str](), 0
    while at < len(behaviour):
        clause, at = _clause(behaviour, at)
        values = clause.groupdict()
        if "text" in values:
            values["text"] = json.dumps(values["text"], ensure_ascii=False)
        values["times"] = _TIMES[values.get("times")]
        values["resets"] = str(NOON // 1000 + 60 * int(values.get("minutes") or 0))
        template = next(template for pattern, template in _CLAUSES if pattern == clause.re.pattern)
        found.append(template.format(gate=gate, **values))
    return " ".join([f"[[key: {key}]]", *found])


def _clause(behaviour: str, at: int) -> tuple[re.Match[str], int]:
    for pattern, _ in _CLAUSES:
        clause = re.compile(pattern).match(behaviour, at)
        if clause is None:
            continue
        joined = _AND.match(behaviour, clause.end())
        if joined is not None or clause.end() == len(behaviour):
            return clause, joined.end() if joined is not None else clause.end()
    raise ValueError(f"no task {behaviour[at:]!r}")
