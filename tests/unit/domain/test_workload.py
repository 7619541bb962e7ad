"""The present work as a forecast sees it."""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.acceptance import SubmitChain
from claude_pool.domain.chain_events import EndingBegun, Plan
from claude_pool.domain.histories import Traits
from claude_pool.domain.ledger import SetLimits
from claude_pool.domain.pool_events import PoolPaused, ProviderServed, Settings
from claude_pool.domain.provider import PROVIDER_LIMIT
from claude_pool.domain.records import Fact
from claude_pool.domain.simulation import DAY_MS, Allowance, Queue, Seat, Work
from claude_pool.domain.values import End, Options
from claude_pool.domain.workload import workload

from tests.support.domain_chains import CHAIN, MADE, plan, step, step_task
from tests.support.domain_story import (
    NOW,
    Story,
    answer_launches,
    end,
    opened,
    outcome,
    spec,
    submit,
    task_name,
    warmed,
    wear_out,
)

TWO = Settings(slots=2, session="slot")


def seen(story: Story, now: int = NOW, owned: bool = True) -> Queue:
    """The queue as it is."""
    return workload(story.world, now, owned)


def chained(story: Story, accepted: Plan) -> None:
    """Have the pool accept a chain, and let it start."""
    story.do(SubmitChain(CHAIN, accepted, "fingerprint", NOW))
    story.settle()


def test_an_empty_log_has_no_work() -> None:
    queue = seen(Story(), owned=False)
    assert (queue.works, queue.left_out) == ((), 0)


def test_what_runs_has_a_seat_and_has_used_some_of_its_time() -> None:
    story = warmed(replace(TWO, task_timeout_ms=60_000), limit=1_000)
    submit(story, 0, spec(options=Options(model="opus"), max_budget=400))
    story.settle()
    (work,) = seen(story, NOW + 7_000).works
    assert work == Work(
        Traits("opus"), seat=0, ran_ms=7_000, held=400, most_ms=53_000, most_cost=400
    )  # fmt: skip
    assert seen(story, NOW + 7_000).unspent == 1_000
    assert seen(story, NOW + 70_000).works[0].most_ms == 0


def test_what_waits_is_in_claim_order() -> None:
    story = warmed(Settings(slots=1, session="slot", options=Options(model="haiku")))
    for number, order in enumerate((spec(), spec(), spec(priority=1), spec(slot="slot-0", retries=2))):
        submit(story, number, replace(order, tags=(str(number),)))
        story.settle()
    works = seen(story).works
    assert [work.traits.tags for work in works] == [("2",), ("0",), ("1",), ("3",)]
    assert works[0] == Work(Traits("haiku", tags=("2",)))
    assert (works[1].seat, works[3].target) == (0, "slot-0")


def test_earlier_attempts_count_and_leave_less_of_the_limits() -> None:
    story = warmed(replace(TWO, task_timeout_ms=60_000))
    task_id = submit(story, 0, spec(retries=2, max_budget=100))
    story.settle()
    end(story, task_id, outcome(End.FAILED, retryable=True, cost=30), now=NOW + 5_000)
    (work,) = seen(story, NOW + 5_000).works
    assert work.not_before > NOW + 5_000
    assert (work.ran_ms, work.paid, work.most_ms, work.most_cost) == (5_000, 30, 120_000, 70)


def test_a_prompt_made_of_a_skill_is_known_by_the_skill_alone() -> None:
    story = warmed(TWO)
    submit(story, 0, replace(spec(), skill="review@0123456789abcdef"))
    assert seen(story).works[0].traits == Traits(skill="review")


def test_what_waits_for_someone_is_left_out() -> None:
    story = warmed(TWO)
    judged, asked = submit(story, 0, replace(spec(), review=2)), submit(story, 1)
    story.settle()
    end(story, judged)
    story.do(task.SealAttempt(asked, outcome(End.INTERRUPTED), NOW))
    waits = submit(story, 2)
    story.do(task.ParkTask(waits, "question"))
    queue = seen(story)
    assert (queue.works, queue.left_out) == ((), 3)


def test_what_waits_for_money_of_others_is_in_the_queue() -> None:
    story = warmed(TWO)
    story.do(task.ParkTask(submit(story, 0), "budget"))
    story.do(task.ParkTask(submit(story, 1), "backoff", NOW + 500))
    assert [work.not_before for work in seen(story).works] == [0, NOW + 500]


def test_steps_that_have_no_task_yet_need_those_before() -> None:
    story = warmed(TWO)
    chained(story, plan(step("a"), step("b", "a"), step("c", "a", "b"), tags=("nightly",)))
    submit(story, 0)
    works = seen(story).works
    assert [work.traits.step for work in works] == ["a", None, "b", "c"]
    assert [work.needs for work in works] == [(), (), (0,), (0, 2)]
    assert works[2].traits == Traits(step="b", tags=("nightly",))
    story.settle()
    end(story, step_task("a"))
    assert [work.needs for work in seen(story).works] == [(), (), (1,)]


def test_steps_in_a_copy_of_the_repository_run_one_after_another() -> None:
    story = warmed(TWO)
    chained(story, plan(step("a", "b"), step("b"), step("c"), isolation="worktree"))
    works = seen(story).works
    assert [(work.traits.step, work.needs) for work in works] == [("b", ()), ("a", (0,)), ("c", (1,))]
    story.do(chain.RecordWorkplace(CHAIN, MADE, NOW))
    works = seen(story).works
    assert [(work.traits.step, work.needs) for work in works] == [("b", ()), ("a", (0,)), ("c", (1,))]


def test_steps_that_need_someone_or_will_be_skipped_are_no_work() -> None:
    story = warmed(TWO)
    chained(story, plan(step("a", review=2), step("b", "a"), step("c", "b"), step("d")))
    end(story, step_task("a"))
    queue = seen(story)
    assert ([work.traits.step for work in queue.works], queue.left_out) == (["d"], 3)
    story.append(Fact(CHAIN, EndingBegun("cancelled")))
    queue = seen(story)
    assert ([work.traits.step for work in queue.works], queue.left_out) == (["d"], 1)


def test_slots_that_fail_or_leave_take_no_work_and_missing_ones_come() -> None:
    story = warmed(Settings(slots=3, max_slots=4, session="slot"))
    story.do(slot.DrainSlot("slot-1"))
    assert seen(story).seats == (
        Seat("slot-0"),
        Seat("slot-1", leaves=True),
        Seat("slot-2"),
        Seat("further-0"),
    )
    story.do(slot.RecordProcessEnded("slot-1", True, 0, 0, "", NOW))
    submit(story, 0, spec(slot="slot-2"))
    story.settle()
    story.do(slot.ConfigureSlot("slot-2", role="reviewer"))
    story.do(slot.DrainSlot("slot-2"))
    queue = seen(story)
    names = ("slot-0", "slot-2", "slot-3", "further-0")
    assert queue.seats == tuple(
        Seat(name, "reviewer" if name == "slot-2" else None, name == "slot-2") for name in names
    )
    assert queue.works[0].seat == 1


def test_a_failed_slot_is_missed_only_by_the_next_owner() -> None:
    story = opened(Settings(slots=1))
    story.settle()
    answer_launches(story)
    wear_out(story)
    assert isinstance(story.world.slots["slot-0"], slot.Failed)
    assert seen(story).seats == ()
    assert seen(story, owned=False).seats == (Seat("slot-0"),)


def test_without_an_owner_the_next_one_starts_now() -> None:
    story = warmed(TWO)
    runs, waits = submit(story, 0), submit(story, 1)
    story.settle()
    end(story, waits)
    waits = submit(story, 2, spec(slot="slot-1"))
    queue = seen(story, owned=False)
    assert task_name(0) == runs and waits == task_name(2)
    assert (queue.assumes, queue.left_out) == (("an owner starts now",), 1)
    assert ([work.target for work in queue.works], len(queue.seats)) == (["slot-1"], 2)
    assert len(seen(opened(Settings(slots=3)), owned=False).seats) == 3


def test_what_the_provider_holds_goes_on_when_its_pause_is_over_a_few_at_a_time() -> None:
    story = warmed(TWO)
    story.append(Fact("pool", PoolPaused(PROVIDER_LIMIT, NOW + 900)), Fact("pool", ProviderServed(1)))
    story.do(task.ParkTask(submit(story, 0), PROVIDER_LIMIT))
    queue = seen(story)
    assert (len(queue.works), queue.left_out) == (1, 0)
    assert (queue.closed, queue.at_once) == (((NOW, NOW + 900),), 1)


def test_a_limit_of_the_day_is_full_again_tomorrow() -> None:
    story = warmed(TWO)
    assert seen(story).daily is None
    story.do(SetLimits("day", 500, None))
    done = submit(story, 0)
    story.settle()
    end(story, done, outcome(cost=120))
    assert seen(story).daily == Allowance(500, 380, DAY_MS)
    assert seen(story, DAY_MS + 7).daily == Allowance(500, 500, 2 * DAY_MS)


def test_a_pause_is_a_closed_window_or_something_to_be_done_first() -> None:
    story = warmed(TWO)
    story.do(pool.PausePool("usage limit", NOW + 900))
    assert (seen(story).closed, seen(story).assumes) == (((NOW, NOW + 900),), ())
    story.do(pool.ResumePool())
    story.do(pool.PausePool("not_logged_in"))
    assert seen(story).closed == ()
    assert seen(story).assumes == ("someone resumes the pool now, which is paused (not_logged_in)",)
    story.do(pool.StopOwner())
    assert seen(story).assumes[0] == "the next owner starts now"
