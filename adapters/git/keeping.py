"""Turning everything in a work tree into commits, whatever state its git was left in."""

from __future__ import annotations

import os
from dataclasses import dataclass

from claude_pool.domain.isolation import Kept

from .command import LONG_SECONDS, Git, GitFailed
from .locks import IndexLocked, copy_index, index_lock
from .names import tip

DIFF_BYTES = 4 * 2**20
"""A longer diff is cut; the branch has all of it."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Saved:
    """The commit that holds the work, whether it holds all of it, and what a person should know."""

    head: str
    complete: bool
    notes: tuple[str, ...]


def save(git: Git, branch: str, base: str, draft: str) -> Saved:
    """Commit the work tree of `git` (which knows git folder and work tree) to `branch` there.

    The branch only moves forward: where the work tree stands on other commits, the new commit joins both.
    `draft` is a path for a copy of the index, so that a lock that was left on the index hinders nothing.

    Raises:
        GitFailed: something is in the way. Nothing was moved.
    """
    assert git.git_dir is not None
    git = git.disarmed()
    copy_index(f"{git.git_dir}/index", draft)
    try:
        tree, complete, notes = _tree(git.on_index(draft))
        head, at = tip(git, "HEAD"), tip(git, f"refs/heads/{branch}")
        standing = head or at or base
        if at is not None and _tree_of(git, at) == tree and _contains(git, at, standing):
            return Saved(at, complete, notes)
        parents = [standing]
        if at is not None and not _contains(git, standing, at):
            parents.append(at)
        new = standing
        if len(parents) > 1 or _tree_of(git, standing) != tree:
            options = [word for parent in parents for word in ("-p", parent)]
            message = f"Keep the work of {branch}\n".encode()
            new = git.run("commit-tree", tree, *options, stdin=message).text
        old = at or "0" * len(new)
        git.run("update-ref", "-m", "claude-pool: keep", f"refs/heads/{branch}", new, old)
        if git.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text == f"refs/heads/{branch}":
            notes += _adopt_index(f"{git.git_dir}/index", draft)
        return Saved(new, complete, notes)
    finally:
        _clear(draft)


def note(git: Git, base: str, draft: str, ref: str) -> str:
    """The commit with the work tree of `git` as it is, which `ref` holds; neither branch nor index moves.

    It is the one that the work tree stands on where nothing was changed since.

    Raises:
        GitFailed: something is in the way.
    """
    assert git.git_dir is not None
    git = git.disarmed()
    copy_index(f"{git.git_dir}/index", draft)
    try:
        tree, _, _ = _tree(git.on_index(draft))
    finally:
        _clear(draft)
    commit = tip(git, "HEAD") or base
    if _tree_of(git, commit) != tree:
        message = f"Note the work for {ref}\n".encode()
        commit = git.run("commit-tree", tree, "-p", commit, stdin=message).text
    if commit != base:
        git.run("update-ref", "-m", "claude-pool: note", ref, commit)
    return commit


def _clear(draft: str) -> None:
    for leftover in (draft, f"{draft}.lock"):
        if os.path.lexists(leftover):
            os.unlink(leftover)


def describe(git: Git, branch: str, base: str, saved: Saved) -> Kept:
    """What `saved` holds, with its diff against `base`. `git` is on the source repository.

    Raises:
        GitFailed: the commits cannot be read.
    """
    diff = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
    changed = git.run(*diff, "--name-only", "-z", base, saved.head, seconds=LONG_SECONDS).names
    patch = git.run(*diff, "-p", base, saved.head, seconds=LONG_SECONDS, most=DIFF_BYTES)
    notes = saved.notes
    if patch.cut:
        notes += (f"The diff is cut at {DIFF_BYTES} bytes: git diff {base[:12]} {saved.head[:12]} shows it.",)
    text = patch.out.decode("utf-8", "replace")
    return Kept(branch, base, saved.head, len(changed), text, saved.complete, notes)


def _tree(git: Git) -> tuple[str, bool, tuple[str, ...]]:
    """The work tree as a tree object; whether that is all of it; and notes."""
    notes: list[str] = []
    _read_index(git, notes)
    if git.run("ls-files", "-u", "-z").out:
        notes.append("A merge was not finished: files with conflict markers are kept as they are.")
    within = [
        name for name in git.run("ls-files", "-o", "-z", "--exclude-standard").names if name.endswith("/")
    ]
    specs = [":/", *(f":(top,exclude,literal){name.rstrip('/')}" for name in within)]
    add = ("add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul")
    given = b"\0".join(os.fsencode(spec) for spec in specs)
    complete = not within
    try:
        git.run(*add, stdin=given, seconds=LONG_SECONDS)
    except GitFailed as error:
        git.run(*add, "--ignore-errors", stdin=given, seconds=LONG_SECONDS, ok=(0, 1))
        complete = False
        notes.append(f"Not everything could be read: {error.said}")
    within += _populated_submodules(git)
    if within:
        complete = False
        notes.append(f"Repositories inside of it are not kept: {_listed(within)}.")
    ignored = git.run("ls-files", "-o", "-i", "-z", "--exclude-standard", "--directory").names
    if ignored:
        notes.append(f"Ignored files are not kept: {_listed(ignored)}.")
    return git.text("write-tree"), complete, tuple(notes)


def _read_index(git: Git, notes: list[str]) -> None:
    """Have an index that looks at every file, also at those that git was told not to look at."""
    assert git.index is not None
    try:
        marked = git.run("ls-files", "-v", "-z").names if os.path.exists(git.index) else []
        if not os.path.exists(git.index):
            raise GitFailed(("ls-files",), 128, "there is no index")
    except GitFailed as error:
        notes.append(f"The index was made anew: {error.said}")
        if os.path.lexists(git.index):
            os.unlink(git.index)
        git.run("read-tree", "HEAD")
        return
    assumed = [line[2:] for line in marked if line[0].islower()]
    here = git.work_tree or git.cwd
    skipped = [
        line[2:] for line in marked if line[0] in "sS" and os.path.lexists(os.path.join(here, line[2:]))
    ]
    for option, names in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if names:
            given = b"".join(os.fsencode(name) + b"\0" for name in names)
            git.run("update-index", option, "-z", "--stdin", stdin=given)


def _populated_submodules(git: Git) -> list[str]:
    links = [line for line in git.run("ls-files", "-s", "-z").names if line.startswith("160000 ")]
    paths = [line.partition("\t")[2] for line in links]
    return [path for path in paths if os.path.lexists(os.path.join(git.work_tree or git.cwd, path, ".git"))]


def _adopt_index(index: str, draft: str) -> tuple[str, ...]:
    """Make the draft the index, so that the work tree shows as clean on its new commit."""
    try:
        with index_lock(index) as copy:
            copy_index(draft, copy)
    except IndexLocked as locked:
        return (locked.advice,)
    return ()


def _tree_of(git: Git, commit: str) -> str:
    return git.text("rev-parse", "--verify", f"{commit}^{{tree}}")


def _contains(git: Git, commit: str, other: str) -> bool:
    """Whether `other` is `commit` or one of its ancestors."""
    return git.run("merge-base", "--is-ancestor", other, commit, ok=(0, 1)).code == 0


def _listed(names: list[str]) -> str:
    shown = [name.encode("utf-8", "replace").decode() for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown) + more
