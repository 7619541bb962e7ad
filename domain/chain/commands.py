"""What a chain can be told, and what becomes of its steps and its copy of the repository."""

from __future__ import annotations

from dataclasses import dataclass

from ..chain_events import Plan, StepReused, WorkKept, WorkplaceMade, WorkplaceRefused
from ..values import Text


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
