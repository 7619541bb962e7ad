"""Workplaces made by many at once, and by those who die at it.

`CLAUDE_POOL_TEST_TRIALS` sets how many work trees each of the eight threads makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from claude_pool.adapters.git.locks import held
from claude_pool.adapters.git.workplaces import GitWorkplaces
from claude_pool.domain.errors import IsolationFailed
from claude_pool.domain.isolation import Isolation

from tests.support.real_git import Repository, write

_EACH = int(os.environ.get("CLAUDE_POOL_TEST_TRIALS", "2"))
BOTH = pytest.mark.parametrize("kind", [Isolation.WORKTREE, Isolation.CLONE], ids=lambda kind: kind.value)


def test_eight_threads_make_their_work_trees_without_a_failure(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    # a remote-tracking base, which would have git write to its configuration for each new branch
    source.git("remote", "add", "origin", str(source.path))
    source.git("fetch", "-q", "origin")
    gate = threading.Barrier(8)

    def many(thread: int) -> int:
        gate.wait(60)
        for number in range(_EACH):
            places.create(f"chain-{thread}-{number}", Isolation.WORKTREE, str(source.path))
        return _EACH

    with ThreadPoolExecutor(8) as threads:
        made = sum(threads.map(many, range(8)))
    assert made == len(source.branches()) == 8 * _EACH
    assert len([name for name in os.listdir(root) if name.startswith("chain-") and "." not in name]) == made


def test_one_name_asked_for_by_many_at_once_is_made_once(source: Repository, places: GitWorkplaces) -> None:
    gate = threading.Barrier(6)

    def one(_: int) -> str:
        gate.wait(60)
        return places.create("slot-0", Isolation.WORKTREE, str(source.path)).branch

    with ThreadPoolExecutor(6) as threads:
        branches = set(threads.map(one, range(6)))
    assert branches == {"claude-pool/slot-0"} == set(source.branches())


def test_a_git_of_the_users_that_holds_the_configuration_is_waited_for(
    source: Repository, places: GitWorkplaces
) -> None:
    lock = source.path / ".git" / "packed-refs.lock"
    source.git("pack-refs", "--all")
    source.git("branch", "claude-pool/other")
    lock.touch()
    release = threading.Timer(0.3, lock.unlink)
    release.start()
    at = places.create("chain-a", Isolation.WORKTREE, str(source.path))
    release.join()
    places.remove("chain-a")
    assert not Path(at.path).exists() and source.branches() == ["claude-pool/other"]


def test_a_lock_that_another_holds_is_waited_for_only_so_long(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lock")
    with (
        held(path, "it"),
        pytest.raises(IsolationFailed, match=r"Another has been at work on it for 0 s"),
        held(path, "it", seconds=0.1),
    ):
        pass


_DIE = """
import os, sys
from claude_pool.adapters.git import workplaces as module
from claude_pool.adapters.git.records import Records
from claude_pool.domain.isolation import Isolation
moment, root, source, kind = sys.argv[1:]
def die(*_): os._exit(9)
if moment == "before git":
    module.register = die
elif moment == "before the files":
    module.fill = die
elif moment == "among the files":
    from claude_pool.adapters.git import making
    making._check_out = die
else:
    write = Records.write
    Records.write = lambda self, record: die() if record.made else write(self, record)
module.GitWorkplaces(root, dict(os.environ)).create("chain-a", Isolation(kind), source)
"""

MOMENTS = ["before git", "before the files", "among the files", "before the record"]


def dies(source: Repository, root: Path, moment: str, kind: Isolation) -> None:
    """Have a process make a workplace and die at `moment`, as if killed."""
    words = [sys.executable, "-c", _DIE, moment, str(root), str(source.path), kind.value]
    ran = subprocess.run(words, env=source.environ, timeout=60, check=False)
    assert ran.returncode == 9


@BOTH
@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_death_in_the_middle_it_is_made_as_if_nothing_had_been(
    source: Repository, places: GitWorkplaces, root: Path, moment: str, kind: Isolation
) -> None:
    dies(source, root, moment, kind)
    assert places.find("chain-a") is None
    at = places.create("chain-a", kind, str(source.path))
    assert (at.branch, (root / "chain-a" / "a.txt").read_text()) == ("claude-pool/chain-a", "one\n")
    assert source.branches() == ["claude-pool/chain-a"]
    write(root / "chain-a" / "b.txt", "x\n")
    places.remove("chain-a")
    assert source.show(at.branch, "b.txt") == "x"


@BOTH
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_death_left_is_swept_without_a_trace(
    source: Repository, places: GitWorkplaces, root: Path, moment: str, kind: Isolation
) -> None:
    dies(source, root, moment, kind)
    (swept,) = places.sweep(())
    assert (swept.removed, swept.kept) == (True, None)
    assert source.branches() == []
    assert source.git("worktree", "list", "--porcelain").count("worktree ") == 1
    assert sorted(os.listdir(root)) == [".gitignore", ".locks"]


def test_a_branch_left_without_directory_and_record_is_not_taken_over(
    source: Repository, places: GitWorkplaces
) -> None:
    source.git("branch", "claude-pool/chain-a")
    assert places.create("chain-a", Isolation.WORKTREE, str(source.path)).branch == "claude-pool/chain-a-2"


def test_those_who_wait_for_a_lock_that_its_holder_deletes_take_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    inside = 0
    gate = threading.Barrier(4)

    def one(_: int) -> None:
        nonlocal inside
        gate.wait(60)
        for _ in range(20):
            with held(str(path), "it"):
                inside += 1
                assert inside == 1
                inside -= 1
                path.unlink()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(one, range(4))) == [None] * 4
    assert not path.exists()


def test_a_workplace_that_is_removed_leaves_no_lock_of_its_own(
    source: Repository, places: GitWorkplaces, root: Path
) -> None:
    places.create("chain-a", Isolation.WORKTREE, str(source.path))
    places.remove("chain-a")
    assert [name for name in os.listdir(root / ".locks") if name.startswith("chain-")] == []
