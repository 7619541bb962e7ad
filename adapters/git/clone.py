"""Bringing everything that was committed in a clone into the repository that it was made from."""

from __future__ import annotations

from claude_pool.domain.isolation import Workplace

from .command import LONG_SECONDS, Git
from .making import work_trees
from .names import PREFIX, free_branch, tip


def bring_back(git: Git, clone: str, at: Workplace, head: str) -> str:
    """Fetch all of the git folder `clone`; the branch of the source that is at `head` then.

    Other branches, tags and stashes of the clone become refs `refs/claude-pool/<name>/…` where the source
    does not have their commits otherwise. `git` is on the source, whose lock the caller holds.

    Raises:
        GitFailed: something is in the way. Nothing was moved.
    """
    space = f"refs/{PREFIX}/{at.name}"
    specs = [f"+refs/{kind}/*:{space}/{kind}/*" for kind in ("heads", "tags")]
    specs.append(f"+{space}/steps/*:{space}/steps/*")
    if tip(git.at(clone), "refs/stash") is not None:
        specs.append(f"+refs/stash:{space}/stash")
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=")
    git.run("fetch", *options, clone, *specs, seconds=LONG_SECONDS)
    branch = _advance(git, at, head)
    _tidy(git, space)
    return branch


def _advance(git: Git, at: Workplace, head: str) -> str:
    """Move the branch to `head`, or make another where that is not forward or someone stands on it."""
    ref = f"refs/heads/{at.branch}"
    old = tip(git, ref)
    if old == head:
        return at.branch
    none = "0" * len(head)
    forward = old is None or git.run("merge-base", "--is-ancestor", old, head, ok=(0, 1)).code == 0
    if forward and ref not in work_trees(git).values():
        git.run("update-ref", "-m", "claude-pool: keep", ref, head, old or none)
        return at.branch
    asked = ("for-each-ref", "--format=%(refname:short)", f"--points-at={head}", f"refs/heads/{PREFIX}/")
    for found in git.text(*asked).splitlines():
        if found.startswith(f"{PREFIX}/{at.name}-"):
            return found
    branch = free_branch(git, at.name)
    git.run("update-ref", "-m", "claude-pool: keep", f"refs/heads/{branch}", head, none)
    return branch


def _tidy(git: Git, space: str) -> None:
    """Delete the fetched refs whose commits the source's own branches, tags and remotes have."""
    found = git.text("for-each-ref", "--format=%(objectname) %(refname)", space).splitlines()
    for line in found:
        oid, _, ref = line.partition(" ")
        own = ref.removeprefix(f"{space}/")
        if own.startswith("tags/"):
            needless = git.run("rev-parse", "--verify", "--quiet", f"refs/{own}", ok=(0, 1)).text == oid
        else:
            beyond = ("rev-list", "--max-count=1", oid, "--not", "--branches", "--tags", "--remotes")
            needless = not git.text(*beyond)
        if needless:
            git.run("update-ref", "-d", ref, oid)
