"""All work of a workplace becomes commits on its branch, whatever state its git was left in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from claude_pool.adapters.git import keeping
from claude_pool.adapters.git.command import Git, GitFailed
from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.errors import IsolationFailed
from claude_pool.domain.isolation import Isolation

from tests.support.real_git import Repository, repository, write
from tests.support.waiting import until_sync

BOTH = pytest.mark.parametrize("kind", [Isolation.WORKTREE, Isolation.CLONE], ids=lambda kind: kind.value)
BRANCH = "claude-pool/chain-a"


def make(source: Repository, places: GitWorkplaces, kind: Isolation = Isolation.WORKTREE) -> Path:
    return Path(places.create("chain-a", kind, str(source.path)).path)


@BOTH
def test_changed_new_and_deleted_files_are_committed_and_shown_as_a_diff(
    source: Repository, places: GitWorkplaces, kind: Isolation
) -> None:
    source.commit("gone.txt", "x\n")
    here = make(source, places, kind)
    write(here / "a.txt", "two\n")
    write(here / "new" / "ü.txt", "new\n")
    (here / "gone.txt").unlink()
    kept = places.keep("chain-a")
    assert (kept.branch, kept.base, kept.files_changed) == (BRANCH, source.git("rev-parse", "main"), 3)
    assert (kept.complete, kept.notes) == (True, ())
    assert kept.head == source.git("rev-parse", BRANCH)
    assert source.show(BRANCH, "a.txt") == "two"
    assert source.git("ls-tree", "-r", "-z", "--name-only", BRANCH) == "a.txt\0new/ü.txt\0"
    assert "-one\n+two\n" in kept.diff and "deleted file mode" in kept.diff


@BOTH
def test_keeping_again_with_nothing_new_is_the_same(
    source: Repository, places: GitWorkplaces, kind: Isolation
) -> None:
    here = make(source, places, kind)
    write(here / "b.txt", "x\n")
    assert places.keep("chain-a") == places.keep("chain-a")


@BOTH
def test_nothing_done_is_no_commit(source: Repository, places: GitWorkplaces, kind: Isolation) -> None:
    make(source, places, kind)
    kept = places.keep("chain-a")
    assert (kept.head, kept.files_changed, kept.diff) == (kept.base, 0, "")


def test_the_commit_is_by_the_pool_and_follows_those_of_the_work(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places)
    own = source.commit("b.txt", "x\n", cwd=here)
    write(here / "c.txt", "y\n")
    kept = places.keep("chain-a")
    assert source.git("log", "-1", "--format=%an|%cn|%P", BRANCH) == f"claude-pool|claude-pool|{own}"
    assert kept.files_changed == 2


def test_the_work_tree_is_clean_afterwards(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    write(here / "a.txt", "two\n")
    write(here / "b.txt", "x\n")
    places.keep("chain-a")
    assert source.git("status", "--porcelain", cwd=here) == ""


def test_a_change_right_after_a_checkout_is_not_overlooked(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    seen = (here / "a.txt").stat()
    (here / "a.txt").write_text("two\n")  # as long as before
    os.utime(here / "a.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    places.keep("chain-a")
    assert source.show(BRANCH, "a.txt") == "two"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_was_told_not_to_look_at_are_kept(
    source: Repository, places: GitWorkplaces, mark: str
) -> None:
    here = make(source, places)
    source.git("update-index", mark, "a.txt", cwd=here)
    write(here / "a.txt", "hidden work\n")
    places.keep("chain-a")
    assert source.show(BRANCH, "a.txt") == "hidden work"


def test_ignored_files_are_not_kept_and_that_is_told(source: Repository, places: GitWorkplaces) -> None:
    source.commit(".gitignore", "*.log\nbuild/\n")
    here = make(source, places)
    write(here / "x.log", "x")
    write(here / "build" / "y", "y")
    kept = places.keep("chain-a")
    assert (kept.complete, kept.notes) == (True, ("Ignored files are not kept: build/, x.log.",))


def test_a_stale_lock_hinders_nothing_is_told_and_stays(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    own = Path(source.git("rev-parse", "--path-format=absolute", "--git-dir", cwd=here))
    (own / "index.lock").touch()
    write(here / "b.txt", "x\n")
    kept = places.keep("chain-a")
    assert source.show(BRANCH, "b.txt") == "x"
    assert len(kept.notes) == 1 and "index.lock exists (0 s old)" in kept.notes[0]
    assert (own / "index.lock").exists()


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_an_index_that_cannot_be_read_hinders_nothing(
    source: Repository, places: GitWorkplaces, damage: str
) -> None:
    here = make(source, places)
    index = Path(source.git("rev-parse", "--path-format=absolute", "--git-dir", cwd=here)) / "index"
    if damage == "missing":
        index.unlink()
    else:
        index.write_bytes(b"nothing that git wrote")
    write(here / "b.txt", "x\n")
    kept = places.keep("chain-a")
    assert source.files(BRANCH) == ["a.txt", "b.txt"]
    assert "The index was made anew" in kept.notes[0]


def test_work_on_a_branch_of_its_own_choosing_arrives_on_ours(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places)
    source.git("checkout", "-q", "-b", "feature", cwd=here)
    own = source.commit("b.txt", "x\n", cwd=here)
    write(here / "c.txt", "y\n")
    places.keep("chain-a")
    assert source.files(BRANCH) == ["a.txt", "b.txt", "c.txt"]
    assert source.git("rev-parse", "feature") == own
    assert places.keep("chain-a").head == source.git("rev-parse", BRANCH)


def test_work_on_other_commits_is_joined_to_what_the_branch_had(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places)
    first = source.commit("b.txt", "x\n", cwd=here)
    source.git("checkout", "-q", "--detach", "main", cwd=here)
    second = source.commit("c.txt", "y\n", cwd=here)
    places.keep("chain-a")
    assert source.git("log", "-1", "--format=%P", BRANCH) == f"{second} {first}"
    assert source.files(BRANCH) == ["a.txt", "c.txt"]


def test_work_without_any_commit_below_it_is_kept(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    source.git("checkout", "-q", "--orphan", "fresh", cwd=here)
    write(here / "b.txt", "x\n")
    places.keep("chain-a")
    assert source.files(BRANCH) == ["a.txt", "b.txt"]


def test_an_unfinished_merge_is_kept_with_its_markers(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    source.git("checkout", "-q", "-b", "side", cwd=here)
    source.commit("a.txt", "side\n", cwd=here)
    source.git("checkout", "-q", BRANCH, cwd=here)
    source.commit("a.txt", "ours\n", cwd=here)
    with pytest.raises(AssertionError):
        source.git("merge", "-q", "side", cwd=here)
    kept = places.keep("chain-a")
    assert "<<<<<<<" in source.show(BRANCH, "a.txt")
    assert kept.notes == ("A merge was not finished: files with conflict markers are kept as they are.",)


def test_a_repository_inside_cannot_be_kept_so_the_directory_stays(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places)
    write(here / "b.txt", "x\n")
    inner = here / "vendor" / "inner"
    inner.mkdir(parents=True)
    source.git("init", "-q", cwd=inner)
    write(inner / "precious.txt", "x\n")
    kept = places.keep("chain-a")
    assert source.files(BRANCH) == ["a.txt", "b.txt"]
    assert (kept.complete, kept.notes) == (
        False,
        ("Repositories inside of it are not kept: vendor/inner/.",),
    )
    with pytest.raises(IsolationFailed, match="has what cannot be kept"):
        places.remove("chain-a")
    assert (inner / "precious.txt").exists()


def test_a_submodule_that_was_checked_out_keeps_the_directory(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    other = repository(tmp_path / "other")
    allow = ("-c", "protocol.file.allow=always")
    source.git(*allow, "submodule", "add", "-q", str(other.path), "sub")
    source.commit("b.txt", "x\n")
    here = make(source, places)
    source.git(*allow, "submodule", "update", "-q", "--init", cwd=here)
    source.commit("own.txt", "only here\n", cwd=here / "sub")
    kept = places.keep("chain-a")
    assert not kept.complete
    with pytest.raises(IsolationFailed, match="Repositories inside of it are not kept: sub"):
        places.remove("chain-a")
    assert (here / "sub" / "own.txt").exists()


def test_a_diff_that_is_too_long_is_cut_and_that_is_told(
    source: Repository, places: GitWorkplaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "DIFF_BYTES", 100)
    here = make(source, places)
    write(here / "b.txt", "x\n" * 1000)
    kept = places.keep("chain-a")
    assert len(kept.diff) == 100 and kept.complete
    assert kept.notes[0].startswith("The diff is cut at 100 bytes: git diff ")


def test_a_diff_of_other_encodings_is_text_all_the_same(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    (here / "b.txt").write_bytes(b"caf\xe9\n")
    assert "+caf\ufffd\n" in places.keep("chain-a").diff


def test_names_that_are_no_text_are_kept(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    for name in (b"new\nline", b"\xff\xfe", b"-n", b":(top)x", b"*"):
        Path(os.fsdecode(os.fsencode(here) + b"/" + name)).write_text("x")
    assert places.keep("chain-a").files_changed == 5


def test_links_pipes_and_modes_do_not_confuse(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    (here / "link").symlink_to("/etc/passwd")
    os.mkfifo(here / "pipe")
    (here / "a.txt").chmod(0o755)
    assert places.keep("chain-a").complete
    assert source.git("ls-tree", BRANCH, "link").startswith("120000")
    assert source.git("ls-tree", BRANCH, "a.txt").startswith("100755")


def test_a_directory_that_was_deleted_has_what_was_committed(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places)
    own = source.commit("b.txt", "x\n", cwd=here)
    shutil.rmtree(here)
    kept = places.keep("chain-a")
    assert (kept.head, kept.notes) == (own, ("Its directory is gone; only what was committed is kept.",))


def test_what_was_never_made_cannot_be_kept(places: GitWorkplaces) -> None:
    with pytest.raises(IsolationFailed, match="There is no workplace chain-a"):
        places.keep("chain-a")


def test_a_work_tree_that_points_elsewhere_does_not_lead_us_there(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    here = make(source, places)
    other = repository(tmp_path / "other")
    before = other.git("rev-parse", "main")
    (here / ".git").write_text(f"gitdir: {other.path}/.git\n")
    write(here / "b.txt", "x\n")
    places.keep("chain-a")
    assert source.files(BRANCH) == ["a.txt", "b.txt"]
    assert (other.git("rev-parse", "main"), other.git("status", "--porcelain")) == (before, "")


@BOTH
def test_removal_keeps_first_and_leaves_the_branch(
    source: Repository, places: GitWorkplaces, root: Path, kind: Isolation
) -> None:
    here = make(source, places, kind)
    write(here / "b.txt", "x\n")
    kept = places.remove("chain-a")
    assert not here.exists() and places.find("chain-a") is None
    assert source.show(BRANCH, "b.txt") == "x"
    assert kept.head == source.git("rev-parse", BRANCH)
    assert source.git("worktree", "list", "--porcelain").count("worktree ") == 1
    assert sorted(os.listdir(root)) == [".gitignore", ".locks"]


@BOTH
def test_a_branch_without_a_commit_of_its_own_goes_with_the_directory(
    source: Repository, places: GitWorkplaces, kind: Isolation
) -> None:
    make(source, places, kind)
    places.remove("chain-a")
    assert source.branches() == []


def test_removal_goes_through_read_only_folders_and_follows_no_link(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    write(tmp_path / "outside" / "mine.txt", "x")
    here = make(source, places)
    write(here / "deep" / "b.txt", "x")
    (here / "out").symlink_to(tmp_path / "outside")
    (here / "deep").chmod(0o500)
    places.remove("chain-a")
    assert not here.exists() and (tmp_path / "outside" / "mine.txt").exists()


def test_removal_touches_no_other_work_tree(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    gone = tmp_path / "on a disk that is not there"
    source.git("worktree", "add", "-q", "-b", "mine", str(gone))
    shutil.rmtree(gone)
    make(source, places)
    places.remove("chain-a")
    assert str(gone) in source.git("worktree", "list", "--porcelain")


def test_a_directory_replaced_by_a_link_is_not_deleted_through(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    here = make(source, places)
    shutil.move(here, tmp_path / "moved")
    write(tmp_path / "victim" / "mine.txt", "x")
    here.symlink_to(tmp_path / "victim")
    with pytest.raises(IsolationFailed):
        places.remove("chain-a")
    assert (tmp_path / "victim" / "mine.txt").exists()


def test_other_branches_tags_and_stashes_of_a_clone_come_back_with_it(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places, Isolation.CLONE)
    source.git("checkout", "-q", "-b", "feature", cwd=here)
    feature = source.commit("f.txt", "x\n", cwd=here)
    source.git("tag", "-a", "-m", "v1", "v1", cwd=here)
    source.git("checkout", "-q", BRANCH, cwd=here)
    write(here / "a.txt", "stashed\n")
    source.git("stash", "-q", cwd=here)
    places.remove("chain-a")
    assert source.git("rev-parse", "refs/claude-pool/chain-a/heads/feature") == feature
    assert source.git("rev-parse", "refs/claude-pool/chain-a/tags/v1^{commit}") == feature
    assert source.show("refs/claude-pool/chain-a/stash", "a.txt") == "stashed"
    refs = source.git("for-each-ref", "--format=%(refname)", "refs/claude-pool").splitlines()
    assert len(refs) == 3


def test_a_branch_that_the_user_moved_meanwhile_is_not_moved_back_by_a_clone(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places, Isolation.CLONE)
    source.git("checkout", "-q", BRANCH)
    theirs = source.commit("u.txt", "user\n")
    source.git("checkout", "-q", "main")
    write(here / "b.txt", "x\n")
    kept = places.keep("chain-a")
    assert (kept.branch, source.git("rev-parse", BRANCH)) == (f"{BRANCH}-2", theirs)
    assert source.git("rev-parse", kept.branch) == kept.head
    assert places.keep("chain-a") == kept


def test_a_branch_that_the_user_stands_on_is_not_moved_under_their_feet(
    source: Repository, places: GitWorkplaces
) -> None:
    here = make(source, places, Isolation.CLONE)
    source.git("checkout", "-q", BRANCH)
    write(here / "b.txt", "x\n")
    assert places.keep("chain-a").branch == f"{BRANCH}-2"
    assert source.git("status", "--porcelain") == ""


def test_orphans_are_kept_then_removed_and_the_known_stay(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    for name in ("chain-a", "chain-b", "slot-0"):
        places.create(name, Isolation.WORKTREE, str(source.path))
        write(root / name / "b.txt", f"{name}\n")
    swept = source.workplaces(root).sweep({"slot-0"})
    assert [(s.name, s.branch, s.removed, s.problem) for s in swept] == [
        ("chain-a", "claude-pool/chain-a", True, ""),
        ("chain-b", "claude-pool/chain-b", True, ""),
    ]
    assert source.show("claude-pool/chain-a", "b.txt") == "chain-a"
    assert swept[0].kept is not None and swept[0].kept.files_changed == 1
    assert not (root / "chain-a").exists() and (root / "slot-0" / "b.txt").exists()


def test_an_orphan_that_cannot_be_kept_stays_and_the_next_is_swept(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    for name in ("chain-a", "chain-b"):
        places.create(name, Isolation.WORKTREE, str(source.path))
    (root / "chain-a" / "inner").mkdir()
    source.git("init", "-q", cwd=root / "chain-a" / "inner")
    first, second = places.sweep(())
    assert (first.removed, second.removed) == (False, True)
    assert first.problem == "Repositories inside of it are not kept: inner/."
    assert (root / "chain-a").exists()


def test_an_orphan_whose_repository_is_gone_stays(source: Repository, places: GitWorkplaces) -> None:
    here = make(source, places)
    write(here / "b.txt", "x\n")
    shutil.rmtree(source.path)
    (swept,) = places.sweep(())
    assert not swept.removed and "not connected" in swept.problem
    assert (here / "b.txt").exists()


def test_with_no_workplaces_there_is_nothing_to_sweep(places: GitWorkplaces) -> None:
    assert places.sweep(()) == ()


def test_what_cannot_be_read_keeps_the_directory_and_the_rest_is_kept(
    source: Repository, places: GitWorkplaces, root: Path, tmp_path: Path
) -> None:
    here = make(source, places)
    write(here / "b.txt", "x\n")
    refusing = tmp_path / "bin" / "git"
    real = shutil.which("git")
    write(
        refusing,
        f'#!/bin/sh\ncase "$*" in *--ignore-errors*) ;; "add "*) echo "secret: denied" >&2; exit 128;; esac\n'
        f'exec {real} "$@"\n',
    )
    refusing.chmod(0o755)
    path = f"{refusing.parent}:{os.environ['PATH']}"
    blocked = GitWorkplaces(str(root), source.environ | {"PATH": path})
    kept = blocked.keep("chain-a")
    assert (kept.complete, kept.notes) == (False, ("Not everything could be read: secret: denied",))
    assert source.show(BRANCH, "b.txt") == "x"
    with pytest.raises(IsolationFailed, match="secret: denied"):
        blocked.remove("chain-a")
    assert here.exists()


def test_a_git_that_hangs_is_ended(source: Repository, tmp_path: Path) -> None:
    hang = tmp_path / "bin" / "git"
    write(hang, "#!/bin/sh\nsleep 600 & echo $! >> ../pids; wait\n")
    hang.chmod(0o755)
    slow = Git(source.environ | {"PATH": f"{hang.parent}:{os.environ['PATH']}"}, str(source.path))
    with pytest.raises(GitFailed, match=r"git status: it took longer than 0.5 s and was ended"):
        slow.run("status", seconds=0.5)
    pid = (tmp_path / "pids").read_text().strip()
    until_sync(lambda: ended(pid))


def ended(pid: str) -> bool:
    """Whether a process is gone, or only waits to be reaped."""
    try:
        return not Path("/proc", pid, "cmdline").read_bytes()
    except FileNotFoundError:
        return True
