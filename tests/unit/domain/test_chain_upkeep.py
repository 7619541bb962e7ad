"""What chains ask of the policies: copies of repositories, ends for time, drains and stops."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain, pool, task
from claude_pool.domain.chain_events import StepsEnded, WorkplaceRequested
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.policies import next_wake
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.stuck import END_MS
from claude_pool.domain.values import End

from tests.support.domain_chains import CHAIN, KEPT, MADE, accept, chain_of, plan, states, step, step_task
from tests.support.domain_story import NOW, Story, answer_clears, end, outcome, warmed

OTHER = "chain-bbbbbbbbbbbbbbbb"
TIMEOUT = 30_000
LATER = NOW + TIMEOUT
COPY = plan(step("a"), isolation="worktree", timeout_ms=TIMEOUT)


def one_slot() -> Story:
    """A pool of one idle slot."""
    return warmed(Settings(slots=1, working_dir="/project"))


def of_chains(commands: list[Command]) -> list[Command]:
    """Those that a chain gets."""
    return [command for command in commands if isinstance(command, chain.ChainCommand)]


def closing() -> Story:
    """A chain whose steps are over, and whose work its first owner was asked to keep."""
    story = one_slot()
    accept(story, COPY)
    story.settle()
    story.do(chain.RecordWorkplace(CHAIN, MADE, NOW))
    story.settle()
    end(story, step_task("a"))
    story.settle()
    assert chain_of(story) == chain.Closing(story.world.chains[CHAIN].work, "owner-1")
    return story


def new_owner(story: Story) -> None:
    """The owner is gone, and another one begins."""
    story.do(Recover({}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", Settings(slots=1), None, False, NOW))


def test_an_owner_asks_once_for_the_copy_of_each_chain() -> None:
    story = one_slot()
    accept(story, COPY)
    accept(story, COPY, OTHER)
    asked = of_chains(story.settle())
    assert asked == [chain.RequestWorkplace(each, "owner-1") for each in (CHAIN, OTHER)]
    assert of_chains(story.settle()) == []
    assert story.world.isolating


def test_a_new_owner_asks_again_for_what_the_dead_one_left() -> None:
    story = one_slot()
    accept(story, COPY)
    story.settle()
    new_owner(story)
    assert of_chains(story.settle()) == [chain.RequestWorkplace(CHAIN, "owner-2")]
    again = closing()
    new_owner(again)
    assert of_chains(again.settle()) == [chain.RequestClosing(CHAIN, "owner-2")]
    again.do(chain.RecordWorkKept(CHAIN, KEPT))
    assert not again.world.isolating
    assert of_chains(again.settle()) == []


def test_a_stopping_owner_begins_no_copy_and_its_successor_does() -> None:
    story = one_slot()
    accept(story, COPY)
    story.do(pool.StopOwner())
    assert of_chains(story.settle()) == []
    new_owner(story)
    assert of_chains(story.settle()) == [chain.RequestWorkplace(CHAIN, "owner-2")]


def test_the_time_of_a_chain_wakes_the_pool_and_ends_the_chain() -> None:
    story = one_slot()
    accept(story, plan(step("a"), step("b", "a"), timeout_ms=TIMEOUT))
    story.settle()
    assert next_wake(story.world) == LATER
    assert story.settle(LATER - 1) == []
    assert of_chains(story.settle(LATER)) == [chain.ExpireChain(CHAIN, LATER)]
    assert next_wake(story.world) == LATER + END_MS
    assert story.running(step_task("a")).interrupt == "timed_out_chain"


def test_the_time_of_a_chain_ends_also_what_a_failure_let_go_on() -> None:
    story = warmed(Settings(slots=2))
    accept(story, plan(step("a"), step("b"), timeout_ms=TIMEOUT))
    story.settle()
    end(story, step_task("a"), outcome(End.FAILED, "turn_limit"))
    story.settle()
    assert next_wake(story.world) == LATER
    assert of_chains(story.settle(LATER)) == [chain.ExpireChain(CHAIN, LATER)]
    end(story, step_task("b"), outcome(End.INTERRUPTED))
    over = chain_of(story)
    assert isinstance(over, chain.Failed)
    assert over.code == "timed_out_chain"


def test_the_time_of_a_chain_means_nothing_while_its_work_is_kept() -> None:
    story = closing()
    answer_clears(story)
    assert next_wake(story.world) is None
    assert of_chains(story.settle(LATER)) == []


def test_nobody_is_asked_for_a_verdict_on_a_step_of_a_chain_whose_time_is_over() -> None:
    story = one_slot()
    accept(story, plan(step("a", review=3), timeout_ms=TIMEOUT))
    story.settle()
    story.settle(LATER)
    end(story, step_task("a"))
    assert isinstance(story.world.tasks[step_task("a")], task.PendingReview)
    assert task.CancelTask(step_task("a"), LATER) in story.settle(LATER)
    assert isinstance(chain_of(story), chain.Failed)


def test_nobody_is_asked_what_became_of_a_step_of_a_chain_whose_time_is_over() -> None:
    story = one_slot()
    accept(story, plan(step("a"), timeout_ms=TIMEOUT))
    story.settle()
    story.settle(LATER)
    new_owner(story)
    assert task.CancelTask(step_task("a"), LATER) in story.settle(LATER)
    assert states(story) == {"a": "cancelled"}
    assert isinstance(chain_of(story), chain.Failed)


def test_a_drain_by_cancelling_cancels_chains_and_what_they_wait_for() -> None:
    story = warmed(Settings(slots=2))
    accept(story, plan(step("a"), step("b", "a")))
    accept(story, plan(step("x", review=1), step("y", "x")), OTHER)
    story.settle()
    end(story, step_task("x", chain_id=OTHER))
    story.settle()
    story.do(pool.StartDrain("cancel"))
    asked = of_chains(story.settle())
    assert asked == [chain.CancelChain(CHAIN, NOW), chain.CancelChain(OTHER, NOW)]
    assert states(story, OTHER) == {"x": "cancelled", "y": "skipped"}
    assert list(story.world.chains) == [CHAIN]
    end(story, step_task("a"), outcome(End.INTERRUPTED))
    assert isinstance(chain_of(story), chain.Cancelled)


def test_a_drain_by_cancelling_cancels_a_chain_that_a_failure_was_ending() -> None:
    story = warmed(Settings(slots=2))
    accept(story, plan(step("a"), step("b")))
    story.settle()
    end(story, step_task("a"), outcome(End.FAILED, "turn_limit"))
    story.do(pool.StartDrain("cancel"))
    assert of_chains(story.settle()) == [chain.CancelChain(CHAIN, NOW)]
    assert story.running(step_task("b")).cancel


def test_a_drain_by_cancelling_lets_work_be_kept() -> None:
    story = closing()
    story.do(pool.StartDrain("cancel"))
    assert of_chains(story.settle()) == []
    assert isinstance(chain_of(story), chain.Closing)


def test_a_drain_that_lets_work_finish_lets_a_chain_go_on_to_its_end() -> None:
    story = one_slot()
    accept(story, plan(step("a"), step("b", "a")))
    story.settle()
    story.do(pool.StartDrain("finish"))
    story.settle()
    end(story, step_task("a"))
    assert states(story) == {"a": "completed", "b": "started"}
    assert [task_id for _, _, task_id in story.world.pending] == [step_task("b")]


# The live view.


def test_the_view_knows_a_chain_from_its_first_fact_to_its_last() -> None:
    story = one_slot()
    assert not story.world.isolating
    accept(story, plan(step("a")))
    assert story.world.versions[CHAIN] == 2
    assert not story.world.isolating
    story.settle()
    end(story, step_task("a"))
    assert CHAIN not in story.world.chains
    assert not {CHAIN, step_task("a")} & set(story.world.versions)


@pytest.mark.parametrize("fact", [WorkplaceRequested("owner-1"), StepsEnded()])
def test_facts_of_a_chain_that_is_not_there_leave_the_view_as_it_is(
    fact: WorkplaceRequested | StepsEnded,
) -> None:
    story = one_slot()
    story.append(Fact(CHAIN, fact))
    assert story.world.chains == {}


def test_a_replay_of_chains_equals_the_live_view_in_every_state() -> None:
    story = warmed(Settings(slots=3))
    for number, order in enumerate((plan(step("a"), step("b", "a")), COPY, plan(step("a", review=1)))):
        accept(story, order, f"chain-{'abc'[number] * 16}")
    story.settle()
    end(story, step_task("a", chain_id="chain-cccccccccccccccc"))
    assert len(story.world.chains) == 3
    assert canonical(story.replayed()) == canonical(story.world)
    assert [f"chain {each} " in canonical(story.world) for each in story.world.chains] == [True] * 3
