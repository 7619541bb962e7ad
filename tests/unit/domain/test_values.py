"""Ids, texts, tokens and conversation policies."""

from __future__ import annotations

import pytest
from claude_pool.domain.values import (
    SessionMode,
    SessionPolicy,
    Tokens,
    attempt_id,
    dollars,
    is_chain_id,
    is_session_id,
    is_slot_id,
    is_task_id,
    kind_of,
    parse_session,
)

SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize("text", ["task-abcdefghijklmnop", "task-2345672345672345"])
def test_a_task_id_is_task_and_sixteen_lower_case_base32_characters(text: str) -> None:
    assert is_task_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "task-",
        "task-ABCDEFGHIJKLMNOP",
        "task-abcdefghijklmno",
        "task-abcdefghijklmnopq",
        "task-abcdefghijklmno1",
        "chain-abcdefghijklmnop",
        "task-abcdefghijklmnop.1",
        "task-abcdefghijklmnop\n",
        " task-abcdefghijklmnop",
    ],
)
def test_anything_else_is_no_task_id(text: str) -> None:
    assert not is_task_id(text)


def test_a_chain_id_is_chain_and_sixteen_lower_case_base32_characters() -> None:
    assert is_chain_id("chain-abcdefghijklmnop")
    assert not any(is_chain_id(text) for text in ("task-abcdefghijklmnop", "chain-", "chain-abc", "chains"))


@pytest.mark.parametrize("text", ["slot-0", "slot-1", "slot-10", "slot-999999"])
def test_a_slot_id_is_slot_and_a_number(text: str) -> None:
    assert is_slot_id(text)


@pytest.mark.parametrize(
    "text", ["slot-", "slot-01", "slot-1000000", "slot-1\n", "slot--1", "builder", "slot-a"]
)
def test_anything_else_is_no_slot_id(text: str) -> None:
    assert not is_slot_id(text)


def test_a_session_id_is_a_lower_case_uuid() -> None:
    assert is_session_id(SESSION)


@pytest.mark.parametrize("text", ["", SESSION.upper(), SESSION + "\n", SESSION[:-1], "--" + SESSION])
def test_anything_else_is_no_session_id(text: str) -> None:
    assert not is_session_id(text)


def test_an_attempt_is_named_after_its_task_and_number() -> None:
    assert attempt_id("task-abcdefghijklmnop", 2) == "task-abcdefghijklmnop.2"


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("fresh", SessionPolicy(SessionMode.FRESH)),
        ("slot", SessionPolicy(SessionMode.SLOT)),
        (f"resume:{SESSION}", SessionPolicy(SessionMode.RESUME, SESSION)),
        (f"fork:{SESSION}", SessionPolicy(SessionMode.FORK, SESSION)),
    ],
)
def test_a_conversation_policy_is_read_from_its_text(text: str, policy: SessionPolicy) -> None:
    assert parse_session(text) == policy


@pytest.mark.parametrize(
    "text", ["", "new", "resume", "resume:", f"fresh:{SESSION}", "resume:--continue", f"resume:{SESSION}\n"]
)
def test_a_text_that_names_no_policy_is_none(text: str) -> None:
    assert parse_session(text) is None


def test_tokens_add_up_by_class() -> None:
    both = Tokens(1, 2, 3, 4) + Tokens(10, 20, 30, 40)
    assert both == Tokens(11, 22, 33, 44)
    assert both.total == 110


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        ("task-aaaaaaaaaaaaaaaa", "task"),
        ("chain-aaaaaaaaaaaaaaaa", "chain"),
        ("slot-0", "slot"),
        ("msg-aaaaaaaaaaaaaaaa", None),
    ],
)
def test_an_id_says_by_its_form_what_it_names(identity: str, kind: str | None) -> None:
    assert kind_of(identity) == kind


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0.000000"), (1, "$0.000001"), (1_234_000_500, "$1,234.000500"), (-500_000, "-$0.500000")],
)
def test_an_amount_is_shown_to_the_microdollar(amount: int, shown: str) -> None:
    assert dollars(amount) == shown
