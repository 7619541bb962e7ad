"""The whole core as a state machine; see `tests.support.domain_machine`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.domain_machine import CoreMachine

UNHURRIED = (HealthCheck.too_slow, HealthCheck.filter_too_much)


@pytest.mark.timeout(600)  # it waits for nothing, but takes its time where many others work
@pytest.mark.no_cover  # traced it takes three times as long, and covers nothing that no other test does
def test_no_sequence_of_events_breaks_an_invariant() -> None:
    """Some dozens of stories, each of some dozens of steps."""
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]  # hypothesis leaves it untyped
        CoreMachine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=UNHURRIED
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_no_long_sequence_of_events_breaks_an_invariant() -> None:
    """Thousands of longer stories."""
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]  # hypothesis leaves it untyped
        CoreMachine,
        settings=settings(
            max_examples=3_000, stateful_step_count=80, deadline=None, suppress_health_check=UNHURRIED
        ),
    )
