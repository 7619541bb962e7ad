"""What callers see of the domain's values has every field, whoever made the value."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import pytest
from claude_pool.adapters.json_fields import with_every_field
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import End, Options, Outcome, Text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (End.FAILED, "failed"),
        ((1, "a", None), [1, "a", None]),
        ({"a": (True, 0.5)}, {"a": [True, 0.5]}),
        (Text("hi", size=2), {"inline": "hi", "blob": None, "size": 2, "head": None}),
    ],
    ids=str,
)
def test_a_value_is_shown_as_json_has_it(value: object, shown: object) -> None:
    found = with_every_field(value)
    assert found == shown
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("kind", [Outcome, Options, Settings])
def test_what_was_read_from_a_log_shows_its_defaults_too(kind: type[Any]) -> None:
    read = msgspec.convert({"end": "failed"} if kind is Outcome else {}, kind)
    assert complete(with_every_field(read), read)


def test_an_event_that_was_read_is_shown_as_the_one_that_was_written() -> None:
    state = b'{"a":"slot","c":"c","d":{"at":27,"attempt":26,"outcome":{"end":"interrupted"}},"t":1}'
    event, _ = default_codec().decode("attempt.cancelled.v1", state)
    assert with_every_field(event)["outcome"] == with_every_field(Outcome(End.INTERRUPTED))


def complete(shown: Any, value: Any) -> bool:
    """Whether every dataclass in `value` is shown with all its fields."""
    if not is_dataclass(value):
        return True
    return shown.keys() == {field.name for field in fields(value)} and all(
        complete(shown[field.name], getattr(value, field.name)) for field in fields(value)
    )
