"""`replay --what-if`: the table, the JSON, and what it does not take."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stand_in import Bench

from .test_replay import a_log

KEPT = Path(__file__).parents[3] / "golden" / "logs" / "0.2.0"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench with the kept log of a version."""
    made = Bench(tmp_path)
    shutil.copytree(KEPT, made.places.state_dir, dirs_exist_ok=True)
    yield made
    made.close()


def test_it_holds_what_happened_beside_what_would_have(bench: Bench) -> None:
    ended = bench.run("replay", "--what-if", "budget_usd=0.002")

    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["AS", "IT", "WAS", "WHAT", "IF"]
    assert any(line.split() == ["completed", "6", "4"] for line in lines)
    assert "replayed as it was: finish equal, spend equal, every task ended as it did" in lines
    assert any(line.endswith("refused        budget_exceeded") for line in lines)


def test_several_are_one_scenario(bench: Bench) -> None:
    ended = bench.run("replay", "--json", "--what-if", "slots=4", "--what-if", "task_timeout=none")

    told = json.loads(ended.stdout)
    assert told["settings"] == {"slots": 4, "task_timeout": None}
    assert told["what_if"]["completed_tasks"] == 6


def test_it_goes_up_to_a_position_only(bench: Bench) -> None:
    ended = bench.run("replay", "--json", "--what-if", "slots=4", "--until", "40")

    told = json.loads(ended.stdout)
    assert 0 < told["tasks"] < 11


def test_nothing_is_written(bench: Bench) -> None:
    before = Path(bench.places.log).read_bytes()

    bench.run("replay", "--what-if", "slots=4")

    assert (Path(bench.places.log).read_bytes(), bench.pids()) == (before, [])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("slots=0", "--what-if slots: '0' is not a whole number of slots from 1 to 1000"),
        ("slot=3", "there is no setting 'slot'; did you mean 'slots'?; what can be otherwise is slots, "),
        ("claude=/bin/false", "claude changes nothing that the log can tell; what can be otherwise is slots"),
        ("slots", "'slots' is no NAME=VALUE; say slots=8"),
        ("budget_usd=-1", "--what-if budget_usd: "),
        ("day_usd=lots", "--what-if day_usd: "),
        ("min_slots=30", "16 slots are not between min_slots 30 and max_slots 16"),
    ],
)
def test_a_setting_that_is_none_is_refused(bench: Bench, said: str, told: str) -> None:
    ended = bench.run("replay", "--what-if", said)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("[invalid_argument] ") and told in ended.stderr


def test_a_name_that_is_said_twice_is_refused(bench: Bench) -> None:
    ended = bench.run("replay", "--what-if", "slots=2", "--what-if", "slots=3")

    assert (ended.returncode, "slots is said twice" in ended.stderr) == (2, True)


def test_a_log_without_tasks_is_refused(bench: Bench) -> None:
    ended = bench.run("replay", "--what-if", "slots=2", "--until", "3")

    assert (ended.returncode, "there is nothing to replay" in ended.stderr) == (2, True)


def test_a_log_without_an_owner_is_refused(tmp_path: Path) -> None:
    with a_log(tmp_path) as made:
        ended = made.bench.run("replay", "--what-if", "slots=2")

    assert (ended.returncode, "no owner has run" in ended.stderr) == (2, True)
