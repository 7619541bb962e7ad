"""What happened when, from the facts of a log."""

from __future__ import annotations

import pytest
from claude_pool.domain.pool_events import OwnerStarted, OwnerStopped, PoolPaused, PoolResumed, Settings
from claude_pool.domain.records import Event
from claude_pool.domain.task_events import AttemptSucceeded
from claude_pool.domain.timeline import Bar, Sample, Span, Timeline, thinned
from claude_pool.domain.values import End, Outcome

from tests.support.domain_story import NOW, end, outcome, submit, task_name, warmed


def drawn(*events: tuple[Event, int]) -> Timeline:
    """The timeline of facts of the pool at these times."""
    line = Timeline()
    for position, (event, at) in enumerate(events, 1):
        line.observe(position, "pool", position, event, at)
    return line


def owner(name: str) -> OwnerStarted:
    return OwnerStarted(name, 1, "v", Settings())


def test_each_attempt_is_a_bar_in_its_slots_lane() -> None:
    story = warmed(Settings(slots=1, session="slot"))
    done, live = submit(story, 0), submit(story, 1)
    story.settle()
    end(story, done, outcome(cost=7))
    story.settle()
    line = Timeline()
    for r in story.log:
        line.observe(r.position, r.stream, r.version, r.event, r.meta.recorded_at)

    first, second = line.bars.values()
    assert (first.attempt, first.slot_id, first.end, first.cost) == (f"{done}.1", "slot-0", "succeeded", 7)
    assert (second.attempt, second.end, second.ended_at) == (f"{live}.1", "running", None)


@pytest.mark.parametrize(
    ("what", "wanted"),
    [(outcome(End.FAILED), ("failed", "provider_error")), (outcome(), ("succeeded", None))],
)
def test_a_bar_says_how_it_ended(what: Outcome, wanted: tuple[str, str | None]) -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0)
    story.settle()
    end(story, task_id, what)
    line = Timeline()
    for r in story.log:
        line.observe(r.position, r.stream, r.version, r.event, r.meta.recorded_at)

    assert [(bar.end, bar.code) for bar in line.bars.values()] == [wanted]


def test_an_end_without_its_beginning_draws_nothing() -> None:
    line = Timeline()
    line.observe(1, task_name(0), 1, AttemptSucceeded(1, outcome(), NOW), NOW)

    assert line.bars == {}


def test_samples_say_how_things_stood_from_then_on() -> None:
    story = warmed(Settings(slots=1, session="slot"), limit=1_000)
    first = submit(story, 0)
    submit(story, 1)
    story.settle()
    end(story, first, outcome(cost=70))
    line = Timeline()
    for r in story.log:
        line.observe(r.position, r.stream, r.version, r.event, r.position)  # each at a time of its own

    waited = max(line.samples, key=lambda sample: sample.pending)
    assert (waited.pending, waited.running) == (2, 0)
    last = line.samples[-1]
    assert (last.pending, last.running, last.spent, last.reserved, last.limit) == (1, 0, 70, 0, 1_000)
    assert all(one != other for one, other in zip(line.samples, line.samples[1:], strict=False))


def test_several_facts_of_one_time_are_one_sample() -> None:
    line = drawn((owner("a"), 5), (PoolPaused("login"), 5))

    assert [sample.at for sample in line.samples] == [5]


def test_a_pause_is_a_span() -> None:
    line = drawn((owner("a"), 1), (PoolPaused("login"), 2), (PoolResumed(), 9))

    assert line.spans == [Span("paused", 2, 9, "login")]
    assert line.open_spans() == (Span("owner", 1),)


def test_an_owner_that_left_no_word_ended_with_its_last_one() -> None:
    line = drawn((owner("a"), 1), (PoolPaused("login"), 4), (owner("b"), 9), (OwnerStopped(), 11))

    assert line.spans == [Span("owner", 1, 4), Span("owner", 9, 11)]


def test_a_few_samples_are_all_kept() -> None:
    samples = [Sample(at, pending=at) for at in range(5)]

    assert thinned(samples, 5) == samples


@pytest.mark.parametrize("peak", [0, 1, 250, 498, 499])
def test_many_samples_are_thinned_to_those_with_the_longest_queue(peak: int) -> None:
    samples = [Sample(at, pending=50 if at == peak else 0) for at in range(500)]

    kept = thinned(samples, 20)

    assert len(kept) <= 22
    assert (kept[0], kept[-1]) == (samples[0], samples[-1])
    assert samples[peak] in kept
    assert [sample.at for sample in kept] == sorted({sample.at for sample in kept})


def test_samples_of_one_moment_are_thinned_to_one_and_its_ends() -> None:
    samples = [Sample(7, pending=number % 3) for number in range(50)]

    assert len(thinned(samples, 10)) <= 3


def test_a_bar_of_nothing_is_still_running() -> None:
    assert Bar("task-a.1", "task-a", "slot-0", 3).end == "running"
