"""What the courses of a small recorded past come to when settings are others."""

from __future__ import annotations

import pytest
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.whatif.changes import Changes, parse
from claude_pool.adapters.whatif.course import Course
from claude_pool.adapters.whatif.record import Attempted, Call, Life, Record, Window
from claude_pool.adapters.whatif.sums import Sums
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool import SetTargetSlots, StartOwner
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.task import CancelTask
from claude_pool.domain.values import (
    End,
    Limit,
    LimitKind,
    Options,
    Outcome,
    TaskSpec,
    Text,
    Tokens,
    derived_id,
)

NOW = 1_800_000_000_000
SECOND = 1_000


def task_id(number: int) -> str:
    return derived_id("task", str(number))


def done(ms: int = 10 * SECOND, cost: int = 1_000) -> Attempted:
    """An attempt that succeeded."""
    tokens = Tokens(input=1_000, output=1_000)
    outcome = Outcome(End.SUCCEEDED, turns=5, cost=cost, tokens=tokens, model="sonnet")
    return Attempted(1, "slot-0", NOW, "sonnet", ms=ms, outcome=outcome)


def past(*attempts: Attempted | None, slots: int = 1, limit: int | None = None) -> Record:
    """Tasks that came at once, each with its attempt (None: it never had one)."""
    record = Record(end=NOW)
    settings = Settings(slots=slots, options=Options(model="sonnet"))
    start = StartOwner("pool-1", "owner-1", 1, "1", settings, limit, True, NOW)
    record.lives.append(Life(NOW, start))
    for number, attempt in enumerate(attempts):
        name, spec = task_id(number), TaskSpec(Text("work", size=4))
        record.specs[name] = spec
        record.calls.append(Call(NOW, Submit(name, spec, "print", NOW)))
        if attempt is not None:
            record.attempts[name] = [attempt]
    return record


def course(record: Record, *said: str) -> Course:
    return Course(record, parse(said), price_list(), None)


def came_to(record: Record, *said: str) -> Sums:
    return course(record, *said).run()


def elapsed(sums: Sums) -> int:
    assert sums.finished is not None
    return sums.finished - NOW


def test_twice_the_slots_take_half_the_time_and_cost_the_same() -> None:
    record = past(*[done() for _ in range(8)])

    one, two = came_to(record), came_to(record, "slots=2")

    assert (elapsed(one), elapsed(two)) == (80 * SECOND, 40 * SECOND)
    assert one.spent == two.spent == 8_000


def test_a_smaller_budget_ends_what_it_does_not_reach() -> None:
    sums = came_to(past(*[done() for _ in range(8)]), "budget_usd=0.004")

    assert (sums.count("completed"), sums.count("failed"), sums.spent) == (4, 4, 4_000)
    assert {fate.why for fate in sums.fates.values() if fate.state == "failed"} == {"budget_exceeded"}


def test_a_shorter_time_limit_ends_an_attempt_at_that_time_and_at_its_share_of_the_cost() -> None:
    sums = came_to(past(done(ms=10 * SECOND, cost=1_000)), "task_timeout=5")

    fate = sums.fates[task_id(0)]
    assert (fate.state, fate.why) == ("failed", "timed_out_task")
    assert 5 * SECOND <= elapsed(sums) < 6 * SECOND
    assert 400 <= sums.spent <= 600


def test_a_queue_timeout_gives_up_what_does_not_begin_in_time() -> None:
    sums = came_to(past(done(), done(), done()), "queue_timeout=15")

    assert [sums.fates[task_id(n)].why for n in range(3)] == ["", "", "timed_out_queue"]


def test_another_model_costs_the_recorded_tokens_at_its_price() -> None:
    record = past(done())

    sums = came_to(record, "model=opus")

    rates = price_list().rates
    share = (rates("opus").input + rates("opus").output) / (rates("sonnet").input + rates("sonnet").output)
    assert sums.spent == pytest.approx(1_000 * share, abs=1)


def test_an_attempt_that_never_happened_takes_and_costs_what_others_did() -> None:
    made = course(
        past(done(ms=10 * SECOND), done(ms=20 * SECOND, cost=3_000), None, limit=4_000), "budget_usd=none"
    )

    sums = made.run()

    assert (made.substitutes, sums.count("completed"), sums.spent) == (1, 3, 6_000)
    assert elapsed(sums) == 45 * SECOND


def test_where_nothing_tells_what_tasks_take_it_says_so() -> None:
    with pytest.raises(InvalidArgument, match="nothing tells what others would take"):
        came_to(past(None))


def test_who_meets_a_limit_of_the_provider_depends_on_when_it_runs() -> None:
    limit = Limit(LimitKind.USAGE, NOW + 60 * SECOND)
    refused = Outcome(End.FAILED, "provider_limit", "Come back later.", retryable=True, limit=limit)
    record = past(done(), done())
    for attempts in record.attempts.values():
        attempts[0].started_at = NOW + 90 * SECOND
    record.windows.append(Window(NOW + 5 * SECOND, NOW + 60 * SECOND, limit, refused))

    one, two = came_to(record), came_to(record, "slots=2")

    # with one slot the second task begins within the limit, and waits for its end; with two none meets it
    assert (one.attempts, two.attempts) == (3, 2)
    assert elapsed(one) > 60 * SECOND and elapsed(two) == 10 * SECOND


def test_a_caller_cancels_when_it_did() -> None:
    record = past(done(), done())
    record.calls.append(Call(NOW + 15 * SECOND, CancelTask(task_id(1), NOW)))

    assert came_to(record).count("cancelled") == 1
    assert came_to(record, "slots=2").count("cancelled") == 0


def test_slots_that_are_said_stay_whatever_callers_scaled() -> None:
    record = past(*[done() for _ in range(4)])
    record.calls.insert(0, Call(NOW, SetTargetSlots(4)))

    assert elapsed(came_to(record)) == 10 * SECOND
    assert elapsed(came_to(record, "slots=2")) == 20 * SECOND


def test_limits_of_a_day_and_of_a_tag_are_scopes() -> None:
    changes = parse(["day_usd=5", "tag:nightly=none", "budget_usd=none"])

    assert changes == Changes({"budget_usd": None}, {"day": 5_000_000, "tag:nightly": None})


def test_more_slots_than_the_bounds_of_scaling_widen_them() -> None:
    assert parse(["slots=20"]).settings(Settings(max_slots=4)).max_slots == 20
