"""What was once written stays readable, and means what it meant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import msgspec
import pytest
from claude_pool.adapters.store.codec import topic_of
from claude_pool.adapters.store.registry import all_events, default_codec

ROOT = Path(__file__).parents[4]
FILES = sorted((ROOT / "tests" / "golden" / "events").glob("*.json"))
CURRENT = {topic_of(event) for event in all_events()}


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
            now = json.loads(json.dumps(msgspec.to_builtins(event)))
            assert _as_then(now, example["means"]) == example["means"], changed
            assert codec.encode(event, meta) == (topic, example["envelope"].encode()), changed


def _as_then(now: object, then: object) -> object:
    """`now` without the fields that have come since, whose defaults show in the encoding."""
    if not (isinstance(now, dict) and isinstance(then, dict)):
        return cast(object, now)
    present, past = cast("dict[str, object]", now), cast("dict[str, object]", then)
    return {name: _as_then(present[name], past[name]) for name in present if name in past}


def test_a_golden_file_is_never_written_again(tmp_path: Path) -> None:
    topic = min(CURRENT)
    (tmp_path / f"{topic}.json").write_text("kept")

    subprocess.run(
        [sys.executable, ROOT / "tools" / "golden_events.py", "--directory", tmp_path],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip

    assert (tmp_path / f"{topic}.json").read_text() == "kept"
    assert {path.stem for path in tmp_path.glob("*.json")} == CURRENT
