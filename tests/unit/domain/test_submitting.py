"""What the pool accepts, and what it refuses at once because it could never run."""

from __future__ import annotations

import pytest
from claude_pool.domain import ledger, pool, slot, task
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.errors import (
    BudgetExceeded,
    CliMissing,
    Draining,
    InvalidArgument,
    PoolError,
    SessionBusy,
    SlotsFailed,
    WrongState,
)
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotQuarantined
from claude_pool.domain.task_events import TaskSubmitted
from claude_pool.domain.values import Options, TaskSpec

from tests.support.domain_story import NOW, Story, opened, session_name, spec, submit, task_name, warmed


def refused(story: Story, order: TaskSpec, error: type[PoolError], fragment: str = ".") -> None:
    """The task is refused, and nothing changes."""
    before = len(story.log)
    with pytest.raises(error, match=fragment):
        submit(story, 9, order)
    assert len(story.log) == before


def quarantine(story: Story, slot_id: str, code: str, problem: str) -> None:
    """The slot's process ends, and the slot is out of service."""
    story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))
    story.append(Fact(slot_id, SlotQuarantined(code, problem)))


def test_an_accepted_task_is_on_record_with_its_order() -> None:
    story = warmed()
    order = spec(priority=2)
    facts = story.do(Submit(task_name(0), order, "fingerprint", NOW))
    assert facts == (Fact(task_name(0), TaskSubmitted(task_name(0), order, "fingerprint", NOW)),)


def test_the_same_id_is_not_accepted_twice() -> None:
    story = warmed()
    submit(story, 9)
    refused(story, spec(), WrongState, "it was submitted before")


@pytest.mark.parametrize("mode", ["finish", "cancel"])
def test_a_draining_pool_accepts_nothing(mode: str) -> None:
    story = warmed()
    story.do(pool.StartDrain(mode))
    refused(story, spec(), Draining)


def test_a_stopping_owner_accepts_nothing() -> None:
    story = warmed()
    story.do(pool.StopOwner())
    refused(story, spec(), Draining)


def test_a_paused_pool_accepts_work_for_later() -> None:
    story = warmed()
    story.do(pool.PausePool("provider_limit"))
    submit(story, 0)
    story.settle()
    assert len(story.world.pending) == 1


def test_a_task_dearer_than_what_is_left_is_refused() -> None:
    refused(warmed(limit=100), spec(max_budget=101), BudgetExceeded, r"limit \$0\.000100, needed \$0\.000101")


def test_the_pools_limit_for_a_task_counts_like_its_own() -> None:
    refused(warmed(Settings(task_budget=101), limit=100), spec(), BudgetExceeded, r"needed \$0\.000101")


def test_the_tasks_own_limit_goes_before_the_pools() -> None:
    story = warmed(Settings(task_budget=101), limit=100)
    submit(story, 0, spec(max_budget=100))
    assert len(story.world.pending) == 1


def test_money_that_is_only_set_aside_is_no_reason_to_refuse() -> None:
    story = warmed(limit=100)
    submit(story, 0, spec(max_budget=100))
    story.settle()
    submit(story, 1, spec(max_budget=100))
    assert len(story.world.pending) == 1


def test_with_nothing_left_no_task_is_accepted() -> None:
    story = warmed(limit=100)
    story.do(ledger.ChargeFunds("slot-0", 100, "unsolicited"))
    refused(story, spec(), BudgetExceeded, r"\$0\.000100 spent")


@pytest.mark.parametrize("amount", [0, -1])
def test_a_budget_of_nothing_is_refused(amount: int) -> None:
    refused(warmed(), spec(max_budget=amount), InvalidArgument, "max_budget_usd: a budget is above 0")


def test_a_budget_of_one_microdollar_is_a_budget() -> None:
    story = warmed()
    submit(story, 0, spec(max_budget=1))
    assert len(story.world.pending) == 1


def test_forking_a_busy_conversation_is_refused() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    session = story.running(task_id).session
    refused(story, spec(session=f"fork:{session}"), SessionBusy, session)


def test_resuming_a_busy_conversation_is_accepted_and_waits() -> None:
    story = warmed()
    session = story.running(_started(story)).session
    submit(story, 1, spec(session=f"resume:{session}"))
    story.settle()
    assert list(story.world.pending)


def _started(story: Story) -> str:
    task_id = submit(story, 0)
    story.settle()
    return task_id


def test_a_conversation_is_not_continued_in_another_directory() -> None:
    story = warmed(Settings(working_dir="/project"))
    order = spec(session=f"resume:{session_name(1)}")
    with pytest.raises(InvalidArgument, match="belongs to /other"):
        story.do(Submit(task_name(0), order, "", NOW, session_dir="/other"))
    story.do(Submit(task_name(0), order, "", NOW, session_dir="/project"))
    elsewhere = spec(session=f"resume:{session_name(2)}", options=Options(working_dir="/other"))
    story.do(Submit(task_name(1), elsewhere, "", NOW, session_dir="/other"))
    assert len(story.world.pending) == 2


def test_the_directory_among_the_pools_options_is_where_tasks_run() -> None:
    story = warmed(Settings(working_dir="/project", options=Options(working_dir="/other")))
    order = spec(session=f"resume:{session_name(1)}")
    story.do(Submit(task_name(0), order, "", NOW, session_dir="/other"))
    assert len(story.world.pending) == 1


def test_a_pool_whose_slots_have_all_failed_accepts_nothing() -> None:
    story = warmed()
    quarantine(story, "slot-0", "slot_failed", "It died.")
    submit(story, 0)
    quarantine(story, "slot-1", "slot_failed", "It died too.")
    refused(story, spec(), SlotsFailed, "It died")


def test_a_missing_cli_is_named_as_such() -> None:
    story = warmed(Settings(slots=1))
    quarantine(story, "slot-0", "cli_missing", "There is no claude on the PATH.")
    refused(story, spec(), CliMissing, "There is no claude on the PATH. The next")


def test_a_pool_without_slots_yet_accepts_work() -> None:
    story = opened()
    task_id = submit(story, 0)
    assert isinstance(story.world.tasks[task_id], task.Pending)
