"""What a log holds, from the bytes of an event to the view."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from claude_pool.adapters.store.codec import UnknownEvent
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.chain_events import ChainEvent
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.slot_events import SlotEvent
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.task_events import TaskEvent
from claude_pool.domain.world import World

from tests.fuzz.engine import Probe, Target, changed, changed_bytes, written

_GOLDEN = [
    (document["topic"], json.loads(example["envelope"]))
    for path in sorted((Path(__file__).parents[2] / "golden" / "events").glob("*.json"))
    for document in [json.loads(path.read_bytes())]
    for example in document["examples"]
]


def make(chance: Random) -> bytes:
    """Some events of which most are changed a little, each as its topic, a space and its envelope."""
    lines: list[bytes] = []
    for _ in range(chance.randrange(1, 12)):
        topic, envelope = chance.choice(_GOLDEN)
        state = written(chance, changed(chance, envelope, chance.choice((0.0, 0.02, 0.1, 0.4))))
        if chance.random() < 0.1:
            state = changed_bytes(chance, state)
        if chance.random() < 0.02:
            topic = chance.choice((topic.replace("v1", "v9"), "no.such.v1", "", topic + "\0", "x" * 500))
        lines.append(topic.encode() + b" " + state.replace(b"\n", b" "))
    return b"\n".join(lines)


@contextmanager
def ground(_folder: Path) -> Generator[Probe]:
    """One codec; a view of its own for each input."""
    codec = default_codec()

    def probe(data: bytes) -> None:
        world, versions = World(), dict[str, int]()
        for position, line in enumerate(data.split(b"\n"), 1):
            topic, _, state = line.partition(b" ")
            try:
                event, meta = codec.decode(topic.decode("utf-8", "replace"), state)
            except (UnknownEvent, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue  # what the log's reader makes a refusal of
            again = codec.encode(event, meta)
            assert codec.decode(*again) == (event, meta)
            stream = _stream(event)
            versions[stream] = versions.get(stream, 0) + 1
            world.apply(position, stream, versions[stream], event)
        canonical(world)
        pool_status(world, "any")

    yield probe


def _stream(event: Any) -> str:
    kinds = (
        (TaskEvent, "task-aaaaaaaaaaaaaaaa"), (ChainEvent, "chain-aaaaaaaaaaaaaaaa"), (SlotEvent, "slot-0"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(event, kind)), "pool")


TARGET = Target("events", make, ground)
