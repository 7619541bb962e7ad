"""Prompts as plain text."""

from __future__ import annotations

import re

import pytest
from claude_pool.adapters.claude.neutralise import neutralise, shield_prompt
from hypothesis import given
from hypothesis import strategies as st

_TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("@/ \n\t\ufeff\u200b\u3002\uff01`")))


@pytest.mark.parametrize("prompt", ["/clear", "/cost now", "/", "//", "/tmp/x.py fix"])
def test_a_leading_slash_is_no_command(prompt: str) -> None:
    assert shield_prompt(prompt) == " " + prompt


@pytest.mark.parametrize("prompt", ["", "hello /clear", " /clear", "\n/clear", "-x", "@path", "!ls"])
def test_other_prompts_stay_as_they_are(prompt: str) -> None:
    assert shield_prompt(prompt) == prompt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@/etc/passwd", "\u200b@/etc/passwd"),
        ('see @"a b" and @x', 'see \u200b@"a b" and \u200b@x'),
        ("line\n@x\t@y", "line\n\u200b@x\t\u200b@y"),
        ("\ufeff@x", "\ufeff\u200b@x"),
        ("mail a@b.c (@p) `@q` @ @", "mail a@b.c (@p) `@q` @ @"),
        ("/clear @x", " /clear \u200b@x"),
        ("a\u3002@x\u3001@y\uff1f@z\uff01@q", "a\u3002\u200b@x\u3001\u200b@y\uff1f\u200b@z\uff01\u200b@q"),
    ],
)
def test_untrusted_text_attaches_no_file_and_runs_no_command(text: str, expected: str) -> None:
    assert neutralise(text) == expected


@given(_TEXTS)
def test_neutralising_twice_is_neutralising_once(text: str) -> None:
    once = neutralise(text)
    assert neutralise(once) == once


@given(_TEXTS)
def test_no_word_of_neutralised_text_begins_with_an_at_sign(text: str) -> None:
    done = neutralise(text)
    assert not done.startswith("/")
    assert not [
        word
        for word in re.split(r"[\s\ufeff\u3002\u3001\uff1f\uff01]+", done)
        if word.startswith("@") and len(word) > 1
    ]


@given(_TEXTS)
def test_the_words_themselves_are_kept(text: str) -> None:
    assert neutralise(text).replace("\u200b", "").lstrip(" ") == text.replace("\u200b", "").lstrip(" ")
