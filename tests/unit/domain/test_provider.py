"""Limits of the provider: they hold the account, and no task fails of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import provider, task
from claude_pool.domain.attempts import Claim
from claude_pool.domain.claims import claim_for
from claude_pool.domain.coordination import Resume
from claude_pool.domain.errors import WrongState
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import (
    PoolPaused,
    ProviderLimited,
    ProviderServed,
    Settings,
)
from claude_pool.domain.provider import Pause, Provider
from claude_pool.domain.reasons import waiting_for, waiting_until
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.task_board import task_card
from claude_pool.domain.values import End, Limit, LimitKind, Outcome, Tokens

from tests.support.domain_story import (
    NOW,
    Story,
    answer_clears,
    answer_launches,
    end,
    outcome,
    spec,
    submit,
    warmed,
)

MINUTE = 60_000
HALF_HOUR = NOW + 30 * MINUTE
USAGE = Limit(LimitKind.USAGE, HALF_HOUR)
BLIND = Limit(LimitKind.USAGE)
RATE = Limit(LimitKind.RATE)
OVERLOADED = Limit(LimitKind.OVERLOADED)
UNREACHABLE = Limit(LimitKind.UNREACHABLE)
LOGIN = Limit(LimitKind.LOGIN)
BILLING = Limit(LimitKind.BILLING)


def limited(limit: Limit, cost: int = 0) -> Outcome:
    """What comes of an attempt that meets a limit."""
    code = {LimitKind.LOGIN: "not_logged_in", LimitKind.OVERLOADED: "provider_error"}.get(limit.kind)
    what = outcome(
        End.FAILED, code or "provider_limit", cost=cost, retryable=limit.kind is not LimitKind.LOGIN
    )
    return replace(what, limit=limit)


def at_work(slots: int = 1, tasks: int = 1) -> tuple[Story, list[str]]:
    """A pool with so many slots and tasks, as many at work as there can be."""
    story = warmed(Settings(slots=slots))
    names = [submit(story, number) for number in range(tasks)]
    go_on(story)
    return story, names


def go_on(story: Story, now: int = NOW) -> None:
    """Processes answer and policies react until nothing moves."""
    for _ in range(4):
        story.settle(now)
        answer_launches(story)
        answer_clears(story)
    story.settle(now)


def paused(story: Story) -> Pause:
    """The pause that stands."""
    at = story.world.open_pool().paused
    assert at is not None
    return at


def facts_of(story: Story, kind: type[ProviderLimited] | type[PoolPaused] | type[ProviderServed]) -> int:
    """How many facts of one kind the pool's stream holds."""
    return sum(isinstance(event, kind) for event in story.events_of("pool"))


def test_a_limit_parks_its_task_and_pauses_the_pool_in_one_append() -> None:
    story, (task_id,) = at_work()

    facts = end(story, task_id, limited(LOGIN, cost=3))

    assert [fact.event.NAME for fact in facts] == [
        "attempt.failed", "task.parked", "funds.settled", "slot.released", "provider.limited", "pool.paused",
    ]  # fmt: skip
    assert story.world.tasks[task_id] == task.Parked(story.world.tasks[task_id].job, "not_logged_in", None)
    assert paused(story) == Pause("not_logged_in", None)


def test_a_limited_attempt_uses_up_no_retry_and_is_no_fault_of_its_slot() -> None:
    story, (task_id,) = at_work()
    live = story.running(task_id)
    end(story, task_id, limited(USAGE), alive=False)

    assert story.world.tasks[task_id].job.failures == 0
    assert story.world.slots[live.slot_id].card.restarts == 0


def test_the_limit_itself_is_on_record_with_what_was_said() -> None:
    story, (task_id,) = at_work()
    end(story, task_id, replace(limited(USAGE), message="x" * 600))

    known = story.world.open_pool().provider.limited
    assert known == ProviderLimited(LimitKind.USAGE, HALF_HOUR, f"{task_id}.1", "x" * 500, NOW)


def test_a_usage_limit_holds_until_its_reset_and_at_most_a_second_and_a_half_longer() -> None:
    story, (task_id, waiting) = at_work(tasks=2)
    end(story, task_id, limited(USAGE))
    story.settle()
    answer_clears(story)

    until = paused(story).until
    assert until is not None and HALF_HOUR <= until <= HALF_HOUR + provider.JITTER_MS
    assert next_wake(story.world) == until
    for each in (task_id, waiting):
        state = story.world.tasks[each]
        assert waiting_for(story.world, state) == "provider_limit"
        assert waiting_until(story.world, state) == task_card(state, NOW, story.world).until == until


def test_at_the_reset_the_parked_and_the_pending_run() -> None:
    story, (task_id, waiting) = at_work(slots=2, tasks=2)
    for each in (task_id, waiting):
        end(story, each, limited(USAGE))
    story.settle()
    assert not story.world.running

    go_on(story, paused(story).until or 0)

    assert set(story.world.running) == {task_id, waiting}
    assert story.world.open_pool().paused is None


def test_pools_do_not_wake_at_the_same_moment() -> None:
    ends = {provider.on_limit(Provider(), None, USAGE, "a", "", 1, f"pool-{n}", NOW)[-1] for n in range(9)}
    assert len(ends) == 9


@pytest.mark.parametrize("said", [NOW, NOW - MINUTE, NOW + 9 * 24 * 60 * MINUTE, -5, 10**30])
def test_a_reset_that_cannot_be_true_is_none(said: int) -> None:
    story, (task_id,) = at_work()
    end(story, task_id, limited(Limit(LimitKind.USAGE, said)))

    assert paused(story).until == NOW + provider.UNKNOWN_USAGE_MS


def test_after_a_usage_limit_without_a_time_one_attempt_tries_it() -> None:
    story, names = at_work(slots=3, tasks=3)
    for each in names:
        end(story, each, limited(BLIND))
    until = paused(story).until
    assert until == NOW + provider.UNKNOWN_USAGE_MS

    go_on(story, until)
    assert len(story.world.running) == 1
    (first,) = story.world.running
    kept = next(iter(story.world.pending))[2]
    assert waiting_for(story.world, story.world.tasks[kept]) == "provider_slow"
    end(story, first, now=until)
    go_on(story, until)
    assert len(story.world.running) == 2


@pytest.mark.parametrize(("strikes", "seconds"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (90, 60)])
def test_an_overload_waits_longer_each_time(strikes: int, seconds: int) -> None:
    facts = provider.on_limit(Provider(strikes=strikes), None, OVERLOADED, "a", "", 4, "pool-1", NOW)

    assert facts[-1] == PoolPaused("provider_limit", NOW + seconds * 1_000)
    assert provider.evolve(Provider(), facts[0]) == Provider("", strikes + 1, 2, facts[0])  # type: ignore[arg-type]  # the first fact is the limit


@pytest.mark.parametrize("limit", [RATE, OVERLOADED])
def test_the_attempts_of_one_wave_halve_what_may_run_once(limit: Limit) -> None:
    story, names = at_work(slots=4, tasks=4)
    for each in names:
        end(story, each, limited(limit))

    known = story.world.open_pool().provider
    assert (known.strikes, known.concurrency) == (1, 2)
    assert (facts_of(story, ProviderLimited), facts_of(story, PoolPaused)) == (4, 1)


def test_what_may_run_grows_with_each_success_until_all_slots_may_work() -> None:
    story, names = at_work(slots=4, tasks=8)
    for each in names[:4]:
        end(story, each, limited(RATE))
    until = paused(story).until or 0
    seen: list[int] = []
    for _ in range(3):
        go_on(story, until)
        seen.append(len(story.world.running))
        end(story, next(iter(story.world.running)), now=until)

    assert seen == [2, 3, 4]
    assert story.world.open_pool().provider == Provider("", 0, None, story.world.open_pool().provider.limited)


def test_a_rate_limit_with_a_time_slows_nothing_down() -> None:
    facts = provider.on_limit(Provider(), None, Limit(LimitKind.RATE, NOW + 5_000), "a", "", 8, "pool-1", NOW)

    assert facts[0] == ProviderLimited(LimitKind.RATE, NOW + 5_000, "a", "", NOW)


def test_nothing_more_can_be_claimed_by_hand_while_the_pool_is_slowed() -> None:
    story, names = at_work(slots=2, tasks=3)
    for each in names[:2]:
        end(story, each, limited(OVERLOADED))
    go_on(story, paused(story).until or 0)
    (busy,) = (state.live.slot_id for state in story.world.tasks.values() if isinstance(state, task.Running))
    free = next(slot_id for slot_id in story.world.slots if slot_id != busy)

    with pytest.raises(WrongState, match="slowed down"):
        claim_for(story.world, free, Surroundings({}), NOW)
    with pytest.raises(WrongState, match="bears 1 at once"):
        story.do(Claim(next(iter(story.world.pending))[2], free, "", NOW))


def test_a_task_waits_out_three_overloads_in_a_row_and_then_fails_as_it_always_did() -> None:
    story, (task_id,) = at_work()
    now = NOW
    for _ in range(provider.OVERLOADS_BORNE):
        end(story, task_id, limited(OVERLOADED), now=now)
        now = paused(story).until or 0
        go_on(story, now)
    end(story, task_id, limited(OVERLOADED), now=now)

    failed = story.state_of(task_id)
    assert isinstance(failed, task.Failed)
    assert (failed.code, failed.retryable, len(failed.job.attempts)) == ("provider_error", True, 4)
    assert failed.job.attempts[-1].outcome.limit is None


def test_after_three_overloads_a_retry_counts_and_overloads_are_counted_anew() -> None:
    story = warmed(Settings(slots=1))
    task_id = submit(story, 0, spec(retries=1))
    now = NOW
    for _ in range(4):
        go_on(story, now)
        end(story, task_id, limited(OVERLOADED), now=now)
        now = paused(story).until or 0

    state = story.world.tasks[task_id]
    assert isinstance(state, task.Parked) and state.reason == "backoff"
    assert (state.job.failures, state.job.overloads) == (1, 0)


def test_a_usage_limit_is_waited_out_however_often_it_comes() -> None:
    story, (task_id,) = at_work()
    now = NOW
    for _ in range(6):
        end(story, task_id, limited(BLIND), now=now)
        now = paused(story).until or 0
        go_on(story, now)

    assert task_id in story.world.running
    assert story.world.tasks[task_id].job.failures == 0


@pytest.mark.parametrize("code", ["timed_out_task", "task_budget_reached"])
def test_an_attempt_that_was_ended_for_another_reason_fails_of_that(code: str) -> None:
    story, (task_id,) = at_work()
    story.do(task.InterruptAttempt(task_id, 1, code, NOW))
    end(story, task_id, limited(USAGE))

    failed = story.state_of(task_id)
    assert isinstance(failed, task.Failed) and failed.code == code
    assert paused(story).reason == "provider_limit"


def test_a_cancelled_task_stays_cancelled_and_its_limit_holds_the_others() -> None:
    story, (task_id,) = at_work()
    story.do(task.CancelTask(task_id, NOW))
    end(story, task_id, limited(LOGIN))

    assert isinstance(story.state_of(task_id), task.Cancelled)
    assert paused(story).reason == "not_logged_in"


def test_a_parked_task_says_what_the_provider_said() -> None:
    story, (task_id,) = at_work()
    end(story, task_id, replace(limited(LOGIN), message="Invalid API key"))

    error = task_card(story.world.tasks[task_id], NOW, story.world).error
    assert error is not None
    assert (error.code, error.message, error.retryable) == ("not_logged_in", "Invalid API key", True)


def test_a_hold_of_a_log_whose_clock_was_wrong_does_not_last() -> None:
    known = Provider(limited=ProviderLimited(LimitKind.RATE, None, "a", "", NOW))
    pause = Pause("provider_limit", NOW + 1_000)

    assert [provider.over(pause, known, NOW - ms) for ms in (-1_000, 0, 2_000, 2_001, 60 * MINUTE)] == [
        True, False, False, True, True,
    ]  # fmt: skip


def test_a_pause_of_somebodys_own_ends_by_its_own_time_only() -> None:
    known = Provider(limited=ProviderLimited(LimitKind.RATE, None, "a", "", NOW))

    assert not provider.over(Pause("lunch", NOW), known, NOW - 60 * MINUTE)
    assert not provider.over(Pause("not_logged_in", None), known, NOW + 60 * MINUTE)


@pytest.mark.parametrize(
    ("limit", "before", "waits"),
    [
        (RATE, [RATE] * 29, True),
        (RATE, [RATE] * 30, False),
        (RATE, [RATE] * 20 + [OVERLOADED] + [RATE] * 20, True),
        (Limit(LimitKind.RATE, HALF_HOUR), [RATE] * 30, True),
        (RATE, [RATE] * 5 + [Limit(LimitKind.RATE, HALF_HOUR)] + [RATE] * 29, True),
        (USAGE, [USAGE] * 99, True),
    ],
)
def test_a_task_that_meets_a_limit_of_the_rate_without_an_end_too_often_fails(
    limit: Limit, before: list[Limit], waits: bool
) -> None:
    assert (provider.waits_for(limited(limit), [limited(each) for each in before]) is not None) is waits


def test_a_day_without_a_way_to_the_provider_is_waited_out_but_not_for_ever() -> None:
    unserved = replace(limited(UNREACHABLE), tokens=Tokens())
    before = [unserved] * 1_499
    assert provider.waits_for(unserved, before) == "provider_limit"
    assert provider.waits_for(unserved, [*before, unserved]) is None


def test_answers_that_cost_and_break_off_are_not_bought_again_and_again() -> None:
    cut = replace(limited(UNREACHABLE), tokens=Tokens(input=7))
    assert provider.waits_for(cut, [cut] * 2) == "provider_limit"
    assert provider.waits_for(cut, [cut] * 3) is None


def test_a_provider_that_nobody_reaches_slows_the_pool_and_fails_nothing() -> None:
    story, names = at_work(slots=2, tasks=4)
    for name in names[:2]:
        end(story, name, replace(limited(UNREACHABLE), tokens=Tokens()))
    assert paused(story) == Pause("provider_limit", NOW + 1_000)
    assert story.world.open_pool().provider.concurrency == 1
    assert all(isinstance(story.world.tasks[name], task.Parked) for name in names[:2])


def test_whoever_resumes_the_pool_lets_all_slots_work_again() -> None:
    story, names = at_work(slots=3, tasks=3)
    end(story, names[0], limited(OVERLOADED))
    assert story.world.open_pool().provider.concurrency == 1
    story.do(Resume())
    assert story.world.open_pool().provider == replace(
        story.world.open_pool().provider, concurrency=None, strikes=0
    )
    assert story.world.open_pool().paused is None
