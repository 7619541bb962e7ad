"""Making the work tree or clone of a record, and taking it away. Nothing here looks at what is in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping

from claude_pool.domain.isolation import Isolation, Workplace

from .command import LONG_SECONDS, Git, GitFailed
from .names import tip


def register(git: Git, at: Workplace, environ: Mapping[str, str]) -> str:
    """Make the branch of `at` (at `at.base`, unless it is there) and have git know its place; its git folder.

    `git` is on the source repository, whose lock the caller holds. The files come with `fill`.

    Raises:
        GitFailed: it cannot be made.
    """
    start = tip(git, f"refs/heads/{at.branch}")
    if at.kind == Isolation.CLONE:
        if start is None:
            ref, none = f"refs/heads/{at.branch}", "0" * len(at.base)
            git.run("update-ref", "-m", "claude-pool: create", ref, at.base, none)
        return os.path.join(at.path, ".git")
    # --no-track: to note what a branch follows would write to the configuration, over which adders race.
    branch = ("--no-track", "-b", at.branch, at.path, at.base) if start is None else (at.path, at.branch)
    git.run("worktree", "add", "--quiet", "--no-checkout", *branch)
    return Git(environ, at.path).text("rev-parse", "--path-format=absolute", "--git-dir")


def fill(git: Git, at: Workplace, git_dir: str, environ: Mapping[str, str]) -> None:
    """Check out the files of a place that was just registered; several may do so at once.

    Raises:
        GitFailed, OSError: that went wrong.
    """
    if at.kind == Isolation.CLONE:
        _clone(git, at, environ)
    else:
        _check_out(git.at(git_dir, at.path))


def _check_out(git: Git) -> None:
    git.disarmed().run("read-tree", "--reset", "-u", "HEAD", seconds=LONG_SECONDS)


def _clone(git: Git, at: Workplace, environ: Mapping[str, str]) -> None:
    """Clone next to the place and move it there when it is whole."""
    part = part_of(at.path)
    delete_tree(part)
    outside = Git(environ, os.path.dirname(at.path))
    options = ("--quiet", "--local", "--no-checkout", "--template=", "--origin=origin")
    outside.run("clone", *options, "--", at.repository, part, seconds=LONG_SECONDS)
    inside = outside.at(os.path.join(part, ".git"), part)
    inside.run("update-ref", f"refs/heads/{at.branch}", tip(git, f"refs/heads/{at.branch}") or at.base)
    inside.run("symbolic-ref", "HEAD", f"refs/heads/{at.branch}")
    url = _origin(git, at.repository)
    if url is None:
        inside.run("remote", "remove", "origin")
    else:
        inside.run("config", "remote.origin.url", url)
    _check_out(inside)
    os.rename(part, at.path)


def part_of(path: str) -> str:
    """Where a clone is made before it is moved to `path`."""
    return os.path.join(os.path.dirname(path), f".part-{os.path.basename(path)}")


def _origin(git: Git, repository: str) -> str | None:
    """The address of the source's own origin, which must mean the same from elsewhere."""
    url = git.run("config", "--get", "remote.origin.url", ok=(0, 1)).text
    if not url or url.startswith("-"):
        return None
    local = "://" not in url and ":" not in url.partition("/")[0]
    if not local or os.path.isabs(url):
        return url
    top = os.path.dirname(repository) if os.path.basename(repository) == ".git" else repository
    return os.path.normpath(os.path.join(top, url))


def unregister(git: Git, at: Workplace) -> None:
    """Have the source repository forget a work tree whose directory is gone. The caller holds its lock."""
    if at.kind == Isolation.WORKTREE and os.path.realpath(at.path) in work_trees(git):
        git.run("worktree", "remove", "--force", "--force", at.path)


def work_trees(git: Git) -> dict[str, str]:
    """The work trees that a repository knows by their paths, with the full name of the branch (or empty)."""
    found: dict[str, str] = {}
    path, bare = "", False
    for line in [*git.run("worktree", "list", "--porcelain", "-z").out.split(b"\0"), b"worktree "]:
        key, _, value = os.fsdecode(line).partition(" ")
        if key == "worktree":
            if bare:
                found.pop(path, None)
            path, bare = value, False
            if path:
                found[path] = ""
        elif key == "branch" and path:
            found[path] = value
        elif key == "bare":
            bare = True
    return found


def delete_branch(git: Git, branch: str, base: str) -> bool:
    """Delete `branch` where it has no commit of its own and nobody stands on it; whether it was deleted."""
    ref = f"refs/heads/{branch}"
    if tip(git, ref) != base or ref in work_trees(git).values():
        return False
    with contextlib.suppress(GitFailed):
        git.run("update-ref", "-d", ref, base)
        return True
    return False


def delete_tree(path: str) -> None:
    """Delete a directory with everything in it, following no link.

    Raises:
        OSError: something cannot be deleted.
    """
    if not os.path.lexists(path):
        return
    for folder, _, _ in os.walk(path):
        mode = os.lstat(folder).st_mode
        if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(folder, stat.S_IMODE(mode) | stat.S_IRWXU)
    shutil.rmtree(path)
