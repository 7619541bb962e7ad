"""An owner killed around any append loses nothing that was told, and runs nothing twice unknowingly.

The default run takes a few points of each scenario, `CLAUDE_POOL_TEST_SEED` other ones; `--long` takes all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.crash_matrix import DEEP, Point, Report, boundaries, deep_points, points, sample, try_point
from tests.faults.crash_pool import Breeder, Kill, breeding
from tests.faults.crash_scenarios import SCENARIOS

SAMPLE = 3
SEED = os.environ.get("CLAUDE_POOL_TEST_SEED", "1")


@pytest.fixture(scope="module")
def breeder() -> Iterator[Breeder]:
    with breeding() as made:
        yield made


def trials(breeder: Breeder, wanted: list[Point]) -> list[Report]:
    """The reports of points, all without a fault."""
    reports = [try_point(breeder, point) for point in wanted]
    found = {str(report.point): report.faults for report in reports if report.faults}
    assert not found
    return reports


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_owner_killed_at_an_append_loses_nothing_and_runs_nothing_twice(
    breeder: Breeder, name: str
) -> None:
    reports = trials(breeder, sample(name, SAMPLE, SEED))
    assert any(report.reached for report in reports), "no owner died where it was to"


@pytest.mark.parametrize("name", DEEP)
def test_an_owner_killed_while_it_recovers_is_recovered_from_as_well(breeder: Breeder, name: str) -> None:
    half = Kill("after", SCENARIOS[name].appends // 2 + 1)
    [report] = trials(breeder, [Point(name, (half, Kill("after", 1)))])
    assert report.reached == 2


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SCENARIOS)
def test_an_owner_may_be_killed_at_every_append_in_every_phase(breeder: Breeder, name: str) -> None:
    wanted = list(points(name, boundaries(breeder, name)))
    reports = trials(breeder, wanted)
    assert sum(report.reached for report in reports) >= 0.9 * len(wanted)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", DEEP)
def test_a_recovering_owner_may_be_killed_at_every_append_as_well(breeder: Breeder, name: str) -> None:
    trials(breeder, list(deep_points(name, boundaries(breeder, name))))
