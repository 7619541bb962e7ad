"""The repository that work begins from: found as git finds it, and looked at without changing it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from claude_pool.domain.errors import IsolationFailed
from claude_pool.domain.values import counted

from .command import Git, GitFailed

_STATUS_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """What work begins from: the common git folder, the commit, the branch (None: detached), and where
    in the repository we stand (`prefix`, empty at its root). `git` runs on the repository itself."""

    git: Git
    repository: str
    base: str
    target: str | None
    prefix: str
    notes: tuple[str, ...]


def look(source_dir: str, environ: Mapping[str, str], commit: str = "") -> Source:
    """The source that `source_dir` lies in; work begins from `commit`, where that is given.

    Raises:
        IsolationFailed: it is not in a repository, or there is no commit to begin from.
    """
    here = os.path.realpath(source_dir)
    if not os.path.isdir(here):
        raise IsolationFailed(problem=f"{source_dir} is not a directory.", hint="Name one that exists.")
    git = Git(environ, here)
    try:
        asked = (
            "--path-format=absolute",
            "--git-common-dir",
            "--is-bare-repository",
            "--is-inside-work-tree",
        )
        common, bare, inside = git.text("rev-parse", *asked).splitlines()
    except (GitFailed, ValueError) as error:
        raise _unusable(here, error) from error
    repository = os.path.realpath(common)
    if inside != "true" and bare != "true":
        raise IsolationFailed(
            problem=f"{here} lies in a git folder, not in a work tree.", hint="Name the work tree instead."
        )
    base = _recorded(git, here, commit) if commit else _commit(git, here)
    prefix = os.fsdecode(git.run("rev-parse", "--show-prefix").out).rstrip("\n") if inside == "true" else ""
    if prefix and git.run("cat-file", "-e", f"{base}:{prefix}", ok=(0, 1, 128)).code:
        raise IsolationFailed(
            problem=f"Nothing of {here} is committed, so that a work tree would not have it.",
            hint="Commit what is needed there, or use isolation none.",
        )
    head = git.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).text
    target = head.removeprefix("refs/heads/") if head.startswith("refs/heads/") else None
    notes = _notes(git, repository, target) if inside == "true" and not commit else ()
    return Source(Git(environ, repository).at(repository), repository, base, target, prefix, notes)


def _unusable(here: str, error: Exception) -> IsolationFailed:
    said = str(error)
    if "dubious ownership" in said:
        return IsolationFailed(
            problem=f"{here} belongs to another user, so git does not trust it.",
            hint=f"If you do: git config --global --add safe.directory {here}",
        )
    if "not a git repository" in said:
        return IsolationFailed(
            problem=f"{here} is not in a git repository.",
            hint="Run git init and commit, or use isolation none.",
        )
    return IsolationFailed(problem=f"{here} cannot be used: {said}.", hint="See what git status says there.")


def _commit(git: Git, here: str) -> str:
    try:
        return git.text("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
    except GitFailed as error:
        raise IsolationFailed(
            problem=f"The repository of {here} has no commit to begin from.",
            hint="Commit something first (git commit), or use isolation none.",
        ) from error


def _recorded(git: Git, here: str, commit: str) -> str:
    try:
        return git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    except GitFailed as error:
        raise IsolationFailed(
            problem=f"The repository of {here} does not have the commit {commit[:12]}.",
            hint="It was deleted there and collected as garbage, or another repository lies there now, or a "
            "clone that has it is still at work. Fork from the first step to begin where it began.",
        ) from error


def _notes(git: Git, repository: str, target: str | None) -> tuple[str, ...]:
    notes: list[str] = []
    if target is None:
        notes.append("The source is at a detached commit, so the work can be merged into no branch.")
    try:
        asked = ("status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all")
        if changed := git.disarmed().run(*asked, seconds=_STATUS_SECONDS).names:
            notes.append(f"{counted(len(changed), 'change')} in the source not committed and so not in it.")
    except GitFailed as error:
        notes.append(f"Whether the source has uncommitted changes is unknown: {error}")
    if any(line.startswith("160000") for line in git.run("ls-files", "-s", "-z", ":/").names):
        notes.append("Its submodules are not checked out.")
    if os.path.isdir(os.path.join(repository, "lfs")):
        notes.append("Files of Git LFS are the pointers that the repository stores.")
    return tuple(notes)
