"""What a chain and its steps can be, and what is known of them in each state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..chain_events import EndingBegun, Plan, Step, WorkKept, WorkplaceMade
from ..values import Text, derived_id

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


@dataclass(frozen=True)
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


Known = Preparing | Running | Closing | Completed | Failed | Cancelled


Chain = Absent | Known


Terminal = Completed | Failed | Cancelled


ABSENT = Absent()


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


def went_well(work: Work) -> bool:
    """Whether a chain whose steps are over has done what it was for, so that its work may be merged."""
    return work.ending is None or work.ending.reason == "skip_rest"
