"""The Chain aggregate: steps with needs, run as tasks; when they are done, the next ones start.

Invariants: a step has one task a run, whose id is derived from chain, step and run; a step starts only
when all its needs are done; nothing starts once the chain is ending. See `chain_events` for the facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from .chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainEvent,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
    WorkplaceRequested,
)
from .errors import WrongState
from .values import Text, derived_id

CANCELLED_BY_CALLER = "A caller cancelled the chain."
"""What a chain's end says where no other reason was given."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The step's needs are not done. Their end starts or skips it; a crash leaves it as it is."""


@dataclass(frozen=True, slots=True)
class Started:
    """The step is the task `task_id`; its state is that task's, and its end ends it.

    `cost`, `attempts` and `problem` are those of the run before.
    """

    run: int
    task_id: str
    cost: int = 0
    attempts: int = 0
    problem: Text = Text()


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over. `status` is completed, failed or cancelled; `code` and `message` say why.

    `head` is the commit with what it left in the chain's copy (empty: none). Where the step is reused,
    `source` is the chain in which it ran, and `session` its conversation there, which stays as it is.
    """

    status: str
    run: int
    task_id: str
    output: Text
    variables: tuple[tuple[str, Text], ...]
    cost: int
    attempts: int
    code: str | None = None
    message: str = ""
    head: str = ""
    source: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The chain ended before the step could start."""


StepState = Waiting | Started | Done | Skipped


@dataclass(frozen=True, slots=True)
class Work:
    """What stays with a chain through its states. `ending` says why no further step starts."""

    chain_id: str
    plan: Plan
    fingerprint: str
    submitted_at: int
    steps: Mapping[str, StepState] = field(default_factory=dict[str, StepState])
    workplace: WorkplaceMade | None = None
    kept: WorkKept | None = None
    ending: EndingBegun | None = None

    @property
    def cost(self) -> int:
        """What the ended runs of all steps cost, in microdollars."""
        return sum(state.cost for state in self.steps.values() if isinstance(state, (Started, Done)))

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.plan.steps if step.name == name)

    @property
    def started(self) -> tuple[tuple[str, Started], ...]:
        """The steps that have a task now, in the order of the plan."""
        return tuple((name, state) for name, state in self.steps.items() if isinstance(state, Started))

    @property
    def spared(self) -> frozenset[str]:
        """The conversations of reused steps, in which nothing more is said."""
        return frozenset(at.session for at in self.steps.values() if isinstance(at, Done) and at.session)


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such chain. `SubmitChain` ends it."""


@dataclass(frozen=True, slots=True)
class Preparing:
    """Waits for its own copy of the repository, which the owner `asked` makes (None: nobody yet).

    The recorded outcome ends it; after a crash the next owner asks again.
    """

    work: Work
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """Steps run. The end of the last one ends it; a crash leaves it to the state of its tasks."""

    work: Work


@dataclass(frozen=True, slots=True)
class Closing:
    """All steps are over; the owner `asked` keeps the work (None: nobody yet).

    The recorded outcome ends it; after a crash the next owner asks again.
    """

    work: Work
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Terminal: all went well."""

    work: Work


@dataclass(frozen=True, slots=True)
class Failed:
    """Terminal: it did not, and why."""

    work: Work
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Terminal: a caller did not want it any more."""

    work: Work


StepEvent = StepReused | StepStarted | StepCompleted | StepFailed | StepCancelled | StepSkipped
Known = Preparing | Running | Closing | Completed | Failed | Cancelled
Chain = Absent | Known
Terminal = Completed | Failed | Cancelled

ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class SubmitChain:
    """Accept a chain under the id `chain_id`, in which the steps `reused` are over."""

    chain_id: str
    plan: Plan
    fingerprint: str
    now: int
    reused: tuple[StepReused, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestWorkplace:
    """Have `owner` make the chain's copy of the repository."""

    chain_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class RecordWorkplace:
    """The copy is there, or could not be made."""

    chain_id: str
    made: WorkplaceMade | WorkplaceRefused
    now: int


@dataclass(frozen=True, slots=True)
class RecordStepEnded:
    """The task of a step's `run` ended: `status` is completed, failed or cancelled."""

    chain_id: str
    step: str
    run: int
    status: str
    output: Text
    variables: tuple[tuple[str, Text], ...]
    cost: int
    attempts: int
    code: str = ""
    message: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class CancelChain:
    """The chain is to end: because of `why`, or (empty) because a caller does not want it any more."""

    chain_id: str
    now: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class ExpireChain:
    """The chain's time is over."""

    chain_id: str
    now: int


@dataclass(frozen=True, slots=True)
class RequestClosing:
    """Have `owner` keep the work of a chain whose steps are over."""

    chain_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class RecordWorkKept:
    """What became of the work."""

    chain_id: str
    kept: WorkKept


ChainCommand = (
    SubmitChain | RequestWorkplace | RecordWorkplace | RecordStepEnded | CancelChain | ExpireChain
    | RequestClosing | RecordWorkKept
)  # fmt: skip


def deadline(state: Known) -> int | None:
    """When the chain is ended for time (ms); None: never, or everything in it is asked to end already."""
    timeout, ending = state.work.plan.timeout_ms, state.work.ending
    if timeout is None or not isinstance(state, (Preparing, Running)):
        return None
    if ending is not None and ending.reason in ("cancelled", "timed_out_chain"):
        return None
    return state.work.submitted_at + timeout


def step_task_id(chain_id: str, step: str, run: int) -> str:
    """The id of the task of a step's run: the same for ever, so that no restart can start it twice."""
    return derived_id("task", chain_id, step, str(run))


def decide(command: ChainCommand, state: Chain) -> tuple[ChainEvent, ...]:
    """The facts that `command` brings about in `state`.

    Raises:
        WrongState: the chain cannot do this now.
    """
    match command:
        case SubmitChain(chain_id, plan, fingerprint, now, reused):
            if not isinstance(state, Absent):
                raise _refusal(chain_id, state, "it was submitted before")
            return _then_advance(state, ChainSubmitted(chain_id, plan, fingerprint, now), *reused)
        case RequestWorkplace(_, owner):
            if isinstance(state, Preparing) and state.asked != owner:
                return (WorkplaceRequested(owner),)
            return ()
        case RecordWorkplace(_, made):
            return _on_workplace(state, made)
        case RecordStepEnded():
            return _on_step_ended(state, command)
        case CancelChain(chain_id, _, why):
            if isinstance(state, (Preparing, Running)):
                return _end(state, EndingBegun("cancelled", why or CANCELLED_BY_CALLER))
            if isinstance(state, Cancelled):
                return ()
            raise _refusal(chain_id, state, "there is nothing left to cancel")
        case ExpireChain():
            if isinstance(state, (Preparing, Running)):
                return _end(state, EndingBegun("timed_out_chain", "The chain ran out of its time."))
            return ()
        case RequestClosing(_, owner):
            if isinstance(state, Closing) and state.asked != owner:
                return (ClosingRequested(owner),)
            return ()
        case RecordWorkKept(_, kept):
            if not isinstance(state, Closing):
                return ()
            return (kept, _verdict(replace(state.work, kept=kept)))
        case _:
            assert_never(command)


def _refusal(chain_id: str, state: Chain, problem: str) -> WrongState:
    return WrongState(subject=chain_id, state=type(state).__name__.lower(), problem=problem)


def _then_advance(state: Chain, *events: ChainEvent) -> tuple[ChainEvent, ...]:
    """`events` and all that follows from them at once."""
    for event in events:
        state = evolve(state, event)
    return (*events, *_advance(state))


def _end(state: Preparing | Running, ending: EndingBegun) -> tuple[ChainEvent, ...]:
    if state.work.ending is not None and state.work.ending.reason == ending.reason:
        return ()
    return _then_advance(state, ending)


def _on_workplace(state: Chain, made: WorkplaceMade | WorkplaceRefused) -> tuple[ChainEvent, ...]:
    if not isinstance(state, Preparing):
        return ()
    if isinstance(made, WorkplaceMade):
        return _then_advance(state, made)
    skipped = tuple(StepSkipped(name) for name, at in state.work.steps.items() if isinstance(at, Waiting))
    ending = state.work.ending
    if ending is not None:
        return (made, *skipped, _verdict(state.work))
    return (made, *skipped, ChainFailed(made.code, made.problem))


def _on_step_ended(state: Chain, command: RecordStepEnded) -> tuple[ChainEvent, ...]:
    if not isinstance(state, Running):
        return ()
    work, at = state.work, state.work.steps.get(command.step)
    if not isinstance(at, Started) or at.run != command.run:
        return ()
    name, run, cost, attempts = command.step, command.run, command.cost, command.attempts
    step = work.step(name)
    match command.status:
        case "completed":
            done = StepCompleted(
                name, run, command.output, command.variables, cost, attempts, command.head
            )  # fmt: skip
            return _then_advance(state, done)
        case "cancelled":
            ended: ChainEvent = StepCancelled(name, run, cost, attempts)
            message = f"The task of step {name} was cancelled."
        case _:
            ended = StepFailed(
                name, run, command.code, command.message, command.output, cost, attempts, command.head
            )  # fmt: skip
            message = f"Step {name} failed: [{command.code}] {command.message}"
            if step.recovery_prompt is not None and run == 1 and work.ending is None:
                return (ended, StepStarted(name, 2, step_task_id(work.chain_id, name, 2)))
    if work.ending is not None or step.on_failure == "continue":
        return _then_advance(state, ended)
    reason = "skip_rest" if step.on_failure == "skip_rest" else "step_failed"
    return _then_advance(state, ended, EndingBegun(reason, message))


def _advance(state: Chain) -> Iterator[ChainEvent]:
    """What the present state lets happen at once: steps that start or are skipped, and the chain's end."""
    assert isinstance(state, (Preparing, Running))
    work = state.work
    waiting = {name: None for name, at in work.steps.items() if isinstance(at, Waiting)}
    if work.ending is not None:
        yield from (StepSkipped(name) for name in waiting)
        if isinstance(state, Preparing):
            if state.asked is None:
                yield _verdict(work)
            return
    elif isinstance(state, Preparing):
        return
    started = list(_startable(work, waiting)) if work.ending is None else []
    yield from (StepStarted(name, 1, step_task_id(work.chain_id, name, 1)) for name in started)
    if started or work.started:
        return
    if work.workplace is not None:
        yield StepsEnded()
    else:
        yield _verdict(work)


def _startable(work: Work, waiting: Collection[str]) -> Iterator[str]:
    """The waiting steps whose needs are done; in a copy of the repository one at a time."""
    alone = work.plan.isolation != "none"
    if alone and work.started:
        return
    for step in work.plan.steps:
        if step.name in waiting and all(isinstance(work.steps[need], Done) for need in step.needs):
            yield step.name
            if alone:
                return


def went_well(work: Work) -> bool:
    """Whether a chain whose steps are over has done what it was for, so that its work may be merged."""
    return work.ending is None or work.ending.reason == "skip_rest"


def _verdict(work: Work) -> ChainEvent:
    """How a chain ends whose steps are all over."""
    ending, kept = work.ending, work.kept
    if ending is not None and ending.reason == "cancelled":
        return ChainCancelled()
    if ending is not None and not went_well(work):
        return ChainFailed(ending.reason, ending.message)
    if kept is not None and kept.code is not None:
        return ChainFailed(kept.code, kept.problem)
    return ChainCompleted()


def evolve(state: Chain, event: ChainEvent) -> Chain:
    """The state after `event`; a fact that makes no sense in `state` leaves it unchanged. Never raises."""
    if isinstance(state, Absent):
        if not isinstance(event, ChainSubmitted):
            return state
        steps: dict[str, StepState] = {step.name: Waiting() for step in event.plan.steps}
        work = Work(event.chain_id, event.plan, event.fingerprint, event.at, steps)
        return Running(work) if event.plan.isolation == "none" else Preparing(work)
    return _evolve_known(state, event)


def _evolve_known(state: Known, event: ChainEvent) -> Chain:
    if isinstance(state, (Completed, Failed, Cancelled)):
        return state
    work = state.work
    match event:
        case WorkplaceRequested(owner):
            return Preparing(work, owner) if isinstance(state, Preparing) else state
        case WorkplaceMade():
            return Running(replace(work, workplace=event)) if isinstance(state, Preparing) else state
        case StepReused() | StepStarted() | StepCompleted() | StepFailed() | StepCancelled() | StepSkipped():
            return _with_step(state, event)
        case EndingBegun():
            return state if isinstance(state, Closing) else replace(state, work=replace(work, ending=event))
        case StepsEnded():
            return Closing(work) if isinstance(state, Running) else state
        case ClosingRequested(owner):
            return Closing(work, owner) if isinstance(state, Closing) else state
        case WorkKept():
            return replace(state, work=replace(work, kept=event)) if isinstance(state, Closing) else state
        case ChainCompleted():
            return Completed(work)
        case ChainFailed(code, message):
            return Failed(work, code, message)
        case ChainCancelled():
            return Cancelled(work)
        case ChainSubmitted() | WorkplaceRefused():
            return state
        case _:
            assert_never(event)


def _with_step(state: Preparing | Running | Closing, event: StepEvent) -> Known:
    if isinstance(event, StepStarted) and not isinstance(state, Running):
        return state
    after = _evolve_step(state.work.steps.get(event.step), event)
    if after is None:
        return state
    return replace(state, work=replace(state.work, steps={**state.work.steps, event.step: after}))


def _evolve_step(at: StepState | None, event: StepEvent) -> StepState | None:
    """The step after `event`, or None where it makes no sense there."""
    if isinstance(event, StepStarted):
        match at:
            case Waiting() if event.run == 1:
                return Started(1, event.task_id)
            case Done(status="failed", run=1) if event.run == 2:
                problem = f"[{at.code}] {at.message}"
                size = len(problem.encode("utf-8", "replace"))
                return Started(2, event.task_id, at.cost, at.attempts, Text(problem, size=size))
            case _:
                return None
    if isinstance(event, StepSkipped):
        return Skipped() if isinstance(at, Waiting) else None
    if isinstance(event, StepReused):
        return _as_it_was(event) if isinstance(at, Waiting) else None
    if not isinstance(at, Started) or at.run != event.run:
        return None
    cost, attempts = at.cost + event.cost, at.attempts + event.attempts
    match event:
        case StepCompleted(_, run, output, variables, head=head):
            return Done("completed", run, at.task_id, output, variables, cost, attempts, head=head)
        case StepFailed(_, run, code, message, output, head=head):
            return Done("failed", run, at.task_id, output, (), cost, attempts, code, message, head)
        case StepCancelled(_, run):
            return Done("cancelled", run, at.task_id, Text(), (), cost, attempts)
        case _:
            assert_never(event)


def _as_it_was(event: StepReused) -> Done:
    return Done(
        event.status, event.run, event.task_id, event.output, event.variables, 0, 0, event.code,
        event.message, event.head, event.chain_id, event.session,
    )  # fmt: skip
