"""Names of workplaces and of their branches: what a name may be, and which branch is still free."""

from __future__ import annotations

import re

from claude_pool.domain.errors import InvalidArgument, IsolationFailed

from .command import Git, GitFailed

PREFIX = "claude-pool"
"""The folder of all branches that workplaces work on."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_SUFFIXES = 99


def checked(name: str) -> str:
    """`name`, which may be part of a path, of a branch's name and of a command line.

    Raises:
        InvalidArgument: it may not.
    """
    if _NAME.fullmatch(name) and ".." not in name and not name.endswith((".", ".lock")):
        return name
    problem = (
        f"{name[:80]!r} is not a name: use 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first"
    )
    raise InvalidArgument(argument="name", problem=problem)


def free_branch(git: Git, name: str) -> str:
    """`claude-pool/<name>`, with a number behind it where there is such a branch already.

    A branch that exists is never taken over, whoever made it.

    Raises:
        IsolationFailed: no name is free.
    """
    if exists(git, f"refs/heads/{PREFIX}"):
        raise IsolationFailed(
            problem=f"A branch called {PREFIX} is in the way of the branches {PREFIX}/….",
            hint=f"Rename it: git branch -m {PREFIX} <other name>.",
        )
    for number in range(1, _MOST_SUFFIXES + 1):
        branch = f"{PREFIX}/{name}" if number == 1 else f"{PREFIX}/{name}-{number}"
        # The pattern matches the branch itself and every branch "below" it; either is in the way.
        if not git.text("for-each-ref", "--count=1", "--format=x", f"refs/heads/{branch}"):
            return branch
    raise IsolationFailed(
        problem=f"{_MOST_SUFFIXES} branches {PREFIX}/{name}… exist already.",
        hint="Delete those you are done with.",
    )


def exists(git: Git, ref: str) -> bool:
    """Whether there is a ref of that full name."""
    return tip(git, ref) is not None


def tip(git: Git, ref: str) -> str | None:
    """The commit that a ref (by its full name) points to, or None."""
    try:
        return git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except GitFailed:
        return None
