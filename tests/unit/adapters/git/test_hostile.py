"""A repository that wants its own programs run: none is, at any step."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.isolation import Isolation, Landed, Merge, NotLanded, Obstacle

from tests.support.real_git import Repository, write

BOTH = pytest.mark.parametrize("kind", [Isolation.WORKTREE, Isolation.CLONE], ids=lambda kind: kind.value)
HOOKS = (
    "post-checkout", "pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-merge-commit",
    "post-merge", "post-index-change", "reference-transaction", "pre-auto-gc", "post-rewrite",
    "fsmonitor-watchman", "pre-receive", "update", "post-update", "pre-push", "proc-receive",
    "push-to-checkout", "pre-rebase",
)  # fmt: skip


def trap(folder: Path, name: str) -> str:
    """A program that leaves a canary when it runs."""
    program = folder / "traps" / name
    write(program, f"#!/bin/sh\ntouch '{folder}/canaries/{name}'\ncat\n")
    program.chmod(0o755)
    return str(program)


def canaries(folder: Path) -> list[str]:
    """Which traps were run."""
    return sorted(os.listdir(folder / "canaries"))


def hostile(source: Repository, folder: Path) -> None:
    """Set every trap that a repository's own files can set."""
    (folder / "canaries").mkdir()
    source.commit(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n")
    source.git("branch", "other")
    source.git("branch", "third")
    for hook in HOOKS:
        write(source.path / ".git" / "hooks" / hook, Path(trap(folder, f"hook-{hook}")).read_text())
        (source.path / ".git" / "hooks" / hook).chmod(0o755)
    settings = {
        "filter.evil.clean": "clean", "filter.evil.smudge": "smudge", "filter.evil.process": "process",
        "diff.evil.command": "diff-command", "diff.evil.textconv": "textconv", "merge.evil.driver": "driver",
        "core.fsmonitor": "fsmonitor", "core.sshCommand": "ssh", "core.editor": "editor",
        "core.pager": "pager", "core.askPass": "askpass", "core.alternateRefsCommand": "alternates",
        "diff.external": "external", "credential.helper": "credential", "gpg.program": "gpg",
        "sequence.editor": "sequence",
        "uploadpack.packObjectsHook": "pack-objects", "remote.origin.uploadpack": "uploadpack",
        "core.gitProxy": "proxy", "interactive.diffFilter": "difffilter",
    }  # fmt: skip
    for key, name in settings.items():
        source.git("config", key, trap(folder, name))
    for key in ("filter.evil.required", "commit.gpgSign", "tag.gpgSign", "merge.verifySignatures"):
        source.git("config", key, "true")
    source.git("config", "remote.origin.url", f"ext::{trap(folder, 'ext')}")


def test_the_traps_do_spring_for_an_ordinary_git(source: Repository, tmp_path: Path) -> None:
    hostile(source, tmp_path)
    source.git("config", "--unset", "filter.evil.process")
    source.git("config", "--unset", "core.fsmonitor")
    write(source.path / "a.txt", "two\n")
    source.git("diff", "--ext-diff")
    source.git("worktree", "add", "-q", str(tmp_path / "x"))
    sprung = {"clean", "smudge", "diff-command", "hook-post-checkout", "hook-reference-transaction"}
    assert sprung <= set(canaries(tmp_path))


@BOTH
def test_no_program_of_a_repository_is_run_at_any_step(
    source: Repository, places: GitWorkplaces, tmp_path: Path, kind: Isolation
) -> None:
    hostile(source, tmp_path)
    at = places.create("chain-a", kind, str(source.path))
    write(Path(at.path) / "a.txt", "two\n")
    write(Path(at.path) / "b.txt", "new\n")
    assert places.keep("chain-a").files_changed == 2
    elsewhere = replace(at, target="other")
    assert isinstance(places.land(elsewhere, at.branch, Merge.FF), Landed)
    assert isinstance(places.land(replace(at, target="third"), at.branch, Merge.MERGE), Landed)
    assert isinstance(places.land(at, at.branch, Merge.FF), NotLanded)  # its files go through a filter
    places.remove("chain-a")
    assert canaries(tmp_path) == []
    assert source.show(at.branch, "a.txt") == "two"


def test_no_program_of_a_repository_is_run_when_its_work_tree_moves_along(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    hostile(source, tmp_path)
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / "b.md", "new\n")
    places.keep("chain-a")
    assert isinstance(places.land(at, at.branch, Merge.MERGE), Landed)
    assert canaries(tmp_path) == []
    assert (source.path / "b.md").exists()


def test_no_program_that_was_set_up_from_within_a_work_tree_is_run(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    at = places.create("chain-a", Isolation.CLONE, str(source.path))
    (tmp_path / "canaries").mkdir()
    inside = Repository(Path(at.path), source.home)
    inside.commit(".gitattributes", "*.txt filter=evil\n")
    for hook in HOOKS:
        write(inside.path / ".git" / "hooks" / hook, Path(trap(tmp_path, f"hook-{hook}")).read_text())
        (inside.path / ".git" / "hooks" / hook).chmod(0o755)
    for key, name in {
        "filter.evil.clean": "clean",
        "filter.evil.process": "process",
        "core.fsmonitor": "fsmonitor",
        "uploadpack.packObjectsHook": "pack-objects",
        "core.alternateRefsCommand": "alternates",
    }.items():
        inside.git("config", key, trap(tmp_path, name))
    write(inside.path / "b.txt", "x\n")
    places.remove("chain-a")
    assert canaries(tmp_path) == []
    assert source.show(at.branch, "b.txt") == "x"


def test_a_merge_driver_of_the_repository_is_replaced_by_gits_own_merge(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    source.commit(".gitattributes", "*.txt merge=evil\n")
    source.commit("a.txt", "".join(f"{n}\n" for n in range(20)))
    (tmp_path / "canaries").mkdir()
    source.git("config", "merge.evil.driver", trap(tmp_path, "driver"))
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    text = (source.path / "a.txt").read_text()
    write(Path(at.path) / "a.txt", text.replace("2\n", "two\n", 1))
    places.keep("chain-a")
    source.commit("a.txt", text.replace("19\n", "nineteen\n"))
    assert isinstance(places.land(at, at.branch, Merge.MERGE), Landed)
    merged = (source.path / "a.txt").read_text()
    assert "two" in merged and "nineteen" in merged
    assert canaries(tmp_path) == []


def test_a_conflict_under_a_merge_driver_is_still_a_conflict(
    source: Repository, places: GitWorkplaces
) -> None:
    source.commit(".gitattributes", "*.txt merge=evil\n")
    source.git("config", "merge.evil.driver", "true")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / "a.txt", "ours\n")
    places.keep("chain-a")
    source.commit("a.txt", "theirs\n")
    outcome = places.land(at, at.branch, Merge.MERGE)
    assert isinstance(outcome, NotLanded) and outcome.obstacle is Obstacle.CONFLICT


def test_a_filter_whose_name_is_meant_to_confuse_is_off_all_the_same(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    (tmp_path / "canaries").mkdir()
    write(
        source.path / ".git" / "config",
        (source.path / ".git" / "config").read_text()
        + f'[filter "a.b=c"]\n\tclean = {trap(tmp_path, "clean")}\n\tsmudge = {trap(tmp_path, "smudge")}\n',
    )
    write(source.path / ".git" / "info" / "attributes", "*.txt filter=a.b=c\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / "b.txt", "x\n")
    places.remove("chain-a")
    assert canaries(tmp_path) == []


def test_the_callers_own_git_variables_count_for_nothing(
    source: Repository, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "canaries").mkdir()
    misleading = {
        "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere",
        "GIT_EXTERNAL_DIFF": trap(tmp_path, "diff"), "GIT_SSH_COMMAND": trap(tmp_path, "ssh"),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": trap(tmp_path, "fs"), "GIT_AUTHOR_NAME": "someone else",
    }  # fmt: skip
    places = GitWorkplaces(str(root), source.environ | misleading)
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / "b.txt", "x\n")
    places.remove("chain-a")
    assert source.git("log", "-1", "--format=%an", at.branch) == "claude-pool"
    assert canaries(tmp_path) == []


def test_a_work_tree_that_is_configured_to_lie_elsewhere_is_kept_where_it_is(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    at = places.create("chain-a", Isolation.CLONE, str(source.path))
    write(tmp_path / "elsewhere" / "secret.txt", "x\n")
    source.git("config", "core.worktree", str(tmp_path / "elsewhere"), cwd=Path(at.path))
    write(Path(at.path) / "b.txt", "x\n")
    places.keep("chain-a")
    assert source.files(at.branch) == ["a.txt", "b.txt"]
