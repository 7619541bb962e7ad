"""Values of credentials appear in nothing that a pool writes down or tells, and callers may not give them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.commands import Shell, a_shell
from tests.support.past import facts, until_state
from tests.support.waiting import until_sync

CANARIES = {
    "ANTHROPIC_API_KEY": "sk-ant-canary0-0123456789",
    "GITHUB_TOKEN": "ghp_canary1ABCDEFGHIJKLMNOP",
    "PGPASSWORD": 'canary2"quoted\\slashed',
    "SIGNING_KEY": "-----BEGIN KEY-----\ncanary3line1\ncanary3line2\n-----END KEY-----",
    "DEPLOYMENT": "canary4 – of another name",
}
PASSWORD = "canary5hunter2"
ENVIRONMENT = {**CANARIES, "HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:9"}
MARKS = tuple(f"canary{n}".encode() for n in range(6))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A shell whose environment holds credentials of several kinds; one is passed to slots by request."""
    folder = tmp_path_factory.mktemp("secrets")
    more = {"CLAUDE_POOL_PASS_ENV": "DEPLOYMENT", "CLAUDE_POOL_QUESTION_SECONDS": "60"}
    with a_shell(folder, "normal", None, **ENVIRONMENT, **more) as shell:
        yield shell


def spelt(*values: str) -> str:
    """What makes a slot say the values, as a JSON string of which no part is a value."""
    told = " and ".join(values or (*CANARIES.values(), PASSWORD))
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in told) + '"'


def found_in(data: bytes) -> list[bytes]:
    return [mark for mark in MARKS if mark in data]


def files_with_values(folder: Path) -> dict[str, list[bytes]]:
    """The files of a pool in which a value stands."""
    every = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith("log.sqlite-wal") for name in every)
    return {name: found for name, data in every.items() if (found := found_in(data))}


def test_what_a_slot_says_is_told_and_kept_without_the_values(shell: Shell) -> None:
    said = [
        shell.run("run", f"[[reply: {spelt()}]] in one"),
        shell.run("run", f"[[reply: {spelt()}]] [[slow: 1ms x 60]] in pieces"),
        shell.run("run", f"[[bytes: 3000]] [[then]] [[reply: {spelt()}]]", "--json"),
        shell.run("run", f"[[status: 400 {spelt()}]] an error", code=None),
    ]
    assert "[redacted:GITHUB_TOKEN]" in said[0] and "[redacted:HTTPS_PROXY]" in said[1]
    assert [found_in(each.encode()) for each in said] == [[]] * 4
    assert files_with_values(shell.state) == {}


def test_messages_and_reports_of_slots_are_without_them(shell: Shell) -> None:
    tell = f'[[tool: mcp__pool__slot_send_message {{"to": "coordinator", "content": {spelt()}}}]] [[result]]'
    shell.run("run", tell)
    box = shell.run("messages", "coordinator")
    assert "[redacted:PGPASSWORD]" in box and found_in(box.encode()) == []
    assert files_with_values(shell.state) == {}


def test_a_question_of_a_slot_shows_what_it_wants_without_them(shell: Shell) -> None:
    wants = f'[[tool: Bash {{"command": {spelt()}}}]] [[reply: done]]'
    task_id = shell.run("submit", wants, "--permission-mode=default").strip()
    until_sync(lambda: facts(shell, "question.asked") > 0)
    asked = shell.run("questions", "--json")
    assert "[redacted:SIGNING_KEY]" in asked and found_in(asked.encode()) == []
    shell.run("cancel", task_id)
    assert files_with_values(shell.state) == {}


def test_what_is_read_from_the_log_is_without_them(shell: Shell) -> None:
    shell.run("run", f"[[reply: {spelt()}]]")
    for words in (
        ("replay", "--json"),
        ("tasks", "--json"),
        ("replay",),
        ("status", "--json"),
        ("cost", "--json"),
    ):
        assert found_in(shell.run(*words).encode()) == []
    with sqlite3.connect(f"file:{shell.state / 'log.sqlite'}?mode=ro", uri=True) as log:
        assert not any(found_in(line.encode()) for line in log.iterdump())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GITHUB_TOKEN", ("run", "say {}")),
        ("PGPASSWORD", ("submit", "{}", "--system-prompt=short")),
        ("SIGNING_KEY", ("submit", "hello", "--system-prompt={}")),
        ("DEPLOYMENT", ("submit", "hello", "--tag={}")),
        ("SIGNING_KEY", ("context", "set", "key", "value {}")),
        ("PGPASSWORD", ("send", "slot-0", "look: {}")),
        ("ANTHROPIC_API_KEY", ("auto", "split {}")),
    ],
)
def test_what_a_caller_gives_with_one_is_refused_by_the_variables_name(
    shell: Shell, name: str, words: tuple[str, ...]
) -> None:
    ran = shell.raw(*(word.format(CANARIES[name]) for word in words))
    assert ran.returncode != 0 and ran.stderr.startswith("[invalid_argument]") and name in ran.stderr
    assert found_in((ran.stdout + ran.stderr).encode()) == []
    assert files_with_values(shell.state) == {}


def test_a_chain_with_one_in_a_step_is_refused(shell: Shell) -> None:
    chain = {"steps": [{"name": "a", "prompt": "hello"}, {"name": "b", "prompt": f"use {PASSWORD}"}]}
    ran = shell.raw("chain", "submit", "-", stdin=json.dumps(chain))
    assert ran.returncode != 0 and "HTTPS_PROXY" in ran.stderr and found_in(ran.stderr.encode()) == []


def test_feedback_with_one_is_refused_and_the_result_still_waits(shell: Shell) -> None:
    task_id = shell.run("submit", "hello", "--review=1").strip()
    until_state(shell, task_id, "pending_review")
    ran = shell.raw("reject", task_id, f"no, use {CANARIES['GITHUB_TOKEN']}")
    assert ran.stderr.startswith("[invalid_argument]") and "GITHUB_TOKEN" in ran.stderr
    assert shell.json("task", task_id)["state"] == "pending_review"
    shell.run("approve", task_id)


def test_options_of_the_pool_with_one_are_refused(tmp_path: Path) -> None:
    with a_shell(
        tmp_path, "normal", None, **ENVIRONMENT, CLAUDE_POOL_SYSTEM_PROMPT=f"use {PASSWORD}"
    ) as shell:
        ran = shell.raw("run", "hello")
        assert ran.returncode != 0 and "HTTPS_PROXY" in ran.stderr
        assert not any(found_in(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_that_is_handed_over_later_is_known_from_then_on(tmp_path: Path) -> None:
    with a_shell(tmp_path, ANTHROPIC_API_KEY="sk-ant-first-0123456789") as shell:
        shell.run("run", "hello")
        later = shell.environment["ANTHROPIC_API_KEY"] = CANARIES["ANTHROPIC_API_KEY"]
        shell.run("resume")
        assert "[redacted:ANTHROPIC_API_KEY]" in shell.run("run", f"[[reply: {spelt(later)}]]")
        assert shell.raw("run", f"say {later}").stderr.startswith("[invalid_argument]")
        assert files_with_values(shell.state) == {}
