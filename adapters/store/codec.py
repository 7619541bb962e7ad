"""How an event becomes bytes and back: envelope v1 and the domain's frozen dataclasses, typed, as JSON.

A row of the log names its event in a *topic* (`task.submitted.v1`). The envelope keeps one-letter keys:
`t` recorded_at, `c` command id, `r` correlation (left out where it is the command id), `a` actor, `u` cause,
`d` the event's own fields. Fields that equal their default are left out, so a default never changes
without a new version of the event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache, partial
from typing import Any, Protocol, cast

import msgspec
from claude_pool.domain.records import Actor, Event, Meta

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the stored fields of an event into those of its next version."""


class UnknownEvent(Exception):
    """The log holds an event that this program does not know: a newer one wrote it."""

    def __init__(self, topic: str, known: str) -> None:
        """`topic` was found; `known` says what is known of that name."""
        super().__init__(topic, known)
        self.topic = topic
        self.known = known


class Unencodable(Exception):
    """An event holds what the log cannot give back unchanged: a wrong type, a lone surrogate, a NaN."""


class Sealed(Protocol):
    """A decoded envelope. The keys are explained at the top of the module."""

    t: int
    c: str
    r: str | None
    a: Actor
    u: int | None
    d: Event


class _OldEnvelope(msgspec.Struct, forbid_unknown_fields=True):
    t: int
    c: str
    a: Actor
    d: dict[str, Any]
    r: str | None = None
    u: int | None = None


def topic_of(event: type[Event]) -> str:
    """The stored name of an event class, with its version."""
    return f"{event.NAME}.v{event.VERSION}"


class Codec:
    """Encodes and decodes a closed set of event classes.

    `decoders[topic]` is, for every topic that the log may hold, old versions included, the function that
    decodes its envelope; it raises `msgspec.MsgspecError` for bytes that do not fit.
    """

    decoders: Mapping[str, Callable[[bytes], Sealed]]

    def __init__(
        self, events: Iterable[type[Event]], upcasters: Mapping[tuple[str, int], Upcaster] | None = None
    ) -> None:
        """Register `events`; `upcasters` maps a name and an old version to the step to the next one.

        Raises:
            ValueError: two classes share a name, or an old version has no upcaster.
        """
        self._versions: dict[str, int] = {}
        makers: dict[str, Callable[[], Callable[[bytes], Sealed]]] = {}
        for event in events:
            if event.NAME in self._versions:
                raise ValueError(f"two events are named {event.NAME}")
            self._versions[event.NAME] = event.VERSION
            makers[topic_of(event)] = partial(_decoder, event)
            steps = _steps(event, upcasters or {})
            for version in range(1, event.VERSION):
                makers[f"{event.NAME}.v{version}"] = partial(_old_decoder, event, steps[version - 1 :])
        self.decoders = _Decoders(makers)

    def encode(self, event: Event, meta: Meta) -> tuple[str, bytes]:
        """The topic of `event` and its envelope, whose bytes depend on nothing but the values.

        Raises:
            Unencodable: reading the bytes back would not give this event.
        """
        topic = topic_of(type(event))
        envelope: dict[str, Any] = {"t": meta.recorded_at, "c": meta.command_id, "a": meta.actor}
        if meta.correlation != meta.command_id:
            envelope["r"] = meta.correlation
        if meta.cause is not None:
            envelope["u"] = meta.cause
        try:
            envelope["d"] = plain(event)
            state = _encode(envelope)
            readable = self.decoders[topic](state).d == event
        except KeyError as error:
            raise Unencodable(f"{topic} is not registered") from error
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
            raise Unencodable(f"{topic}: {error}") from error
        if not readable:
            raise Unencodable(f"{topic} would not be read back as it is")
        return topic, state

    def decode(self, topic: str, state: bytes) -> tuple[Event, Meta]:
        """The event and what its append had in common.

        Raises:
            UnknownEvent: a newer program wrote it.
            msgspec.MsgspecError: the bytes are not such an event. UnicodeDecodeError: they are no text.
            RecursionError: they are nested without end.
        """
        try:
            decoder = self.decoders[topic]
        except KeyError:
            raise self.unknown(topic) from None
        sealed = decoder(state)
        return sealed.d, meta_of(sealed)

    def unknown(self, topic: str) -> UnknownEvent:
        """What to raise for a topic that has no decoder."""
        name = topic.rpartition(".v")[0]
        version = self._versions.get(name)
        return UnknownEvent(topic, f"{name}.v{version}" if version else f"no {name or topic}")


def meta_of(sealed: Sealed) -> Meta:
    """The part of an envelope that all events of one append share."""
    command = sealed.c
    return Meta(sealed.t, command, command if sealed.r is None else sealed.r, sealed.a, sealed.u)


def plain(value: object) -> Any:
    """`value` as JSON types, without the fields that equal their defaults.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    kind: type[Any] = type(value)
    if kind in _SCALARS:
        return value
    if hasattr(kind, "__dataclass_fields__"):
        result: dict[str, Any] = {}
        for name, default in _fields[kind]:
            item = getattr(value, name)
            if item is not default and (item != default or type(item) is not type(default)):
                result[name] = plain(item)
        return result
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return value


_SCALARS = frozenset({str, int, bool, type(None)})
_encode = msgspec.json.Encoder(order="deterministic").encode


class _Fields(dict[type, tuple[tuple[str, object], ...]]):
    """Name and default of each field of a class; `MISSING`, which equals nothing, where there is none."""

    def __missing__(self, owner: type) -> tuple[tuple[str, object], ...]:
        self[owner] = tuple(
            (field.name, field.default if field.default_factory is MISSING else field.default_factory())
            for field in fields(owner)
        )
        return self[owner]


_fields = _Fields()


class _Decoders(dict[str, Callable[[bytes], Sealed]]):
    """Made when a log first holds such an event: a short look meets few of them."""

    def __init__(self, makers: Mapping[str, Callable[[], Callable[[bytes], Sealed]]]) -> None:
        """`makers` makes each."""
        super().__init__()
        self._makers = makers

    def __missing__(self, topic: str) -> Callable[[bytes], Sealed]:
        made = self[topic] = self._makers[topic]()
        return made


def _decoder(event: type[Event]) -> Callable[[bytes], Sealed]:
    """One typed decoder for envelope and event together: a second pass would cost half as much again."""
    return cast("Callable[[bytes], Sealed]", msgspec.json.Decoder(_envelope(event)).decode)


@cache
def _envelope(event: type[Event]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        f"{event.__name__}Envelope",
        [
            ("t", int), ("c", str), ("a", Actor), ("d", event),
            ("r", str | None, None), ("u", int | None, None),
        ],
        forbid_unknown_fields=True,
        gc=False,
    )  # fmt: skip


def _steps(event: type[Event], upcasters: Mapping[tuple[str, int], Upcaster]) -> list[Upcaster]:
    try:
        return [upcasters[event.NAME, version] for version in range(1, event.VERSION)]
    except KeyError as error:
        raise ValueError(f"no upcaster for {error.args[0]}") from None


def _old_decoder(event: type[Event], steps: list[Upcaster]) -> Callable[[bytes], Sealed]:
    decode = msgspec.json.Decoder(_OldEnvelope).decode
    envelope = cast("Callable[..., Sealed]", _envelope(event))

    def upcast(state: bytes) -> Sealed:
        old = decode(state)
        data = old.d
        for step in steps:
            data = step(data)
        return envelope(t=old.t, c=old.c, a=old.a, d=msgspec.convert(data, event), r=old.r, u=old.u)

    return upcast
