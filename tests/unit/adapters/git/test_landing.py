"""Landing moves a branch only where nothing of anybody is lost; otherwise it says why it did not."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from claude_pool.adapters.git import landing
from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.errors import IsolationFailed
from claude_pool.domain.isolation import Isolation, Landed, Merge, NotLanded, Obstacle, Workplace

from tests.support.real_git import Repository, repository, write

BOTH = pytest.mark.parametrize("how", [Merge.FF, Merge.MERGE], ids=lambda how: how.value)
BRANCH = "claude-pool/chain-a"


def work(source: Repository, places: GitWorkplaces, **files: str) -> Workplace:
    """A workplace whose kept work writes `files` (their names without `.txt`)."""
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    for name, content in files.items():
        write(Path(at.path) / f"{name}.txt", content)
    places.keep("chain-a")
    return at


def refused(outcome: Landed | NotLanded, obstacle: Obstacle) -> NotLanded:
    assert isinstance(outcome, NotLanded) and outcome.obstacle is obstacle, outcome
    assert BRANCH in outcome.message
    return outcome


@BOTH
def test_the_target_has_the_work_and_its_clean_work_tree_shows_it(
    source: Repository, places: GitWorkplaces, how: Merge
) -> None:
    at = work(source, places, a="two\n", b="new\n")
    outcome = places.land(at, BRANCH, how)
    assert outcome == Landed("main", source.git("rev-parse", "main"))
    assert (source.path / "a.txt").read_text() == "two\n"
    assert (source.path / "b.txt").read_text() == "new\n"
    assert source.git("status", "--porcelain") == ""


def test_forward_only_makes_no_commit(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    places.land(at, BRANCH, Merge.FF)
    assert source.git("rev-parse", "main") == source.git("rev-parse", BRANCH)


def test_a_merge_makes_a_commit_with_both_sides(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    theirs = source.commit("c.txt", "theirs\n")
    places.land(at, BRANCH, Merge.MERGE)
    assert source.git("log", "-1", "--format=%P|%s", "main") == (
        f"{theirs} {source.git('rev-parse', BRANCH)}|Merge branch '{BRANCH}'"
    )
    assert source.files("main") == ["a.txt", "b.txt", "c.txt"]
    assert source.git("status", "--porcelain") == ""


@BOTH
def test_landing_again_changes_nothing(source: Repository, places: GitWorkplaces, how: Merge) -> None:
    at = work(source, places, b="new\n")
    assert places.land(at, BRANCH, how) == places.land(at, BRANCH, how)


@BOTH
def test_work_that_changed_nothing_lands_as_it_is(
    source: Repository, places: GitWorkplaces, how: Merge
) -> None:
    at = work(source, places)
    assert places.land(at, BRANCH, how) == Landed("main", at.base)


def test_the_work_of_a_clone_lands_too(source: Repository, places: GitWorkplaces) -> None:
    at = places.create("chain-a", Isolation.CLONE, str(source.path))
    write(Path(at.path) / "b.txt", "x\n")
    places.remove("chain-a")
    assert isinstance(places.land(at, BRANCH, Merge.FF), Landed)
    assert (source.path / "b.txt").exists()


def test_a_conflict_is_a_result_with_both_sides_as_they_were(
    source: Repository, places: GitWorkplaces
) -> None:
    at = work(source, places, a="ours\n", b="new\n")
    theirs, ours = source.commit("a.txt", "theirs\n"), source.git("rev-parse", BRANCH)
    outcome = refused(places.land(at, BRANCH, Merge.MERGE), Obstacle.CONFLICT)
    assert outcome.files == ("a.txt",)
    assert (source.git("rev-parse", "main"), source.git("rev-parse", BRANCH)) == (theirs, ours)
    assert source.git("status", "--porcelain") == ""


def test_forward_only_refuses_a_target_with_commits_of_its_own(
    source: Repository, places: GitWorkplaces
) -> None:
    at = work(source, places, b="new\n")
    theirs = source.commit("c.txt", "theirs\n")
    refused(places.land(at, BRANCH, Merge.FF), Obstacle.DIVERGED)
    assert source.git("rev-parse", "main") == theirs


def test_a_target_that_nobody_stands_on_moves_alone(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    source.git("checkout", "-q", "-b", "other")
    assert isinstance(places.land(at, BRANCH, Merge.FF), Landed)
    assert source.files("main") == ["a.txt", "b.txt"]
    assert not (source.path / "b.txt").exists() and source.git("status", "--porcelain") == ""


def test_a_bare_repository_is_landed_in(tmp_path: Path) -> None:
    project, bare = repository(tmp_path / "one"), repository(tmp_path / "two", bare=True)
    project.git("push", "-q", str(bare.path), "main")
    places = bare.workplaces(tmp_path / "root")
    at = work(bare, places, b="new\n")
    assert isinstance(places.land(at, BRANCH, Merge.MERGE), Landed)
    assert bare.files("main") == ["a.txt", "b.txt"]


def test_a_target_in_another_work_tree_is_updated_there(
    source: Repository, places: GitWorkplaces, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    source.git("worktree", "add", "-q", "-b", "topic", str(linked))
    at = places.create("chain-a", Isolation.WORKTREE, str(linked))
    write(Path(at.path) / "b.txt", "new\n")
    places.keep("chain-a")
    assert places.land(at, BRANCH, Merge.FF) == Landed("topic", source.git("rev-parse", BRANCH))
    assert (linked / "b.txt").exists() and not (source.path / "b.txt").exists()
    assert source.git("status", "--porcelain", cwd=linked) == ""


def test_without_a_branch_there_is_nothing_to_land_in(source: Repository, places: GitWorkplaces) -> None:
    source.git("checkout", "-q", "--detach")
    at = work(source, places, b="new\n")
    assert refused(places.land(at, BRANCH, Merge.FF), Obstacle.NO_TARGET).target is None


def test_a_target_that_was_deleted_is_not_made_anew(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    source.git("checkout", "-q", "-b", "other")
    source.git("branch", "-D", "main")
    refused(places.land(at, BRANCH, Merge.FF), Obstacle.NO_TARGET)


def test_a_branch_that_is_gone_is_an_error(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places)
    with pytest.raises(IsolationFailed, match="claude-pool/none cannot be merged"):
        places.land(at, "claude-pool/none", Merge.FF)


@BOTH
@pytest.mark.parametrize(
    "state", ["modified", "staged", "deleted", "intent to add", "assumed unchanged", "skipped"]
)
def test_what_the_user_did_not_commit_is_never_overwritten(
    source: Repository, places: GitWorkplaces, state: str, how: Merge
) -> None:
    at = work(source, places, a="two\n")
    mine = source.path / "a.txt"
    match state:
        case "modified":
            write(mine, "mine\n")
        case "staged":
            write(mine, "mine\n")
            source.git("add", "a.txt")
        case "deleted":
            mine.unlink()
        case "intent to add":
            write(source.path / "mine.txt", "mine\n")
            source.git("add", "-N", "mine.txt")
        case _:
            source.git(
                "update-index",
                "--assume-unchanged" if state == "assumed unchanged" else "--skip-worktree",
                "a.txt",
            )
            write(mine, "mine\n")
    before, base = source.git("status", "--porcelain"), source.git("rev-parse", "main")
    text = mine.read_text() if mine.exists() else None
    outcome = refused(places.land(at, BRANCH, how), Obstacle.UNSAVED)
    assert outcome.files
    assert (source.git("status", "--porcelain"), source.git("rev-parse", "main")) == (before, base)
    assert (mine.read_text() if mine.exists() else None) == text


@BOTH
@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_that_git_does_not_know_is_never_overwritten(
    source: Repository, places: GitWorkplaces, ignored: bool, how: Merge
) -> None:
    if ignored:
        write(source.path / ".git" / "info" / "exclude", "")
        source.commit(".gitignore", "b.txt\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    (Path(at.path) / ".gitignore").write_text("")
    write(Path(at.path) / "b.txt", "theirs\n")
    places.keep("chain-a")
    write(source.path / "b.txt", "mine\n")
    outcome = refused(places.land(at, BRANCH, how), Obstacle.UNSAVED)
    assert outcome.files[0] in ("b.txt", ".gitignore")
    assert (source.path / "b.txt").read_text() == "mine\n"
    assert source.git("rev-parse", "main") == at.base


def test_files_that_git_does_not_know_elsewhere_do_not_hinder(
    source: Repository, places: GitWorkplaces
) -> None:
    at = work(source, places, a="two\n")
    write(source.path / "notes.md", "mine\n")
    assert isinstance(places.land(at, BRANCH, Merge.FF), Landed)
    assert (source.path / "notes.md").read_text() == "mine\n"


def test_a_file_that_was_only_touched_does_not_hinder(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, a="two\n")
    os.utime(source.path / "a.txt", (0, 0))
    assert isinstance(places.land(at, BRANCH, Merge.FF), Landed)


def test_a_stale_lock_is_told_with_what_to_do_and_stays(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, a="two\n")
    lock = source.path / ".git" / "index.lock"
    lock.touch()
    outcome = refused(places.land(at, BRANCH, Merge.FF), Obstacle.LOCKED)
    assert "If no git runs, delete that file" in outcome.message and lock.exists()
    assert source.git("rev-parse", "main") == at.base


def test_an_unfinished_merge_in_the_target_is_left_alone(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    source.git("checkout", "-q", "-b", "side")
    source.commit("s.txt", "x\n")
    source.git("checkout", "-q", "main")
    source.git("merge", "-q", "--no-commit", "--no-ff", "side")
    refused(places.land(at, BRANCH, Merge.MERGE), Obstacle.LOCKED)


def test_a_target_in_the_middle_of_a_rebase_is_left_alone(source: Repository, places: GitWorkplaces) -> None:
    at = work(source, places, b="new\n")
    source.git("branch", "other")
    source.commit("c.txt", "mine\n")
    source.git("checkout", "-q", "other")
    source.commit("c.txt", "others\n")
    source.git("checkout", "-q", "main")
    before = source.git("rev-parse", "main")
    with pytest.raises(AssertionError):
        source.git("rebase", "-q", "other")
    outcome = refused(places.land(at, BRANCH, Merge.MERGE), Obstacle.LOCKED)
    assert "a rebase of it is not finished" in outcome.message
    assert source.git("rev-parse", "main") == before


def test_files_that_go_through_a_filter_are_left_to_the_user(
    source: Repository, places: GitWorkplaces
) -> None:
    source.commit(".gitattributes", "*.bin filter=lfs\n")
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / "b.bin", "x\n")
    places.keep("chain-a")
    assert refused(places.land(at, BRANCH, Merge.FF), Obstacle.UNSAVED).files == ("b.bin",)


def test_work_that_sets_up_a_filter_is_left_to_the_user(source: Repository, places: GitWorkplaces) -> None:
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    write(Path(at.path) / ".gitattributes", "*.bin filter=lfs\n")
    places.keep("chain-a")
    assert refused(places.land(at, BRANCH, Merge.FF), Obstacle.UNSAVED).files == (".gitattributes",)


def test_a_target_that_moves_at_the_last_moment_is_not_overwritten(
    source: Repository, places: GitWorkplaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = work(source, places, a="two\n", b="new\n")
    swap = landing._swap  # pyright: ignore[reportPrivateUsage]  # the moment to be hit lies inside
    moved: list[str] = []

    def after_a_commit(git: landing.Git, move: landing._Move) -> Landed | NotLanded:  # pyright: ignore[reportPrivateUsage]
        tree = source.git("rev-parse", "main^{tree}")
        moved.append(source.git("commit-tree", tree, "-p", "main", "-m", "theirs"))
        source.git("update-ref", "refs/heads/main", moved[0])
        return swap(git, move)

    monkeypatch.setattr(landing, "_swap", after_a_commit)
    refused(places.land(at, BRANCH, Merge.FF), Obstacle.MOVED)
    assert source.git("rev-parse", "main") == moved[0]
    assert (source.path / "a.txt").read_text() == "one\n" and not (source.path / "b.txt").exists()
    assert source.git("status", "--porcelain") == ""


def test_two_that_land_at_once_are_both_in(source: Repository, places: GitWorkplaces) -> None:
    outcomes: dict[str, Landed | NotLanded] = {}
    spots = [places.create(f"chain-{n}", Isolation.WORKTREE, str(source.path)) for n in range(4)]
    for at in spots:
        write(Path(at.path) / f"{at.name}.txt", "x\n")
        places.keep(at.name)

    def one(at: Workplace) -> None:
        outcomes[at.name] = places.land(at, at.branch, Merge.MERGE)

    threads = [threading.Thread(target=one, args=(at,)) for at in spots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(isinstance(outcome, Landed) for outcome in outcomes.values()) and len(outcomes) == 4
    assert len(source.files("main")) == 5 and source.git("status", "--porcelain") == ""
