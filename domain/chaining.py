"""Where chains and tasks meet: the task that a step becomes, and what a task's end means for its chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import chain, task
from .chain_events import Step, StepStarted
from .records import Fact
from .task_events import TaskEvent
from .templates import ERROR, PREVIOUS
from .values import Filling, Options, Part, TaskSpec, Text
from .world import World


def follow(facts: tuple[Fact, ...], world: World, now: int) -> tuple[Fact, ...]:
    """`facts`, and all that they mean for chains: steps that end, and the tasks of steps that start.

    `now` (ms) is when the new tasks are submitted. Everything belongs in one append.
    """
    chains: dict[str, chain.Chain] = {
        f.stream: world.chains.get(f.stream, chain.ABSENT) for f in facts if f.stream.startswith("chain-")
    }
    if not chains and not world.chains:
        return facts
    more: list[Fact] = []
    for fact in facts:
        if fact.stream in chains:
            chains[fact.stream] = chain.evolve(chains[fact.stream], fact.event)  # type: ignore[arg-type]
    for ended, part in _ended(facts, world):
        state = chains.get(part.chain_id, world.chains.get(part.chain_id, chain.ABSENT))
        events = chain.decide(_step_ended(ended, part), state)
        for event in events:
            state = chain.evolve(state, event)
        chains[part.chain_id] = state
        more += [Fact(part.chain_id, event) for event in events]
    return (*facts, *more, *_submissions([*facts, *more], chains, now))


def _ended(facts: Iterable[Fact], world: World) -> list[tuple[task.Terminal, Part]]:
    """The tasks of chain steps that `facts` end."""
    touched = {fact.stream: world.tasks[fact.stream] for fact in facts if fact.stream in world.tasks}
    ended: list[tuple[task.Terminal, Part]] = []
    for stream, before in touched.items():
        part = before.job.spec.part
        if part is None:
            continue
        state: task.Task = before
        for fact in facts:
            if fact.stream == stream:
                event: TaskEvent = fact.event  # type: ignore[assignment]  # a task's stream holds task events
                state = task.evolve(state, event)
        if isinstance(state, (task.Completed, task.Failed, task.Cancelled)):
            ended.append((state, part))
    return ended


def _step_ended(state: task.Terminal, part: Part) -> chain.RecordStepEnded:
    job = state.job
    outcome = job.attempts[-1].outcome if job.attempts else None
    status = {"Completed": "completed", "Failed": "failed"}.get(type(state).__name__, "cancelled")
    return chain.RecordStepEnded(
        part.chain_id,
        part.step,
        part.run,
        status,
        outcome.output if outcome is not None else Text(),
        outcome.variables if outcome is not None else (),
        job.cost,
        len(job.attempts),
        state.code if isinstance(state, task.Failed) else "",
        state.message if isinstance(state, task.Failed) else "",
        outcome.head if outcome is not None else "",
    )


def _submissions(facts: list[Fact], chains: dict[str, chain.Chain], now: int) -> Iterable[Fact]:
    """The tasks of the steps that `facts` start."""
    for fact in facts:
        started = fact.event
        if isinstance(started, StepStarted):
            state = chains[fact.stream]
            assert not isinstance(state, chain.Absent)
            spec = step_spec(state.work, started)
            command = task.SubmitTask(started.task_id, spec, "", now)
            yield from (Fact(started.task_id, event) for event in task.decide(command, task.ABSENT))


def step_spec(work: chain.Work, started: StepStarted) -> TaskSpec:
    """The task that a step becomes."""
    step = work.step(started.step)
    recovering = started.run > 1
    uses = step.recovery_uses if recovering else step.uses
    prompt = step.recovery_prompt if recovering and step.recovery_prompt is not None else step.spec.prompt
    return replace(
        step.spec,
        prompt=prompt,
        options=_options(work, step.spec.options),
        tags=tuple(dict.fromkeys((*work.plan.tags, *step.spec.tags))),
        retries=0 if recovering else step.spec.retries,
        part=Part(work.chain_id, step.name, started.run),
        fillings=tuple(Filling(use, _texts(work, step, use)) for use in uses),
    )


def _options(work: chain.Work, options: Options) -> Options:
    if work.workplace is not None:
        options = replace(options, working_dir=work.workplace.directory)
    return options


def _texts(work: chain.Work, step: Step, use: str) -> tuple[Text, ...]:
    """What a placeholder stands for in this step now."""
    if use == PREVIOUS:
        return tuple(_output(work, need) for need in step.needs)
    if use == ERROR:
        recovering = work.steps[step.name]
        return (recovering.problem,) if isinstance(recovering, chain.Started) else ()
    _, name, variable = use.split(".", 2)
    if variable == "output":
        return (_output(work, name),)
    state = work.steps[name]
    found = dict(state.variables) if isinstance(state, chain.Done) else {}
    return (found[variable],) if variable in found else ()


def _output(work: chain.Work, name: str) -> Text:
    state = work.steps[name]
    return state.output if isinstance(state, chain.Done) else Text()
