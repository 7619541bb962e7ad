"""How events become bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import pytest
from claude_pool.adapters.store.codec import Codec, Unencodable, UnknownEvent, topic_of
from claude_pool.domain.records import Actor, Meta

META = Meta(1_700_000_000_000, "cmd-1", "cmd-1", Actor.SHELL)


@dataclass(frozen=True, slots=True)
class Address:
    """A nested value."""

    city: str
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """Version 3 of an event: it once held a `town`, then a `city`, and now an address."""

    NAME: ClassVar[str] = "person.moved"
    VERSION: ClassVar[int] = 3
    address: Address
    note: str | None = None
    weight: float = 0.0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class MovedFirst:
    """Version 1, as it once was."""

    NAME: ClassVar[str] = "person.moved"
    VERSION: ClassVar[int] = 1
    town: str


def rename(data: dict[str, Any]) -> dict[str, Any]:
    return {"city": data["town"]}


def nest(data: dict[str, Any]) -> dict[str, Any]:
    return {"address": {"city": data["city"]}}


CODEC = Codec([Moved], {("person.moved", 1): rename, ("person.moved", 2): nest})


def test_fields_at_their_defaults_are_left_out() -> None:
    topic, state = CODEC.encode(Moved(Address("Bern")), META)

    assert topic == "person.moved.v3"
    assert state == b'{"a":"shell","c":"cmd-1","d":{"address":{"city":"Bern"}},"t":1700000000000}'


def test_fields_at_other_values_stand_there() -> None:
    _, state = CODEC.encode(Moved(Address("Bern", 2), "", 1.5, shared=True), META)

    assert msgspec.json.decode(state)["d"] == {
        "address": {"city": "Bern", "floor": 2},
        "note": "",
        "shared": True,
        "weight": 1.5,
    }


def test_cause_and_a_correlation_of_its_own_stand_in_the_envelope() -> None:
    meta = Meta(1, "cmd-1", "call-1", Actor.POLICY, cause=7)
    topic, state = CODEC.encode(Moved(Address("Bern")), meta)

    assert msgspec.json.decode(state) | {"d": None} == {
        "a": "policy", "c": "cmd-1", "d": None, "r": "call-1", "t": 1, "u": 7,
    }  # fmt: skip
    assert CODEC.decode(topic, state) == (Moved(Address("Bern")), meta)


def test_an_old_version_is_brought_up_step_by_step() -> None:
    old = Codec([MovedFirst])

    assert CODEC.decode(*old.encode(MovedFirst("Bern"), META)) == (Moved(Address("Bern")), META)


def test_a_middle_version_takes_only_the_steps_that_it_lacks() -> None:
    state = b'{"a":"shell","c":"cmd-1","d":{"city":"Bern"},"t":1700000000000}'

    assert CODEC.decode("person.moved.v2", state) == (Moved(Address("Bern")), META)


def test_an_event_of_a_later_version_needs_upcasters_from_the_first_on() -> None:
    with pytest.raises(ValueError, match=r"'person\.moved', 2"):
        Codec([Moved], {("person.moved", 1): rename})


def test_two_events_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"person\.moved"):
        Codec([MovedFirst, MovedFirst])


@pytest.mark.parametrize(
    ("topic", "known"),
    [("person.moved.v4", "person.moved.v3"), ("person.left.v1", "no person.left"), ("junk", "no junk")],
)
def test_an_unknown_event_comes_from_a_newer_program(topic: str, known: str) -> None:
    with pytest.raises(UnknownEvent) as refusal:
        CODEC.decode(topic, b"{}")

    assert (refusal.value.topic, refusal.value.known) == (topic, known)


@pytest.mark.parametrize(
    "state",
    [
        b'{"a":"shell","c":"x","d":{"address":{}},"t":1}',
        b'{"a":"shell","c":"x","d":{"address":{"city":7}},"t":1}',
        b'{"a":"shell","c":"x","d":{"address":{"city":"Bern"}},"t":"1"}',
        b'{"a":"nobody","c":"x","d":{"address":{"city":"Bern"}},"t":1}',
        b'{"a":"shell","c":"x","d":{"address":{"city":"Bern"}},"t":1,"z":0}',
        b'{"a":"shell","c":"x","d":{"address":{"city":"Bern"}},"t":1',
    ],
    ids=["missing field", "wrong type", "wrong envelope type", "unknown actor", "unknown key", "cut"],
)
def test_bytes_that_are_not_such_an_event_are_refused(state: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        CODEC.decode("person.moved.v3", state)


@pytest.mark.parametrize(
    "event",
    [
        Moved(Address("\ud800")),
        Moved(Address(7)),  # type: ignore[arg-type]  # what a fault of ours could pass
        Moved(Address("Bern"), weight=float("nan")),
        Moved(Address("Bern"), weight=float("inf")),
        Moved(Address("Bern", True)),
        Moved(["Bern"]),  # type: ignore[arg-type]
        MovedFirst("Bern"),
    ],
    ids=["surrogate", "type", "nan", "infinity", "bool", "list", "unregistered"],
)
def test_what_would_not_be_read_back_is_not_written(event: Moved | MovedFirst) -> None:
    with pytest.raises(Unencodable):
        CODEC.encode(event, META)


def test_a_topic_is_name_and_version() -> None:
    assert topic_of(MovedFirst) == "person.moved.v1"
