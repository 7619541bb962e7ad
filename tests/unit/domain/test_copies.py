"""The copies that folds make are what `dataclasses.replace` makes, and leave what they copy as it is."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest
from claude_pool.domain import chain, ledger, pool, slot, task
from claude_pool.domain.catalogue import EVENTS
from claude_pool.domain.copies import replace
from claude_pool.domain.inbox import Inbox

OFTEN = (pool.Open, ledger.Budget, ledger.Scope, slot.Card, task.Job, task.LiveAttempt, chain.Work, Inbox)
"""What is copied at most events."""


@dataclass(frozen=True)
class Open:
    first: int
    second: str = "two"


@dataclass(frozen=True, slots=True)
class Closed:
    first: int
    second: str = "two"


@pytest.mark.parametrize("kind", [Open, Closed])
def test_a_copy_has_what_was_changed_and_the_rest_as_it_was(kind: type[Any]) -> None:
    before = kind(1)
    after = replace(before, first=3)
    assert after == dataclasses.replace(before, first=3) == kind(3, "two")
    assert before == kind(1, "two")


@pytest.mark.parametrize("kind", [Open, Closed])
def test_a_copy_is_of_the_same_class_and_frozen(kind: type[Any]) -> None:
    after = replace(kind(1), second="2")
    assert type(after) is kind
    with pytest.raises(FrozenInstanceError):
        after.first = 5


@pytest.mark.parametrize("kind", [*OFTEN, *EVENTS])
def test_what_folds_make_most_often_has_no_slots_and_nothing_to_do_after_its_making(
    kind: type[Any],
) -> None:
    assert "__slots__" not in vars(kind)
    assert not hasattr(kind, "__post_init__")
