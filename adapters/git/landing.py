"""Bringing a branch into the one that the work began from, without a work tree of one's own.

The merge is computed in the object store; the target moves by compare-and-swap. Where the target is
checked out, its files move along, but only if that overwrites nothing that is not committed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from claude_pool.domain.isolation import Landed, Merge, NotLanded, Obstacle

from .command import LONG_SECONDS, Git, GitFailed
from .locks import IndexLocked, index_lock
from .making import work_trees
from .names import tip

_SHOWN = 20
_AT_WORK = (
    "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply",
    "sequencer",
)  # fmt: skip
_NO_FILTER = ("unspecified", "unset")
_REBASED = ("rebase-merge/head-name", "rebase-apply/head-name")


@dataclass(frozen=True, slots=True)
class _Move:
    """A branch on its way from one commit to another."""

    target: str
    branch: str
    old: str
    new: str

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.target}"

    def refused(self, obstacle: Obstacle, why: str, files: tuple[str, ...] = ()) -> NotLanded:
        text = f"{self.target} was not moved: {why} The work is on {self.branch}."
        return NotLanded(self.target, obstacle, text, files)


def land(git: Git, target: str | None, branch: str, how: Merge) -> Landed | NotLanded:
    """Bring `branch` into `target`. `git` is on the repository, whose lock the caller holds.

    Raises:
        GitFailed: git does not work there; nothing was changed.
    """
    git = git.disarmed()
    head = git.text("rev-parse", "--verify", "--end-of-options", f"refs/heads/{branch}^{{commit}}")
    old = tip(git, f"refs/heads/{target}") if target is not None else None
    if target is None or old is None:
        why = "no branch was checked out" if target is None else f"the branch {target} is gone"
        message = f"Nothing to merge into: {why}. The work is on {branch}: git merge {branch} takes it."
        return NotLanded(target, Obstacle.NO_TARGET, message)
    if _contains(git, old, head):
        return Landed(target, old)
    forward = _contains(git, head, old)
    move = _Move(target, branch, old, head)
    if how is not Merge.MERGE and not forward:
        return move.refused(
            Obstacle.DIVERGED, f"it has commits since that {branch} has not; a merge commit could join them."
        )
    if how is Merge.MERGE:
        merged = _merged(git, move)
        if isinstance(merged, NotLanded):
            return merged
        move = merged
    return _carry_out(git, move)


def _contains(git: Git, commit: str, other: str) -> bool:
    return git.run("merge-base", "--is-ancestor", other, commit, ok=(0, 1)).code == 0


def _merged(git: Git, move: _Move) -> _Move | NotLanded:
    """The move to a merge commit, or the conflict."""
    options = ("--write-tree", "-z", "--name-only", "--no-messages")
    ran = git.run("merge-tree", *options, move.old, move.new, ok=(0, 1), seconds=LONG_SECONDS)
    tree, *files = ran.names
    if ran.code:
        shown = tuple(name.encode("utf-8", "replace").decode() for name in files[:_SHOWN])
        why = f"both sides changed {', '.join(shown)}; merge {move.branch} by hand to choose."
        return move.refused(Obstacle.CONFLICT, why, shown)
    message = f"Merge branch '{move.branch}'\n".encode()
    new = git.run("commit-tree", tree, "-p", move.old, "-p", move.new, stdin=message).text
    return _Move(move.target, move.branch, move.old, new)


def _carry_out(git: Git, move: _Move) -> Landed | NotLanded:
    standing = [path for path, ref in work_trees(git).items() if ref == move.ref]
    if rebasing := _rebased(git, move):
        return move.refused(Obstacle.LOCKED, f"a rebase of it is not finished in {rebasing}.")
    if len(standing) > 1:
        return move.refused(Obstacle.LOCKED, f"it is checked out in {' and in '.join(standing)}.")
    if not standing:
        return _swap(git, move)
    if not os.path.isdir(standing[0]):
        return move.refused(Obstacle.LOCKED, f"it is checked out in {standing[0]}, which is not there.")
    return _with_work_tree(git, move, standing[0])


def _swap(git: Git, move: _Move) -> Landed | NotLanded:
    try:
        git.run("update-ref", "-m", f"claude-pool: merge {move.branch}", move.ref, move.new, move.old)
    except GitFailed as error:
        return move.refused(Obstacle.MOVED, f"it moved meanwhile ({error.said}).")
    return Landed(move.target, move.new)


def _rebased(git: Git, move: _Move) -> str | None:
    """The work tree in which the target is being rebased: git stands on no branch there meanwhile."""
    for path, ref in work_trees(git).items():
        own = None if ref or not os.path.isdir(path) else _own_git_dir(git, path)
        if own is None:
            continue
        for name in _REBASED:
            try:
                with open(os.path.join(own, name), encoding="utf-8") as file:
                    if file.read().strip() == move.ref:
                        return path
            except OSError:
                continue
    return None


def _own_git_dir(git: Git, path: str) -> str | None:
    """The git folder of a work tree; None where `path` is none, as git says of a submodule's own."""
    try:
        asked = ("--path-format=absolute", "--git-dir", "--show-toplevel")
        own, top = Git(git.environ, path).text("rev-parse", *asked).splitlines()
    except (GitFailed, ValueError):
        return None
    return own if os.path.realpath(top) == os.path.realpath(path) else None


def _with_work_tree(git: Git, move: _Move, path: str) -> Landed | NotLanded:
    """Move branch and files together, holding git's lock on the index all the time.

    The files go first: if we die in between, what shows there are changes that are safely on a branch,
    while a branch that went first would make the next commit there take the work back.
    """
    own = _own_git_dir(git, path)
    if own is None:
        return move.refused(Obstacle.LOCKED, f"where it is checked out cannot be told (not {path}).")
    if doing := [name for name in _AT_WORK if os.path.lexists(os.path.join(own, name))]:
        return move.refused(Obstacle.LOCKED, f"in {path} something is not finished ({doing[0]}).")
    try:
        with index_lock(os.path.join(own, "index")) as index:
            inside = git.at(own, path).on_index(index)
            inside.run("update-index", "-q", "--refresh", ok=(0, 1), seconds=LONG_SECONDS)
            if problem := _in_the_way(inside, move, path):
                return problem
            inside.run("read-tree", "-m", "-u", move.old, move.new, seconds=LONG_SECONDS)
            outcome = _swap(git, move)
            if isinstance(outcome, NotLanded):
                inside.run("read-tree", "-m", "-u", move.new, move.old, seconds=LONG_SECONDS)
            return outcome
    except IndexLocked as locked:
        return move.refused(Obstacle.LOCKED, f"it is checked out in {path}. {locked.advice}")
    except GitFailed as error:
        return move.refused(Obstacle.UNSAVED, f"its files in {path} could not be updated: {error.said}")


def _in_the_way(git: Git, move: _Move, path: str) -> NotLanded | None:
    """What speaks against updating the files of a work tree in which the target is checked out."""
    if git.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text != move.ref or tip(git, "HEAD") != move.old:
        return move.refused(Obstacle.MOVED, f"{path} moved meanwhile.")
    status = (
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--untracked-files=no",
        "--ignore-submodules=none",
    )
    if changed := [line[3:] for line in git.run(*status, seconds=LONG_SECONDS).names]:
        shown = tuple(changed[:_SHOWN])
        why = (
            f"it is checked out in {path}, where {', '.join(shown)} is not committed. Commit it, then merge."
        )
        return move.refused(Obstacle.UNSAVED, why, shown)
    diff = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff")
    touched = git.run(*diff, move.old, move.new).names
    # Git would overwrite an ignored file without a word, and one that it was told not to look at.
    added = git.run(*diff, "--diff-filter=A", move.old, move.new).names
    blind = {
        line[2:] for line in git.run("ls-files", "-v", "-z").names if line[0].islower() or line[0] == "S"
    }
    risky = [*added, *(name for name in touched if name in blind)]
    if there := tuple(name for name in risky if os.path.lexists(os.path.join(path, name)))[:_SHOWN]:
        why = f"it is checked out in {path}, where {', '.join(there)} would be overwritten. Move it away."
        return move.refused(Obstacle.UNSAVED, why, there)
    # Filters are off for us: files that pass through one would not be what the user's git writes.
    if filtered := _filtered(git, move, touched)[:_SHOWN]:
        why = (
            f"{', '.join(filtered)} in {path}, where it is checked out, goes through a filter. Merge by hand."
        )
        return move.refused(Obstacle.UNSAVED, why, filtered)
    return None


def _filtered(git: Git, move: _Move, touched: list[str]) -> tuple[str, ...]:
    """The touched files that pass through a filter, and the touched files that set one up."""
    given = b"".join(os.fsencode(name) + b"\0" for name in touched)
    asked = git.run("check-attr", "-z", "--stdin", "filter", stdin=given).names
    through = [name for name, _, value in zip(*[iter(asked)] * 3, strict=True) if value not in _NO_FILTER]
    for name in touched:
        if name.rpartition("/")[2] == ".gitattributes":
            content = git.run("cat-file", "blob", f"{move.new}:{name}", ok=(0, 128)).out
            through += [name] if b"filter" in content else []
    return tuple(through)
