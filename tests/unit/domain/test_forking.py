"""A chain is taken up again from one of its steps: what stays, what runs, and in which conversations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from claude_pool.domain import chain, ledger, task
from claude_pool.domain.chain_board import chain_card
from claude_pool.domain.chain_events import (
    ChainCompleted,
    ChainEvent,
    ChainSubmitted,
    Fork,
    Plan,
    Step,
    StepCompleted,
    StepReused,
    StepStarted,
)
from claude_pool.domain.errors import BudgetExceeded, InvalidArgument, WrongState
from claude_pool.domain.forking import Opened, cut, reused, session_again
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.task_events import SessionOpened
from claude_pool.domain.world import World
from hypothesis import given
from hypothesis import strategies as st

from tests.support.domain_chains import (
    CHAIN,
    MADE,
    accept,
    chain_of,
    ended,
    go_on,
    plan,
    step,
    step_task,
    text,
)
from tests.support.domain_decider import given_chain
from tests.support.domain_forks import fork_of
from tests.support.domain_story import NOW, Story, end, outcome, warmed

AGAIN = "chain-bbbbbbbbbbbbbbbb"
DIAMOND = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def after(order: Plan, *ends: chain.RecordStepEnded) -> chain.Known:
    """A chain in which these steps have ended, in this order."""
    state: chain.Chain = chain.ABSENT
    commands: list[chain.ChainCommand] = [chain.SubmitChain(CHAIN, order, "f", 5)]
    if order.isolation != "none":
        commands += [chain.RequestWorkplace(CHAIN, "o"), chain.RecordWorkplace(CHAIN, MADE, 5)]
    for command in [*commands, *ends]:
        for event in chain.decide(command, state):
            state = chain.evolve(state, event)
    assert not isinstance(state, chain.Absent)
    return state


def parts(state: chain.Known, first: str) -> tuple[str, str]:
    """What is reused and what runs again, as words of steps with one letter."""
    found = cut(state, first)
    return "".join(found.reused), "".join(found.again)


def refusal(state: chain.Known, first: str) -> str:
    """Why the chain cannot be parted there."""
    with pytest.raises(WrongState) as refused:
        cut(state, first)
    return refused.value.message


def taken(state: chain.Known, first: str) -> tuple[StepReused, ...]:
    """The reused steps, each after one attempt."""
    return tuple(reused(state.work, name, 1, "") for name in cut(state, first).reused)


def test_what_is_over_and_does_not_need_the_step_is_reused() -> None:
    whole = after(DIAMOND, *(ended(name) for name in "abcd"))
    assert [parts(whole, name) for name in "abcd"] == [
        ("", "abcd"), ("ac", "bd"), ("ab", "cd"), ("abc", "d"),
    ]  # fmt: skip


def test_what_did_not_complete_runs_again_with_all_that_needs_it() -> None:
    order = plan(step("a"), step("b", on_failure="continue"), step("c", "b"), step("d"))
    state = after(order, ended("a"), ended("b", "failed"), ended("c"))
    assert parts(state, "a") == ("", "abcd")
    assert parts(state, "d") == ("a", "bcd")


def test_a_failure_that_the_chain_went_on_from_is_reused_before_what_saw_it() -> None:
    order = plan(step("a", on_failure="continue"), step("b", "a"), step("c", "b"))
    state = after(order, ended("a", "failed"), ended("b"))
    assert parts(state, "c") == ("ab", "c")
    (first, _) = taken(state, "c")
    assert (first.status, first.code, first.message) == ("failed", "turn_limit", "No.")


def test_a_step_whose_needs_are_not_over_cannot_be_the_first() -> None:
    state = after(DIAMOND, ended("a"), ended("b", "failed"))
    assert refusal(state, "d") == f"{CHAIN} is running: step d needs b, which is failed. Fork it from b."
    assert parts(state, "c") == ("a", "bcd")
    live = after(DIAMOND, ended("a"))
    assert refusal(live, "d").endswith("step d needs b, which is not over. Fork it from b or wait for it.")
    assert refusal(after(DIAMOND), "b").endswith("needs a, which is not over. Fork it from a or wait for it.")
    cancelled = chain.evolve(after(DIAMOND, ended("a", "cancelled")), ChainCompleted())
    assert not isinstance(cancelled, chain.Absent)
    assert refusal(cancelled, "b").endswith("needs a, which is cancelled. Fork it from a.")
    assert refusal(cancelled, "d").endswith("needs a, which is cancelled. Fork it from a.")
    stopped = after(plan(step("a"), step("b"), step("c", "b")), ended("a", "failed"), ended("b"))
    assert parts(stopped, "c") == ("b", "ac")
    skipped = after(DIAMOND, ended("a"), ended("b", "failed"), ended("c"))
    assert refusal(skipped, "d").startswith(f"{CHAIN} is failed: ")


def test_a_step_that_was_skipped_or_waits_can_be_the_first() -> None:
    assert parts(after(plan(step("a"), step("b", "a")), ended("a", "failed")), "a") == ("", "ab")
    waiting = after(plan(step("a"), step("b", "a"), step("c", "b")), ended("a"))
    assert parts(waiting, "b") == ("a", "bc")
    order = plan(step("a"), step("b"), step("c", "b"), step("d", "c"), isolation="worktree")
    never = after(order, ended("a", "failed"))
    assert refusal(never, "d").endswith("step d needs b, which is skipped. Fork it from b.")
    assert refusal(after(order), "d").endswith("step d needs b, which is waiting. Fork it from b.")


def test_an_unknown_step_is_named_with_what_was_meant() -> None:
    state = after(plan(step("build"), step("test", "build")))
    with pytest.raises(InvalidArgument, match="did you mean build"):
        cut(state, "biuld")
    with pytest.raises(InvalidArgument, match="it has build, test"):
        cut(state, "z")


def test_in_a_copy_only_what_ran_before_is_reused() -> None:
    order = plan(step("a"), step("b"), step("c"), step("d", "a"), isolation="worktree")
    whole = after(order, *(ended(name) for name in "abcd"))
    assert [parts(whole, name) for name in "abcd"] == [
        ("", "abcd"), ("a", "bcd"), ("ab", "cd"), ("abc", "d"),
    ]  # fmt: skip
    late = plan(step("b", "a"), step("a"), step("c"), isolation="worktree")
    assert parts(after(late, *(ended(name) for name in "abc")), "c") == ("ab", "c")


def test_in_a_copy_nothing_is_reused_behind_what_did_not_complete() -> None:
    order = plan(step("a", on_failure="continue"), step("b"), step("c"), isolation="worktree")
    assert parts(after(order, ended("a", "failed"), ended("b")), "c") == ("ab", "c")
    assert parts(after(order, ended("a", "cancelled"), ended("b")), "c") == ("", "abc")
    expired = chain.RecordStepEnded(CHAIN, "a", 1, "failed", text(""), (), 0, 1, "timed_out_chain", "Late.")
    assert parts(after(order, expired), "b") == ("", "abc")


def test_a_fork_of_a_fork_names_where_the_step_ran() -> None:
    first = after(DIAMOND, *(ended(name) for name in "abcd"))
    second = chain.ABSENT
    for event in chain.decide(chain.SubmitChain(AGAIN, DIAMOND, "f", 5, taken(first, "d")), second):
        second = chain.evolve(second, event)  # type: ignore[assignment]
    assert not isinstance(second, chain.Absent)
    (again, *_) = taken(second, "d")
    assert (again.chain_id, again.task_id) == (CHAIN, step_task("a"))


@pytest.mark.parametrize(
    ("session", "ran", "own", "wanted"),
    [
        (None, None, set[str](), None),
        ("fresh", Opened(SESSION, "fresh", None), set[str](), "fresh"),
        (f"resume:{SESSION}", None, set[str](), f"fork:{SESSION}"),
        (f"fork:{SESSION}", Opened(OTHER, "fork", SESSION), set[str](), f"fork:{SESSION}"),
        ("slot", Opened(SESSION, "slot", SESSION), set[str](), f"fork:{SESSION}"),
        (None, Opened(SESSION, "slot", SESSION), set[str](), f"fork:{SESSION}"),
        ("slot", Opened(SESSION, "slot", SESSION), {SESSION}, "slot"),
        ("slot", Opened(SESSION, "slot", None), set[str](), "slot"),
        ("slot", None, set[str](), "slot"),
    ],
)
def test_a_step_that_went_on_with_a_conversation_begins_with_a_copy_of_it(
    session: str | None, ran: Opened | None, own: set[str], wanted: str | None
) -> None:
    assert session_again(session, ran, own) == wanted


def test_a_reused_step_is_over_at_once_and_costs_nothing() -> None:
    order = plan(step("a"), step("b", "a", uses=("previous_output",)))
    (first,) = taken(after(order, ended("a"), ended("b")), "b")
    begun = chain.SubmitChain(CHAIN, order, "f", 5, (first,))
    running = given_chain().when(begun).then(
        ChainSubmitted(CHAIN, order, "f", 5), first, StepStarted("b", 1, step_task("b"))
    )  # fmt: skip
    assert isinstance(running, chain.Running)
    at = running.work.steps["a"]
    assert isinstance(at, chain.Done)
    assert (at.output, at.variables, at.cost, at.attempts) == (first.output, first.variables, 0, 0)
    assert (at.source, running.work.cost) == (CHAIN, 0)


def test_a_reused_step_is_shown_with_the_chain_that_it_ran_in() -> None:
    order = plan(step("a", on_failure="continue"), step("b", "a"))
    forked = Plan(order.steps, fork=Fork(CHAIN, "b"))
    taken_over = taken(after(order, ended("a", "failed"), ended("b")), "b")
    state = given_chain(ChainSubmitted(AGAIN, forked, "f", 5), *taken_over).state
    assert not isinstance(state, chain.Absent)
    card = chain_card(state, 9, World())
    assert card.fork == Fork(CHAIN, "b")
    first, second = card.steps
    assert (first.state, first.task_id, first.cost, first.source) == ("failed", step_task("a"), 0, CHAIN)
    assert first.error is not None and first.error.code == "turn_limit"
    assert (second.state, second.source) == ("waiting", None)


def test_a_reused_step_is_reused_once_and_not_after_it_began() -> None:
    (first,) = taken(after(DIAMOND, ended("a")), "b")
    begun = given_chain(ChainSubmitted(CHAIN, DIAMOND, "f", 5), StepStarted("a", 1, step_task("a")))
    assert begun.and_(first).state == begun.state
    over = given_chain(ChainSubmitted(CHAIN, DIAMOND, "f", 5), first)
    assert over.and_(first).state == over.state


def slot_pool(order: Plan, *done: str) -> Story:
    """A pool of one slot that goes on with its conversation, in which these steps of a chain completed."""
    story = warmed(Settings(slots=1, session="slot", working_dir="/project"))
    accept(story, order)
    go_on(story)
    for name in done:
        end(story, step_task(name))
        go_on(story)
    return story


def taken_up(story: Story, first: str) -> task.LiveAttempt:
    """How the first step of the chain runs that takes up the one in the pool."""
    before = chain_of(story)
    assert not isinstance(before, chain.Absent)
    story.do(fork_of(story, before, first, AGAIN, NOW))
    go_on(story)
    return story.running(step_task(first, chain_id=AGAIN))


def opened(story: Story, name: str, chain_id: str = CHAIN) -> SessionOpened:
    """The conversation that a step began in."""
    events = story.events_of(step_task(name, chain_id=chain_id))
    return next(each for each in events if isinstance(each, SessionOpened))


def test_a_step_that_went_on_where_a_reused_one_stopped_runs_in_a_copy_of_that_conversation() -> None:
    story = slot_pool(plan(step("a"), step("b", "a")), "a", "b")
    old = opened(story, "a").session
    assert opened(story, "b").session == old
    live = taken_up(story, "b")
    again = opened(story, "b", AGAIN)
    assert (again.mode, again.parent) == ("fork", old)
    assert live.session != old


def test_a_step_that_never_ran_does_not_go_on_in_the_conversation_of_a_reused_one() -> None:
    story = slot_pool(plan(step("a"), step("b", "a", session="slot")))
    end(story, step_task("a"))
    story.do(chain.CancelChain(CHAIN, NOW))
    taken_up(story, "b")
    assert opened(story, "b", AGAIN).session != opened(story, "a").session


def test_reused_steps_reserve_nothing_and_are_not_checked_for_admission() -> None:
    order = plan(step("a", max_budget=30), step("b", "a", max_budget=30))
    story = warmed(Settings(slots=1, working_dir="/project"), limit=60)
    accept(story, order)
    go_on(story)
    end(story, step_task("a"), outcome(cost=20))
    go_on(story)
    end(story, step_task("b"), outcome(cost=15))
    before = chain_of(story)
    assert not isinstance(before, chain.Absent)
    with pytest.raises(BudgetExceeded):
        story.do(fork_of(story, before, "a", AGAIN, NOW))
    story.do(ledger.SetLimits("pool", 65, None))
    story.do(fork_of(story, before, "b", AGAIN, NOW))
    go_on(story)
    assert story.running(step_task("b", chain_id=AGAIN)).reserved == 30
    assert step_task("a", chain_id=AGAIN) not in story.world.tasks


@st.composite
def graphs(draw: st.DrawFn) -> Plan:
    """Up to six steps that need any that come before them, in an order of their own."""
    names = "abcdef"[: draw(st.integers(1, 6))]
    steps = [
        step(
            name,
            *(need for need in names[:number] if draw(st.booleans())),
            recovery=draw(st.sampled_from([None, None, "mend"])),
            on_failure=draw(st.sampled_from(["stop", "continue", "skip_rest"])),
        )
        for number, name in enumerate(names)
    ]
    shuffled: list[Step] = draw(st.permutations(steps))
    return plan(*shuffled, isolation=draw(st.sampled_from(["none", "worktree"])))


def course(state: chain.Chain, chain_id: str, how: st.DataObject | None) -> Iterator[ChainEvent]:
    """What happens to a chain while its steps end: all well, or (`how`) anyhow and not always to the end."""
    while isinstance(state, (chain.Preparing, chain.Running)):
        if isinstance(state, chain.Preparing):
            command: chain.ChainCommand = chain.RecordWorkplace(chain_id, MADE, 5)
        else:
            live = [name for name, _ in state.work.started]
            name = live[0] if how is None else how.draw(st.sampled_from(live))
            at = state.work.steps[name]
            assert isinstance(at, chain.Started)
            kinds = st.sampled_from(["completed", "completed", "completed", "failed", "cancelled"])
            status = "completed" if how is None else how.draw(kinds)
            output, code = text(f"out of {name} in {chain_id}"), "" if status == "completed" else "x"
            command = chain.RecordStepEnded(chain_id, name, at.run, status, output, (), 1, 1, code, code)
        for event in chain.decide(command, state):
            state = chain.evolve(state, event)
            yield event
        if how is not None and how.draw(st.integers(0, 9)) == 0:
            return


@given(graphs(), st.data())
def test_a_fork_of_any_chain_runs_each_other_step_once_after_its_needs(
    order: Plan, how: st.DataObject
) -> None:
    state: chain.Chain = chain.ABSENT
    for event in chain.decide(chain.SubmitChain(CHAIN, order, "f", 5), state):
        state = chain.evolve(state, event)
    for event in course(state, CHAIN, how):
        state = chain.evolve(state, event)
    assert not isinstance(state, chain.Absent)
    first = how.draw(st.sampled_from([each.name for each in order.steps]))
    try:
        found = cut(state, first)
    except WrongState:
        return
    assert first in found.again and {*found.reused, *found.again} == {each.name for each in order.steps}
    submission = chain.SubmitChain(AGAIN, order, "f", 5, taken(state, first))
    facts = list(chain.decide(submission, chain.ABSENT))
    forked: chain.Chain = chain.ABSENT
    for fact in facts:
        forked = chain.evolve(forked, fact)
    facts += course(forked, AGAIN, None)
    over: set[str] = set()
    starts: list[str] = []
    for fact in facts:
        if isinstance(fact, StepStarted):
            assert {*state.work.step(fact.step).needs} <= over
            assert fact.task_id == step_task(fact.step, 1, AGAIN)
            starts.append(fact.step)
        if isinstance(fact, (StepReused, StepCompleted)):
            over.add(fact.step)
    assert sorted(starts) == sorted(found.again), "each of them runs once, and no other"
    whole: chain.Chain = chain.ABSENT
    for fact in facts:
        whole = chain.evolve(whole, fact)
    assert isinstance(whole, (chain.Completed, chain.Closing))
    for name in found.reused:
        was, now = state.work.steps[name], whole.work.steps[name]
        assert isinstance(was, chain.Done) and isinstance(now, chain.Done)
        assert (now.status, now.output, now.task_id, now.cost) == (was.status, was.output, was.task_id, 0)
    assert whole.work.cost == len(found.again)
