"""Why a chain waits, runs, failed or cost what it did."""

from __future__ import annotations

import pytest
from claude_pool.domain import chain, pool
from claude_pool.domain.answers import Answer
from claude_pool.domain.chain_board import chain_card
from claude_pool.domain.chain_events import Plan
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import End
from claude_pool.domain.why_chain import chain_answer

from tests.support.domain_answers import texts
from tests.support.domain_chains import CHAIN, accept, chain_of, go_on, plan, step, step_task
from tests.support.domain_story import NOW, Story, end, outcome, warmed


def under_way(order: Plan) -> Story:
    """A pool of one slot that runs what can run of a chain."""
    story = warmed(Settings(slots=1, working_dir="/project"))
    accept(story, order)
    go_on(story)
    return story


def why(story: Story) -> Answer:
    """Why the chain is as it is."""
    state = chain_of(story)
    assert not isinstance(state, chain.Absent)
    own = [each for each in story.log if each.stream == CHAIN]
    return chain_answer(chain_card(state, NOW, story.world), own)


def test_a_chain_that_runs_names_the_steps_at_work() -> None:
    answer = why(under_way(plan(step("a"), step("b", "a"))))
    assert (answer.question, answer.do, answer.because[0].text) == ("runs", None, "runs: a")
    steps = texts(answer.because, "step")
    assert steps[0].startswith(f"step a is running ({step_task('a')}, 1 attempt,")
    assert steps[1] == "step b is waiting: needs a"
    assert texts(answer.because, "submitted")[0].startswith("submitted by a coordinator at ")


def test_a_chain_that_waits_tells_for_what_and_what_helps() -> None:
    story = warmed(Settings(slots=1, working_dir="/project"))
    story.do(pool.PausePool("not_logged_in"))
    accept(story, plan(step("a")))
    answer = why(story)
    assert (answer.question, answer.because[0].text) == ("waits", "waits: step a: not_logged_in")
    assert answer.do == "mend the login, then `claude-pool resume`"


@pytest.mark.parametrize(
    ("code", "do"), [("turn_limit", "give it more max_turns, or less to do"), ("provider_error", None)]
)
def test_a_chain_that_failed_tells_by_which_step_and_what_to_do(code: str, do: str | None) -> None:
    story = under_way(plan(step("a")))
    end(story, step_task("a"), outcome(End.FAILED, code, message="Too many."))
    answer = why(story)
    assert (answer.question, answer.do, answer.because[0].reason) == ("failed", do, "step_failed")
    decisive = answer.because[0].position
    assert decisive is not None
    assert story.log[decisive - 1].event.NAME == "step.failed"
    assert texts(answer.because, "step")[0].endswith(f": {code}: Too many.")


def test_a_chain_that_completed_tells_what_it_cost() -> None:
    story = under_way(plan(step("a")))
    end(story, step_task("a"), outcome(cost=300_000))
    answer = why(story)
    assert answer.question == "completed"
    assert answer.because[0].text.startswith("completed 1 step for $0.3")


def test_a_chain_that_was_cancelled_tells_by_whom() -> None:
    story = warmed(Settings(slots=1, working_dir="/project"))
    story.do(pool.PausePool("not_logged_in"))
    accept(story, plan(step("a")))
    story.do(chain.CancelChain(CHAIN, NOW))
    answer = why(story)
    assert answer.question == "cancelled"
    assert answer.because[0].text.startswith("cancelled by a coordinator at ")
