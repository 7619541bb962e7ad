"""The simulation: many seeds break nothing, and a seed says everything about its run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .campaign import CHUNK, main, run, summary
from .faults import KINDS
from .simulation import simulate

ROOT = Path(__file__).parents[2]
SEEDS = 600
"""Each planted bug is found within fewer, see `test_planted_bugs`."""

LAST = range(SEEDS - 300, SEEDS)
"""So many are needed for all kinds of faults."""


@pytest.mark.parametrize("first", range(0, LAST.start, CHUNK))
def test_no_seed_breaks_what_must_hold(first: int) -> None:
    tally = run(range(first, first + CHUNK))

    assert not tally.broken, tally.broken[0]
    assert tally.events > 50 * CHUNK


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_no_seed_of_a_long_campaign_breaks_what_must_hold() -> None:
    tally = run(range(SEEDS, SEEDS + 20_000))

    assert not tally.broken, tally.broken[0]


def test_all_kinds_of_faults_strike() -> None:
    tally = run(LAST)

    assert not tally.broken, tally.broken[0]
    assert len(KINDS) >= 25
    assert set(KINDS) - set(tally.struck) == set()


def test_a_seed_gives_the_same_log_every_time() -> None:
    first = [simulate(seed).log.digest() for seed in range(20)]

    assert [simulate(seed).log.digest() for seed in range(20)] == first
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_a_seed_gives_the_same_log_in_another_process(hash_seed: str) -> None:
    told = subprocess.run(
        [sys.executable, "tools/sim", "--seed", "7"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.splitlines()[-1] == f"log {simulate(7).log.digest()}"


def test_a_campaign_tells_what_it_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "0..3"]) == 0

    assert capsys.readouterr().out.startswith("4 seeds, 0 broken; ")
    assert summary(run(())).startswith("0 seeds, 0 broken; 0 events")


def test_a_run_can_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3", "--verbose"]) == 0

    assert "SlotAdded" in capsys.readouterr().out
