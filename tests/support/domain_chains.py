"""Chains in few words: steps, plans, what ends a step, and pools in which a chain has been accepted."""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain import chain
from claude_pool.domain.acceptance import SubmitChain
from claude_pool.domain.chain_events import ChainEvent, Plan, Step, WorkKept, WorkplaceMade
from claude_pool.domain.records import Event
from claude_pool.domain.values import Options, TaskSpec, Text

from .domain_story import NOW, Story, answer_clears, answer_launches

CHAIN = "chain-aaaaaaaaaaaaaaaa"
MADE = WorkplaceMade("/copies/a", "/copies/a/sub", "/repo/.git", "pool/a", "base", "main", ("a note",))
KEPT = WorkKept("pool/a", "head", 2, Text(inline="+x", size=2), notes=("another",))


def text(content: str) -> Text:
    """A short text."""
    return Text(inline=content, size=len(content))


def step(
    name: str,
    *needs: str,
    prompt: str = "work",
    uses: tuple[str, ...] = (),
    recovery: str | None = None,
    recovery_uses: tuple[str, ...] = (),
    on_failure: str = "stop",
    retries: int = 0,
    review: int | None = None,
    max_budget: int | None = None,
    session: str | None = None,
    on_interrupt: str = "resume",
) -> Step:
    """A step as it was accepted."""
    spec = TaskSpec(text(prompt), Options(max_budget=max_budget), session, retries=retries, review=review)
    spec = replace(spec, on_interrupt=on_interrupt)
    again = None if recovery is None else text(recovery)
    return Step(name, spec, needs, uses, again, recovery_uses, on_failure)


def plan(
    *steps: Step,
    isolation: str = "none",
    max_budget: int | None = None,
    timeout_ms: int | None = None,
    tags: tuple[str, ...] = (),
) -> Plan:
    """A plan of these steps."""
    source = "" if isolation == "none" else "/repo"
    return Plan(steps, isolation, "none", source, tags, max_budget, timeout_ms)


def step_task(name: str, run: int = 1, chain_id: str = CHAIN) -> str:
    """The id of the task of a step's run."""
    return chain.step_task_id(chain_id, name, run)


def ended(name: str, status: str = "completed", run: int = 1, cost: int = 5) -> chain.RecordStepEnded:
    """The task of a step ended."""
    failed = status == "failed"
    output, code, message = text(f"out of {name}"), "turn_limit" if failed else "", "No." if failed else ""
    variables = (("v", text(f"v of {name}")),) if status == "completed" else ()
    return chain.RecordStepEnded(CHAIN, name, run, status, output, variables, cost, 1, code, message)


def accept(story: Story, order: Plan, chain_id: str = CHAIN) -> None:
    """Have the pool accept a chain."""
    story.do(SubmitChain(chain_id, order, "fingerprint", NOW))


def go_on(story: Story) -> None:
    """All that can start does, in conversations that have been cleared."""
    for answer in (answer_clears, answer_launches):
        story.settle()
        answer(story)
    story.settle()


def chain_of(story: Story, chain_id: str = CHAIN) -> chain.Chain:
    """A chain in any state, folded from its own stream."""
    state: chain.Chain = chain.ABSENT
    for event in story.events_of(chain_id):
        state = chain.evolve(state, chain_event(event))
    return state


def chain_event(event: Event) -> ChainEvent:
    """An event of a chain's stream, as such."""
    return event  # type: ignore[return-value]  # a chain's stream holds chain events


def states(story: Story, chain_id: str = CHAIN) -> dict[str, str]:
    """What became of each step so far."""
    state = chain_of(story, chain_id)
    assert not isinstance(state, chain.Absent)
    return {
        name: at.status if isinstance(at, chain.Done) else type(at).__name__.lower()
        for name, at in state.work.steps.items()
    }
