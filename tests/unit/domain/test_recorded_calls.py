"""The command that brought about an append is read back from its facts: deciding it anew gives them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from claude_pool.domain import chain, ledger, messaging, pool, questions, slot, task
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.attempts import Claim
from claude_pool.domain.chain_events import StepReused
from claude_pool.domain.coordination import Abandon, Command, Recover, Resume, decide
from claude_pool.domain.pool_events import BudgetOpened, LaunchesAllowed, Settings
from claude_pool.domain.questions import Question
from claude_pool.domain.recorded_calls import call_of, comes_from_outside
from claude_pool.domain.records import Actor, Fact
from claude_pool.domain.slot_events import SessionPrepared
from claude_pool.domain.soft_limits import AnswerSoftLimit
from claude_pool.domain.task_events import TaskCompleted
from claude_pool.domain.values import Options, Text
from claude_pool.domain.world import POOL

from tests.support.domain_chains import CHAIN, accept, plan, step
from tests.support.domain_story import (
    NOW,
    Story,
    end,
    opened,
    outcome,
    spec,
    submit,
    task_name,
    warmed,
    wear_out,
)

LATER = NOW + 5
CONTENT = Text(inline="hello", size=5)
QUESTION = Question("question-aaaaaaaaaaaaaaaa", "Bash", CONTENT, "ls", NOW + 9_000, NOW)


def _idle() -> Story:
    return warmed(Settings(slots=2), limit=1_000)


def _running() -> Story:
    story = _idle()
    submit(story, 0, replace(spec(), review=1))
    story.settle()
    return story


def _asking() -> Story:
    story = _running()
    story.do(questions.AskQuestion(task_name(0), 1, QUESTION))
    return story


def _in_review() -> Story:
    story = _running()
    end(story, task_name(0))
    return story


def _sealed() -> Story:
    story = _idle()
    submit(story, 0, replace(spec(), on_interrupt="ask"))
    story.settle()
    story.do(Recover({f"{task_name(0)}.1": outcome(cost=3)}, NOW))
    return story


def _in_chain() -> Story:
    story = _idle()
    accept(story, plan(step("a"), step("b", "a")))
    return story


def _asked_for_money() -> Story:
    story = _running()
    story.do(ledger.SetLimits("pool", 1_000, 100))
    end(story, task_name(0), outcome(cost=200))
    story.settle()
    assert story.world.open_pool().budget.asked
    return story


def _drained() -> Story:
    story = _idle()
    story.do(pool.StartDrain("finish"))
    return story


def _worn() -> Story:
    story = warmed(Settings(slots=1))
    wear_out(story)
    return story


def _paused() -> Story:
    story = _idle()
    story.do(pool.PausePool("maintenance"))
    return story


def _with_context() -> Story:
    story = _idle()
    story.do(pool.SetContext("k", "v"))
    return story


def _with_mail() -> Story:
    story = _idle()
    for number in (1, 2):
        story.do(messaging.SendMessage(f"msg-{number}", "slot-0", "coordinator", CONTENT, NOW))
        story.do(messaging.SendMessage(f"msg-{number + 2}", "slot-0", "slot-1", CONTENT, NOW))
    return story


def _unclaimed() -> Story:
    story = _idle()
    submit(story, 0)
    return story


def _money_question(story: Story) -> str:
    return next(iter(story.world.open_pool().budget.asked.values())).question_id


REUSED = StepReused("a", "chain-bbbbbbbbbbbbbbbb", task_name(7), 1, 1, "completed", CONTENT, ())

CALLS: list[tuple[Callable[[], Story], Command | Callable[[Story], Command]]] = [
    (_idle, Submit(task_name(0), spec(), "fp", LATER)),
    (_idle, SubmitChain(CHAIN, plan(step("a"), step("b", "a")), "fp", LATER)),
    (_idle, SubmitChain(CHAIN, plan(step("a"), step("b", "a")), "fp", LATER, reused=(REUSED,))),
    (_unclaimed, task.CancelTask(task_name(0), LATER)),
    (_running, task.CancelTask(task_name(0), LATER)),
    (_running, Abandon((task_name(0),), "went away", LATER)),
    (_in_chain, Abandon((CHAIN,), "went away", LATER)),
    (_in_chain, chain.CancelChain(CHAIN, LATER)),
    (_in_review, task.ApproveTask(task_name(0), LATER)),
    (_in_review, task.RejectTask(task_name(0), CONTENT, LATER)),
    (_sealed, task.ReopenTask(task_name(0), False, LATER)),
    (_asking, questions.AnswerQuestion(task_name(0), QUESTION.question_id, "deny", "no", None, LATER)),
    (_running, Recover({f"{task_name(0)}.1": outcome(cost=3)}, LATER)),
    (_idle, Recover({}, LATER)),
    (_idle, slot.ConfigureSlot("slot-0", "ann", "tester", None, Options(model="haiku"))),
    (_worn, Resume()),
    (_paused, Resume()),
    (_unclaimed, Claim(task_name(0), "slot-0", "", LATER)),
    (_idle, messaging.SendMessage("msg-1", "coordinator", "slot-0", CONTENT, LATER, "question")),
    (_idle, messaging.SendMessage("msg-1", "slot-0", "coordinator", CONTENT, LATER)),
    (_idle, messaging.BroadcastMessage("msg-1", "coordinator", CONTENT, LATER)),
    (_with_mail, messaging.ReadMessages("coordinator", "coordinator", LATER)),
    (_with_mail, messaging.ReadMessages("slot-1", "coordinator", LATER, "msg-4")),
    (_idle, pool.SetContext("k", "v")),
    (_with_context, pool.DeleteContext("k")),
    (_idle, pool.StartDrain("cancel")),
    (_drained, pool.LiftDrain()),
    (_idle, pool.PausePool("maintenance", LATER)),
    (_idle, pool.SetTargetSlots(3)),
    (_idle, pool.ScaleSlots(1, "key")),
    (_idle, pool.StopOwner(now=True)),
    (_idle, pool.RecordOwnerStopped()),
    (_idle, pool.IdentifyCli("/bin/claude", "2.1.330", "ab")),
    (_idle, pool.ChangeAccount("other")),
    (_idle, pool.AcceptRollback(9, 7, LATER)),
    (_idle, ledger.ResetBudget()),
    (_idle, ledger.ResetBudget(ledger.SetLimits("pool", 2_000, 500))),
    (_idle, ledger.SetLimits("tag:a", 50, None)),
    (_asked_for_money, lambda story: AnswerSoftLimit(_money_question(story), "continue", 300, LATER)),
    (_asked_for_money, lambda story: AnswerSoftLimit(_money_question(story), "stop", None, LATER)),
    (Story, pool.StartOwner("pool-1", "owner-1", 10, "0.2.0", Settings(), 500, True, LATER, "acc", 100)),
    (_idle, pool.StartOwner("pool-1", "owner-2", 11, "0.2.0", Settings(), 900, True, LATER)),
    (_drained, pool.StartOwner("pool-1", "owner-2", 11, "0.2.0", Settings(), None, False, LATER)),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_deciding_the_call_anew_gives_the_same_facts(number: int) -> None:
    make, given = CALLS[number]
    story = make()
    command = given(story) if callable(given) else given
    facts = decide(command, story.world)
    call = call_of(facts, story.world, LATER)
    assert facts
    assert call is not None
    assert decide(call, story.world) == facts


def test_a_changed_limit_of_an_old_log_is_a_setting_of_limits() -> None:
    story = _idle()
    start = pool.StartOwner("pool-1", "owner-2", 11, "0.2.0", Settings(), 900, True, LATER)
    changed = decide(start, story.world)[-1]
    assert call_of((changed,), story.world, LATER) == ledger.SetLimits("pool", 900, None)


@pytest.mark.parametrize(
    "fact",
    [
        Fact(task_name(0), TaskCompleted()),
        Fact("slot-0", SessionPrepared("s")),
        Fact(POOL, LaunchesAllowed()),
    ],
)
def test_what_nobody_asks_for_is_no_call(fact: Fact) -> None:
    assert call_of((fact,), opened().world, LATER) is None


def test_a_wish_that_a_lost_connection_leaves_comes_from_outside_though_a_policy_has_it_recorded() -> None:
    story = _running()
    abandoned = decide(Abandon((task_name(0),), "went away", LATER), story.world)
    cancelled = decide(task.CancelTask(task_name(0), LATER), story.world)
    assert comes_from_outside(Actor.POLICY, abandoned)
    assert not comes_from_outside(Actor.POLICY, cancelled)
    assert comes_from_outside(Actor.SHELL, cancelled)
    assert not comes_from_outside(Actor.SLOT, (Fact(POOL, BudgetOpened()),))
