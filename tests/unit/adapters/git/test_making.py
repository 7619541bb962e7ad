"""Workplaces made in real repositories of every shape."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.errors import InvalidArgument, IsolationFailed
from claude_pool.domain.isolation import Isolation

from tests.support.full_disk import small_disk
from tests.support.real_git import Repository, repository, write

BOTH = pytest.mark.parametrize("kind", [Isolation.WORKTREE, Isolation.CLONE], ids=lambda kind: kind.value)


@BOTH
def test_a_workplace_has_the_files_of_the_commit_on_a_branch_of_its_own(
    source: Repository, places: GitWorkplaces, root: Path, kind: Isolation
) -> None:
    at = places.create("chain-a", kind, str(source.path))
    assert (at.path, at.branch, at.target) == (str(root / "chain-a"), "claude-pool/chain-a", "main")
    assert at.base == source.git("rev-parse", "main")
    assert (root / "chain-a" / "a.txt").read_text() == "one\n"
    assert source.git("branch", "--show-current", cwd=root / "chain-a") == "claude-pool/chain-a"
    assert source.git("status", "--porcelain", cwd=root / "chain-a") == ""


@BOTH
def test_the_source_stays_as_it_was_but_for_the_new_branch(
    source: Repository, places: GitWorkplaces, kind: Isolation
) -> None:
    config = (source.path / ".git" / "config").read_bytes()
    places.create("chain-a", kind, str(source.path))
    assert source.git("status", "--porcelain") == ""
    assert source.git("branch", "--show-current") == "main"
    assert source.branches() == ["claude-pool/chain-a"]
    assert (source.path / ".git" / "config").read_bytes() == config


@BOTH
def test_the_same_name_finds_the_workplace_as_it_was_left(
    source: Repository, places: GitWorkplaces, root: Path, kind: Isolation
) -> None:
    first = places.create("slot-0", kind, str(source.path))
    write(root / "slot-0" / "b.txt", "in the middle of it\n")
    source.commit("c.txt", "meanwhile\n")
    again = source.workplaces(root).create("slot-0", kind, str(source.path))
    assert again == first == places.find("slot-0")
    assert (root / "slot-0" / "b.txt").read_text() == "in the middle of it\n"


def test_a_workplace_that_was_never_made_is_not_found(places: GitWorkplaces) -> None:
    assert places.find("chain-a") is None


def test_work_in_a_sub_folder_gets_the_same_sub_folder(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    source.commit("deep/er/b.txt", "x\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path / "deep" / "er"))
    assert (at.path, at.directory) == (str(root / "chain-a"), str(root / "chain-a" / "deep" / "er"))
    assert os.path.isdir(at.directory)


def test_a_sub_folder_that_is_not_committed_is_refused(source: Repository, places: GitWorkplaces) -> None:
    write(source.path / "new" / "b.txt", "x\n")
    with pytest.raises(IsolationFailed, match=r"Nothing of .*new is committed.* Commit what is needed"):
        places.create("chain-a", Isolation.WORKTREE, str(source.path / "new"))


def test_uncommitted_changes_are_allowed_and_told(source: Repository, places: GitWorkplaces) -> None:
    write(source.path / "a.txt", "changed\n")
    write(source.path / "new.txt", "new\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    assert at.notes == ("2 changes in the source not committed and so not in it.",)
    assert Path(at.path, "a.txt").read_text() == "one\n"


def test_a_detached_source_is_allowed_but_has_no_branch_to_merge_into(
    source: Repository, places: GitWorkplaces
) -> None:
    source.git("checkout", "-q", "--detach")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    assert at.target is None
    assert at.notes == ("The source is at a detached commit, so the work can be merged into no branch.",)


@BOTH
def test_a_bare_repository_serves_as_a_source(tmp_path: Path, kind: Isolation) -> None:
    project = repository(tmp_path / "one")
    bare = repository(tmp_path / "two", bare=True)
    project.git("push", "-q", str(bare.path), "main")
    at = bare.workplaces(tmp_path / "root").create("chain-a", kind, str(bare.path))
    assert (at.target, Path(at.path, "a.txt").read_text()) == ("main", "one\n")


def test_a_linked_work_tree_serves_as_a_source_with_its_own_branch(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    source.git("worktree", "add", "-q", "-b", "topic", str(linked))
    commit = source.commit("t.txt", "topic\n", cwd=linked)
    at = places.create("chain-a", Isolation.WORKTREE, str(linked))
    assert (at.base, at.target, at.repository) == (commit, "topic", str(source.path / ".git"))


def test_a_work_tree_of_ours_serves_as_a_source(source: Repository, places: GitWorkplaces) -> None:
    outer = places.create("slot-0", Isolation.WORKTREE, str(source.path))
    inner = places.create("chain-a", Isolation.WORKTREE, outer.directory)
    assert (inner.target, inner.repository) == ("claude-pool/slot-0", outer.repository)


def test_submodules_are_told_to_be_missing(source: Repository, places: GitWorkplaces, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    source.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.path), "sub")
    source.commit("b.txt", "x\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    assert at.notes == ("Its submodules are not checked out.",)
    assert os.listdir(Path(at.path, "sub")) == []
    assert places.remove("chain-a").complete
    assert not os.path.exists(at.path)


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ("missing", "is not a directory"),
        ("plain", "is not in a git repository. Run git init and commit, or use isolation none"),
        ("empty", "has no commit to begin from. Commit something first"),
        ("bare and empty", "has no commit to begin from"),
        ("git folder", "lies in a git folder, not in a work tree"),
    ],
)
def test_a_source_that_cannot_serve_is_refused_with_what_to_do(
    tmp_path: Path, source: Repository, places: GitWorkplaces, shape: str, problem: str
) -> None:
    folders = {
        "missing": tmp_path / "nowhere",
        "plain": tmp_path,
        "empty": repository(tmp_path / "x", empty=True).path,
        "bare and empty": repository(tmp_path / "y", bare=True).path,
        "git folder": source.path / ".git",
    }
    with pytest.raises(IsolationFailed, match=problem):
        places.create("chain-a", Isolation.WORKTREE, str(folders[shape]))
    assert places.find("chain-a") is None


def test_a_machine_without_git_is_told_so(source: Repository, root: Path) -> None:
    without = GitWorkplaces(str(root), {"PATH": "/nowhere", "HOME": str(source.home)})
    with pytest.raises(IsolationFailed, match=r"git was not found\. Install git"):
        without.create("chain-a", Isolation.WORKTREE, str(source.path))


@pytest.mark.parametrize(
    "name",
    [
        "", "../x", "..", ".", "-x", "a/b", "@", "a" * 65, "a" * 200, "x.lock", "a..b", "x.", ".x", "A",
        "a b", "a\n", "a\0b", "ä", "a@{1}", "a~1", "a^", "a:b", "a?", "*", "a\\b", "--force", "HEAD",
        "/etc", "~",
    ],
)  # fmt: skip
def test_a_name_that_could_be_more_than_a_name_is_refused(
    source: Repository, places: GitWorkplaces, name: str
) -> None:
    with pytest.raises(InvalidArgument, match="is not a name"):
        places.create(name, Isolation.WORKTREE, str(source.path))
    assert source.branches() == []


def test_no_isolation_makes_no_workplace(source: Repository, places: GitWorkplaces) -> None:
    with pytest.raises(InvalidArgument, match="none makes no workplace"):
        places.create("chain-a", Isolation.NONE, str(source.path))


@BOTH
def test_a_branch_of_the_users_own_is_left_alone(
    source: Repository, places: GitWorkplaces, kind: Isolation
) -> None:
    source.git("branch", "claude-pool/slot-0")
    source.git("branch", "claude-pool/slot-1/mine")
    before = source.git("rev-parse", "claude-pool/slot-0")
    assert places.create("slot-0", kind, str(source.path)).branch == "claude-pool/slot-0-2"
    assert places.create("slot-1", kind, str(source.path)).branch == "claude-pool/slot-1-2"
    assert source.git("rev-parse", "claude-pool/slot-0") == before


def test_a_branch_called_as_our_folder_of_branches_is_refused_with_what_to_do(
    source: Repository, places: GitWorkplaces
) -> None:
    source.git("branch", "claude-pool")
    with pytest.raises(IsolationFailed, match="Rename it: git branch -m claude-pool"):
        places.create("slot-0", Isolation.WORKTREE, str(source.path))


def test_two_pools_that_want_one_branch_name_get_two(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    other = source.workplaces(tmp_path / "other")
    first = places.create("slot-0", Isolation.WORKTREE, str(source.path))
    second = other.create("slot-0", Isolation.WORKTREE, str(source.path))
    assert (first.branch, second.branch) == ("claude-pool/slot-0", "claude-pool/slot-0-2")


def test_a_directory_in_the_way_is_neither_used_nor_deleted(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    write(root / "chain-a" / "mine.txt", "x\n")
    with pytest.raises(IsolationFailed, match="is in the way, and is none of ours"):
        places.create("chain-a", Isolation.WORKTREE, str(source.path))
    assert (root / "chain-a" / "mine.txt").exists()
    assert source.branches() == []


def test_a_name_of_another_repository_is_refused(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    places.create("chain-a", Isolation.WORKTREE, str(source.path))
    other = repository(tmp_path / "other")
    with pytest.raises(IsolationFailed, match="exists already, as a worktree of"):
        places.create("chain-a", Isolation.WORKTREE, str(other.path))


def test_a_directory_that_was_deleted_is_made_anew_on_its_branch(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    places.create("slot-0", Isolation.WORKTREE, str(source.path))
    kept = source.commit("b.txt", "kept\n", cwd=root / "slot-0")
    shutil.rmtree(root / "slot-0")
    at = places.create("slot-0", Isolation.WORKTREE, str(source.path))
    assert at.branch == "claude-pool/slot-0"
    assert source.git("rev-parse", "HEAD", cwd=root / "slot-0") == kept
    assert (root / "slot-0" / "b.txt").read_text() == "kept\n"


def test_with_directory_and_branch_gone_it_begins_from_the_present_commit(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    places.create("slot-0", Isolation.WORKTREE, str(source.path))
    shutil.rmtree(root / "slot-0")
    source.git("worktree", "prune")
    source.git("branch", "-D", "claude-pool/slot-0")
    new = source.commit("b.txt", "x\n")
    assert places.create("slot-0", Isolation.WORKTREE, str(source.path)).base == new


def test_a_directory_that_git_does_not_know_any_more_is_not_touched(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    places.create("slot-0", Isolation.WORKTREE, str(source.path))
    write(root / "slot-0" / "b.txt", "work\n")
    shutil.rmtree(source.path / ".git" / "worktrees")
    with pytest.raises(IsolationFailed, match="worktree repair"):
        places.create("slot-0", Isolation.WORKTREE, str(source.path))
    with pytest.raises(IsolationFailed, match="worktree repair"):
        places.remove("slot-0")
    assert (root / "slot-0" / "b.txt").exists()


def test_a_branch_that_is_checked_out_elsewhere_is_told(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    places.create("slot-0", Isolation.WORKTREE, str(source.path))
    shutil.rmtree(root / "slot-0")
    source.git("worktree", "prune")
    source.git("checkout", "-q", "claude-pool/slot-0")
    with pytest.raises(IsolationFailed, match="Check out another branch there"):
        places.create("slot-0", Isolation.WORKTREE, str(source.path))


def test_a_failed_checkout_leaves_nothing_behind(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    blob = source.git("rev-parse", "HEAD:a.txt")
    stored = source.path / ".git" / "objects" / blob[:2] / blob[2:]
    stored.unlink()
    with pytest.raises(IsolationFailed, match="The worktree chain-a cannot be made"):
        places.create("chain-a", Isolation.WORKTREE, str(source.path))
    assert source.branches() == []
    assert str(root) not in source.git("worktree", "list", "--porcelain")
    assert not (root / "chain-a").exists() and not (root / "chain-a.json").exists()


@BOTH
def test_a_disk_that_is_full_leaves_nothing_behind(
    source: Repository, tmp_path: Path, kind: Isolation
) -> None:
    source.commit("big.bin", random.Random(1).randbytes(600_000).hex())
    before = source.git("status", "--porcelain"), source.git("rev-parse", "HEAD")
    with small_disk(tmp_path / "disk", 400_000) as disk:
        with pytest.raises(IsolationFailed, match="cannot be made"):
            source.workplaces(disk / "trees").create("chain-a", kind, str(source.path))
        assert not any(each.name.startswith("chain-a") for each in (disk / "trees").iterdir())
    assert source.branches() == []
    assert (source.git("status", "--porcelain"), source.git("rev-parse", "HEAD")) == before


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://example.org/x.git", "https://example.org/x.git"),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("/srv/x.git", "/srv/x.git"),
        ("../x.git", "{top}/x.git"),
        (None, ""),
    ],
)
def test_a_clone_has_the_origin_of_its_source(
    source: Repository, places: GitWorkplaces, url: str | None, seen: str
) -> None:
    if url is not None:
        source.git("remote", "add", "origin", url)
    at = places.create("chain-a", Isolation.CLONE, str(source.path))
    shown = source.git("config", "--default", "", "--get", "remote.origin.url", cwd=Path(at.path))
    assert shown == seen.format(top=source.path.parent)


def test_a_clone_borrows_no_objects_from_its_source(source: Repository, places: GitWorkplaces) -> None:
    at = places.create("chain-a", Isolation.CLONE, str(source.path))
    assert not Path(at.path, ".git", "objects", "info", "alternates").exists()
