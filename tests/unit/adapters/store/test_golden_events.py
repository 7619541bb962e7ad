"""What was once written stays readable, and means what it meant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from claude_pool.adapters.json_fields import with_every_field
from claude_pool.adapters.store.codec import topic_of
from claude_pool.adapters.store.registry import all_events, default_codec

ROOT = Path(__file__).parents[4]
FILES = sorted((ROOT / "tests" / "golden" / "events").glob("*.json"))
CURRENT = {topic_of(event) for event in all_events()}


def still_means(then: object, now: object) -> bool:
    """Whether every field that there was is as it was. A field that came since is at its default: the same
    bytes are written for the event as then.
    """
    match then, now:
        case dict(), dict():
            before, after = cast("dict[str, object]", then), cast("dict[str, object]", now)
            return all(name in after and still_means(each, after[name]) for name, each in before.items())
        case list(), list():
            old, new = cast("list[object]", then), cast("list[object]", now)
            return len(old) == len(new) and all(map(still_means, old, new))
        case _:
            return then == now


@pytest.mark.parametrize("topic", sorted(CURRENT))
def test_every_event_has_a_golden_file(topic: str) -> None:
    assert topic in {path.stem for path in FILES}, "run: python tools/golden_events.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_event_still_means_the_same(path: Path) -> None:
    codec = default_codec()
    content = json.loads(path.read_text(encoding="utf-8"))
    topic = content["topic"]
    assert topic == path.stem
    assert len(content["examples"]) == 2

    for example in content["examples"]:
        event, meta = codec.decode(topic, example["envelope"].encode())
        if topic in CURRENT:
            changed = f"{topic} has changed: give it a new VERSION and an upcaster, and keep this file"
            assert still_means(example["means"], json.loads(json.dumps(with_every_field(event)))), changed
            assert codec.encode(event, meta) == (topic, example["envelope"].encode()), changed


def test_a_golden_file_is_never_written_again(tmp_path: Path) -> None:
    topic = min(CURRENT)
    (tmp_path / f"{topic}.json").write_text("kept")

    subprocess.run(
        [sys.executable, ROOT / "tools" / "golden_events.py", "--directory", tmp_path],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip

    assert (tmp_path / f"{topic}.json").read_text() == "kept"
    assert {path.stem for path in tmp_path.glob("*.json")} == CURRENT
