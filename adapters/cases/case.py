"""What a case is: the log up to a point, and what slots printed and texts it takes to play its end again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_pool.domain.errors import LogBroken, LogNewer, StoreUnreadable

from ..store.chain import Row

FORMAT = 1
"""Of the file; a case of a higher one is refused."""

MOST_BYTES = 2**30
"""A case is no larger than this when it is unpacked."""

MOST_MEMBERS = 100_000
"""A case has no more files than this."""


class NoCase(StoreUnreadable):
    """{path} is no case: {problem}. Nothing was written. {hint}"""


class CaseDamaged(LogBroken):
    """{path} is damaged: {problem}. Nothing was written. Export it again, or copy the file again."""


class CaseNewer(LogNewer):
    """{path} was made by a newer version (format {found}, this program knows up to {known}). Upgrade
    claude-pool; nothing was written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a case is about: the events `first` to `last`, and the task or chain they were chosen by."""

    first: int
    last: int
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded run.

    `rows` are all events up to the last one: those before `asked.first` are the state in which the run
    began. `transcripts` maps attempts to what their slots printed, `blobs` SHA-256 names to texts; `missing`
    names what could not be found when the case was made. `redacted`: words were taken out, so the chain is
    not the original's.
    """

    program: str
    asked: Asked
    rows: tuple[Row, ...]
    transcripts: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    blobs: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    missing: tuple[str, ...] = ()
    redacted: bool = False
