"""The Chain aggregate: steps with needs, run as tasks; when they are done, the next ones start.

Invariants: a step has one task a run, whose id is derived from chain, step and run; a step starts only
when all its needs are done; nothing starts once the chain is ending. See `chain_events` for the facts.
"""

from .commands import (
    CancelChain,
    ChainCommand,
    ExpireChain,
    RecordStepEnded,
    RecordWorkKept,
    RecordWorkplace,
    RequestClosing,
    RequestWorkplace,
    SubmitChain,
)
from .decisions import decide
from .evolution import evolve
from .states import (
    ABSENT,
    CANCELLED_BY_CALLER,
    Absent,
    Cancelled,
    Chain,
    Closing,
    Completed,
    Done,
    Failed,
    Known,
    Preparing,
    Running,
    Skipped,
    Started,
    StepState,
    Terminal,
    Waiting,
    Work,
    deadline,
    step_task_id,
    went_well,
)

__all__ = [
    "ABSENT",
    "CANCELLED_BY_CALLER",
    "Absent",
    "CancelChain",
    "Cancelled",
    "Chain",
    "ChainCommand",
    "Closing",
    "Completed",
    "Done",
    "ExpireChain",
    "Failed",
    "Known",
    "Preparing",
    "RecordStepEnded",
    "RecordWorkKept",
    "RecordWorkplace",
    "RequestClosing",
    "RequestWorkplace",
    "Running",
    "Skipped",
    "Started",
    "StepState",
    "SubmitChain",
    "Terminal",
    "Waiting",
    "Work",
    "deadline",
    "decide",
    "evolve",
    "step_task_id",
    "went_well",
]
