"""The facts of a Chain's stream (`chain-…`). Names and versions never change once written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .values import TaskSpec, Text


@dataclass(frozen=True)
class Step:
    """One step of a chain, as it was accepted.

    `spec` is what its task will be; the prompt is a template, and `uses` names the placeholders in it
    (`recovery_uses`: those of `recovery_prompt`). `needs` are the steps that must be done before.
    `on_failure` is `stop`, `continue` or `skip_rest`.
    """

    name: str
    spec: TaskSpec
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    recovery_prompt: Text | None = None
    recovery_uses: tuple[str, ...] = ()
    on_failure: str = "stop"


@dataclass(frozen=True)
class Fork:
    """What a chain takes up again: the chain `chain_id` from `step` on.

    `commit` is where its own copy of the repository begins (empty: where the source stands, or it has none).
    """

    chain_id: str
    step: str
    commit: str = ""


@dataclass(frozen=True)
class Plan:
    """A chain as it was accepted: its steps in the caller's order, and what holds for all of them.

    `isolation` is `none`, `worktree` or `clone` of the repository at `source_dir`; `merge` is `none`, `ff`
    or `merge`. `max_budget` (microdollars) covers all steps; `timeout_ms` counts from the submission.
    `fork` is set where the chain takes up another one.
    """

    steps: tuple[Step, ...]
    isolation: str = "none"
    merge: str = "none"
    source_dir: str = ""
    tags: tuple[str, ...] = ()
    max_budget: int | None = None
    timeout_ms: int | None = None
    fork: Fork | None = None


@dataclass(frozen=True)
class ChainSubmitted:
    """A chain was accepted. `fingerprint` digests the caller's arguments, for idempotency keys."""

    NAME: ClassVar[str] = "chain.submitted"
    VERSION: ClassVar[int] = 1
    chain_id: str
    plan: Plan
    fingerprint: str
    at: int


@dataclass(frozen=True)
class WorkplaceRequested:
    """The owner `owner` begins to make the chain's own copy of the repository."""

    NAME: ClassVar[str] = "chain.workplace_requested"
    VERSION: ClassVar[int] = 1
    owner: str


@dataclass(frozen=True)
class WorkplaceMade:
    """The copy at `path` is made; steps work in `directory` there, on `branch`, which began at `base`.

    `repository` is the git folder of the source; `target` the branch that it had checked out then (None: it
    was detached). `notes` say what a person should know, such as changes of the source that are not in it.
    """

    NAME: ClassVar[str] = "chain.workplace_made"
    VERSION: ClassVar[int] = 1
    path: str
    directory: str
    repository: str
    branch: str
    base: str
    target: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkplaceRefused:
    """The copy could not be made, so no step may start."""

    NAME: ClassVar[str] = "chain.workplace_refused"
    VERSION: ClassVar[int] = 1
    code: str
    problem: str


@dataclass(frozen=True)
class StepReused:
    """The step is over, as it was in the chain that this one takes up again: it runs no task here.

    It ran as the task `task_id` (run `run`) of the chain `chain_id`, whose attempt number `attempt` in the
    conversation `session` was the last. It costs nothing here. `status` is `completed` or `failed`; `head` is
    as in `StepCompleted`.
    """

    NAME: ClassVar[str] = "step.reused"
    VERSION: ClassVar[int] = 1
    step: str
    chain_id: str
    task_id: str
    run: int
    attempt: int
    status: str
    output: Text
    variables: tuple[tuple[str, Text], ...]
    session: str = ""
    code: str | None = None
    message: str = ""
    head: str = ""


@dataclass(frozen=True)
class StepStarted:
    """The needs of the step are done: it is the task `task_id` from now on. Run 2 is its recovery."""

    NAME: ClassVar[str] = "step.started"
    VERSION: ClassVar[int] = 1
    step: str
    run: int
    task_id: str


@dataclass(frozen=True)
class StepCompleted:
    """The step's task completed. `cost` (microdollars) and `attempts` are of this run.

    `head` is the commit that holds the chain's copy of the repository as it was then (empty: none does).
    """

    NAME: ClassVar[str] = "step.completed"
    VERSION: ClassVar[int] = 1
    step: str
    run: int
    output: Text
    variables: tuple[tuple[str, Text], ...]
    cost: int
    attempts: int
    head: str = ""


@dataclass(frozen=True)
class StepFailed:
    """The step's task failed. A recovery, or what the step says of failures, comes next.

    `head` is as in `StepCompleted`.
    """

    NAME: ClassVar[str] = "step.failed"
    VERSION: ClassVar[int] = 1
    step: str
    run: int
    code: str
    message: str
    output: Text
    cost: int
    attempts: int
    head: str = ""


@dataclass(frozen=True)
class StepCancelled:
    """The step's task was cancelled."""

    NAME: ClassVar[str] = "step.cancelled"
    VERSION: ClassVar[int] = 1
    step: str
    run: int
    cost: int
    attempts: int


@dataclass(frozen=True)
class StepSkipped:
    """The chain is ending before the step could start."""

    NAME: ClassVar[str] = "step.skipped"
    VERSION: ClassVar[int] = 1
    step: str


@dataclass(frozen=True)
class EndingBegun:
    """No further step starts. `reason` is `skip_rest`, `cancelled`, `timed_out_chain` or `step_failed`."""

    NAME: ClassVar[str] = "chain.ending_begun"
    VERSION: ClassVar[int] = 1
    reason: str
    message: str = ""


@dataclass(frozen=True)
class StepsEnded:
    """All steps are over; what was done in the chain's own copy is to be kept before the chain ends."""

    NAME: ClassVar[str] = "chain.steps_ended"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class ClosingRequested:
    """The owner `owner` begins to keep, and to merge where that is asked for, the chain's work."""

    NAME: ClassVar[str] = "chain.closing_requested"
    VERSION: ClassVar[int] = 1
    owner: str


@dataclass(frozen=True)
class WorkKept:
    """The work is committed on `branch`. `merged` names the branch that has it too.

    `code` and `problem` say why the work is only on its branch although a merge was asked for, or why it
    could not be committed (`head` is empty then, and the directory is left as it is).
    """

    NAME: ClassVar[str] = "chain.work_kept"
    VERSION: ClassVar[int] = 1
    branch: str
    head: str
    files_changed: int
    diff: Text
    merged: str | None = None
    code: str | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChainCompleted:
    """All went well, as far as the steps say of failures. Terminal."""

    NAME: ClassVar[str] = "chain.completed"
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True)
class ChainFailed:
    """The chain ended without what it was for. Terminal."""

    NAME: ClassVar[str] = "chain.failed"
    VERSION: ClassVar[int] = 1
    code: str
    message: str


@dataclass(frozen=True)
class ChainCancelled:
    """A caller did not want the chain any more. Terminal."""

    NAME: ClassVar[str] = "chain.cancelled"
    VERSION: ClassVar[int] = 1


ChainEvent = (
    ChainSubmitted | WorkplaceRequested | WorkplaceMade | WorkplaceRefused | StepReused | StepStarted
    | StepCompleted | StepFailed | StepCancelled | StepSkipped | EndingBegun | StepsEnded | ClosingRequested
    | WorkKept | ChainCompleted | ChainFailed | ChainCancelled
)  # fmt: skip

EVENTS: tuple[type[ChainEvent], ...] = (
    ChainSubmitted, WorkplaceRequested, WorkplaceMade, WorkplaceRefused, StepReused, StepStarted,
    StepCompleted, StepFailed, StepCancelled, StepSkipped, EndingBegun, StepsEnded, ClosingRequested,
    WorkKept, ChainCompleted, ChainFailed, ChainCancelled,
)  # fmt: skip
