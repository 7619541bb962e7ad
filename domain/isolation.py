"""Places of their own for work that changes files: what was made, what was kept of it, where it landed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Isolation(StrEnum):
    """Where work that changes files happens: in the directory itself, a linked work tree, or a clone."""

    NONE = "none"
    WORKTREE = "worktree"
    CLONE = "clone"


class Merge(StrEnum):
    """How kept work reaches the branch it began from: not at all, forward only, or by a merge commit."""

    NONE = "none"
    FF = "ff"
    MERGE = "merge"


class Obstacle(StrEnum):
    """Why kept work did not land. Whatever it is, its branch and the target branch are as they were."""

    CONFLICT = "conflict"
    """Both sides changed the same places."""
    DIVERGED = "diverged"
    """The target has commits of its own since, so that it cannot move forward only."""
    NO_TARGET = "no_target"
    """No branch was checked out when the work began, or it is gone."""
    UNSAVED = "unsaved"
    """The target is checked out, and files there that nobody has committed are in the way."""
    LOCKED = "locked"
    """The target is checked out, and git is at work there (or died at it)."""
    MOVED = "moved"
    """The target moved while the work was being landed. To try again is sensible."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A work tree of its own, all paths absolute.

    `path` is its root and `directory` what in it answers to the directory that was asked for.
    `repository` is the common git folder of the source. `branch` holds the work, from the commit `base`
    on; `target` is the branch that was checked out in the source (None: it was detached).
    `notes` say what a person should know, such as changes of the source that are not in it.
    """

    name: str
    kind: str
    path: str
    directory: str
    repository: str
    branch: str
    base: str
    target: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """All work of a workplace as commits: `branch` (in the source repository) is at `head`.

    `diff` is what `base` to `head` changed, as text for reading. `complete` is False where something in
    the work tree is not in the commits and cannot be (a repository inside of it); `notes` say what.
    """

    branch: str
    base: str
    head: str
    files_changed: int
    diff: str
    complete: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Landed:
    """The work is in the branch `target`, which is at `head`."""

    target: str
    head: str


@dataclass(frozen=True, slots=True)
class NotLanded:
    """The work stays on its branch; `message` says why and what to do. `files` are those in the way."""

    target: str | None
    obstacle: Obstacle
    message: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of an orphan. `removed` is False where its directory stays, for the `problem` told."""

    name: str
    branch: str
    kept: Kept | None
    removed: bool
    problem: str = ""


class Workplaces(Protocol):
    """Makes workplaces, keeps their work, lands it, and takes them away. All methods block.

    A `name` is a chain's or slot's id: at most 64 of `a-z`, `0-9`, `.`, `_` and `-`.
    """

    def create(self, name: str, kind: Isolation, source_dir: str, commit: str = "") -> Workplace:
        """Make the workplace `name` at `commit`, or where `source_dir` stands; or find it as it was left.

        Raises:
            IsolationFailed: it cannot be made; nothing of it is left. InvalidArgument: a bad name.
        """
        ...

    def verify(self, source_dir: str, commit: str) -> None:
        """Make sure that work can begin from `commit` in the repository of `source_dir`.

        Raises:
            IsolationFailed: there is no such repository, or it does not have the commit (any more).
        """
        ...

    def find(self, name: str) -> Workplace | None:
        """The workplace `name`, where it was made and not removed."""
        ...

    def note(self, name: str, label: str) -> str:
        """The commit that holds everything in it that is not ignored as it is now; nothing else moves.

        The repository keeps it as `refs/claude-pool/<name>/steps/<label>`.

        Raises:
            IsolationFailed: something is in the way, or is in no commit.
        """
        ...

    def keep(self, name: str) -> Kept:
        """Commit everything in it that is not ignored to its branch. Again with nothing new: the same.

        Raises:
            IsolationFailed: something is in the way; everything lies where it was.
        """
        ...

    def land(self, workplace: Workplace, branch: str, how: Merge) -> Landed | NotLanded:
        """Bring `branch` into the workplace's target. Needs no directory, and may be asked again.

        Raises:
            IsolationFailed: git does not work there; nothing was changed.
        """
        ...

    def remove(self, name: str) -> Kept:
        """Keep once more, then delete the directory; and the branch, if it has no commit of its own.

        Raises:
            IsolationFailed: something in it cannot be kept; the directory stays.
        """
        ...

    def sweep(self, known: Collection[str]) -> tuple[Swept, ...]:
        """Keep and remove every workplace that is not `known`. Never raises for one of them."""
        ...
