"""Nothing that is read from others breaks its reader: made-up and damaged input, target by target.

`tools/fuzz` runs the same for longer, and shows what broke.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.catalogue import TARGETS
from tests.fuzz.engine import CORPUS, MOST_SECONDS, Target, campaign, made, tried

SEED = 1
LONG_RUNS = 10_000
RUNS = {"stream": 150, "tools": 100, "log": 60}
"""These take the longest for each input; the others try 300."""


def finds_of(target: Target, folder: Path, runs: int, seed: int) -> list[str]:
    return [
        f"{find.number} {find.given[:300]!r}\n{find.problem}" for find in campaign(target, folder, runs, seed)
    ]


@pytest.mark.parametrize("name", TARGETS)
def test_no_made_up_input_breaks(name: str, tmp_path: Path) -> None:
    assert finds_of(TARGETS[name], tmp_path, RUNS.get(name, 300), SEED) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_a_long_campaign_breaks(name: str, tmp_path: Path) -> None:
    assert finds_of(TARGETS[name], tmp_path, LONG_RUNS, SEED + 1) == []


def test_every_folder_of_kept_inputs_is_of_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_and_a_number_make_the_same_input_again(name: str) -> None:
    target = TARGETS[name]
    first = [made(target, 3, number) for number in range(20)]
    assert first == [made(target, 3, number) for number in range(20)]
    assert len(set(first)) > 5


def test_an_input_that_raises_or_takes_too_long_is_a_find() -> None:
    def broken(_: bytes) -> None:
        raise KeyError("x")

    def slow(_: bytes) -> None:
        began = time.process_time()
        while time.process_time() < began + 1.2 * MOST_SECONDS:
            pass

    def calm(_: bytes) -> None:
        pass

    assert "KeyError" in (tried(broken, b"") or "")
    assert "it took" in (tried(slow, b"") or "")
    assert tried(calm, b"") is None
