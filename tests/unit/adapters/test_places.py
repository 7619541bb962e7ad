"""Where a pool's state, socket and project lie, against real git repositories."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from claude_pool.adapters import places
from claude_pool.adapters.places import Places, find
from claude_pool.domain.errors import InvalidArgument, StoreUnreadable


def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of the machine's own configuration counts."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "XDG_RUNTIME_DIR": str(runtime),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
    }


def git(tmp_path: Path, cwd: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
    answer = subprocess.run(
        ["git", *identity, *arguments],
        cwd=cwd,
        env=environment(tmp_path),
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    (repo / "deep" / "er").mkdir(parents=True)
    git(tmp_path, repo, "init", "-q")
    git(tmp_path, repo, "commit", "-q", "--allow-empty", "-m", "x")
    return repo


def test_the_state_lies_in_the_work_tree_wherever_one_stands_in_it(tmp_path: Path, repository: Path) -> None:
    found = find(environment(tmp_path), str(repository / "deep" / "er"))

    assert found.state_dir == str(repository / ".claude-pool" / "state")
    assert found.project_dir == found.work_tree == str(repository)
    assert found.project_file == str(repository / "claude-pool.toml")
    assert found.skills_dir == str(repository / ".claude-pool" / "skills")


def test_linked_worktrees_share_the_pool_of_the_main_one(tmp_path: Path, repository: Path) -> None:
    git(tmp_path, repository, "worktree", "add", "-q", str(tmp_path / "linked"))

    main = find(environment(tmp_path), str(repository))
    linked = find(environment(tmp_path), str(tmp_path / "linked"))

    assert linked == main._replace(work_tree=str(tmp_path / "linked"))


def test_worktrees_of_a_bare_repository_share_one_pool_outside_of_it(
    tmp_path: Path, repository: Path
) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    git(tmp_path, bare, "worktree", "add", "-q", "--detach", str(tmp_path / "one"))
    git(tmp_path, bare, "worktree", "add", "-q", "--detach", str(tmp_path / "two"))

    inside, one, two = (
        find(environment(tmp_path), str(path)) for path in (bare, tmp_path / "one", tmp_path / "two")
    )

    assert inside.state_dir == one.state_dir == two.state_dir
    assert one.state_dir.startswith(str(tmp_path / "home/.local/state/claude-pool/bare.git-"))
    assert one.project_dir == str(tmp_path / "one")


def test_without_git_the_state_lies_under_the_users_state_folder_by_name_and_hash(tmp_path: Path) -> None:
    for name in ("a/project", "b/project"):
        (tmp_path / name).mkdir(parents=True)
    environ = environment(tmp_path) | {"XDG_STATE_HOME": str(tmp_path / "xdg")}

    first, second = (find(environ, str(tmp_path / name / "project")).state_dir for name in ("a", "b"))

    assert first != second
    assert os.path.dirname(first) == str(tmp_path / "xdg" / "claude-pool")
    assert os.path.basename(first).startswith("project-")


def test_a_relative_xdg_state_home_is_ignored(tmp_path: Path) -> None:
    found = find(environment(tmp_path) | {"XDG_STATE_HOME": "relative"}, str(tmp_path))

    assert found.state_dir.startswith(str(tmp_path / "home/.local/state/claude-pool/"))


def test_a_named_state_directory_wins(tmp_path: Path, repository: Path) -> None:
    found = find(environment(tmp_path), str(repository), str(tmp_path / "mine"))

    assert (found.state_dir, found.project_dir) == (str(tmp_path / "mine"), str(repository))


def test_a_link_in_place_of_the_state_folder_is_not_followed(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository / ".claude-pool").symlink_to(tmp_path / "elsewhere")

    assert find(environment(tmp_path), str(repository)).state_dir.startswith(str(tmp_path / "home"))


def test_a_repository_on_a_read_only_disk_keeps_its_state_elsewhere(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: str, _mode: int) -> bool:
        return not path.startswith(str(repository))

    monkeypatch.setattr(os, "access", read_only)

    assert find(environment(tmp_path), str(repository)).state_dir.startswith(str(tmp_path / "home"))


def test_a_file_where_the_state_folder_should_be_moves_the_state_elsewhere(
    tmp_path: Path, repository: Path
) -> None:
    (repository / ".claude-pool").write_text("a file where the folder should be")

    assert find(environment(tmp_path), str(repository)).state_dir.startswith(str(tmp_path / "home"))


def test_a_working_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="nowhere is not a directory"):
        find(environment(tmp_path), str(tmp_path / "nowhere"))


def _layouts(tmp_path: Path, repository: Path) -> list[Path]:
    """Directories in as many kinds of repositories as there are rules."""
    git(tmp_path, repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(tmp_path, repository, "submodule", "add", "-q", str(repository), "sub")
    git(tmp_path, repository / "sub", "worktree", "add", "-q", str(tmp_path / "linked-sub"))
    git(tmp_path, tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "bare"))
    git(tmp_path, tmp_path / "bare", "worktree", "add", "-q", "--detach", str(tmp_path / "of-bare"))
    git(
        tmp_path,
        tmp_path,
        "init",
        "-q",
        "--separate-git-dir",
        str(tmp_path / "gitdir"),
        str(tmp_path / "separate"),
    )
    (repository / "deep" / ".git").mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".git").write_text("gitdir: /nowhere\n")
    plain = tmp_path / "plain"
    plain.mkdir()
    (tmp_path / "through").symlink_to(repository / "deep" / "er")
    return [
        *(repository, repository / "deep" / "er", repository / ".git" / "hooks", repository / "sub"),
        *(tmp_path / name for name in ("linked", "linked-sub", "bare", "of-bare", "separate", "through")),
        *(broken, plain),
    ]


def test_the_repository_found_is_the_one_git_finds(tmp_path: Path, repository: Path) -> None:
    for folder in _layouts(tmp_path, repository):
        asked = subprocess.run(
            ["git", "rev-parse", "--git-common-dir"],
            cwd=folder, env=environment(tmp_path), capture_output=True, text=True, check=False,
        )  # fmt: skip
        expected = os.path.realpath(folder / asked.stdout.strip()) if asked.returncode == 0 else None

        found = places._repository(os.path.realpath(folder), environment(tmp_path))  # pyright: ignore[reportPrivateUsage]

        assert (folder, found and found.common) == (folder, expected)


def test_a_submodule_and_its_worktrees_have_a_pool_of_their_own(tmp_path: Path, repository: Path) -> None:
    git(tmp_path, repository, "submodule", "add", "-q", str(repository), "sub")
    git(tmp_path, repository / "sub", "worktree", "add", "-q", str(tmp_path / "linked-sub"))

    sub, linked = (
        find(environment(tmp_path), str(path)) for path in (repository / "sub", tmp_path / "linked-sub")
    )

    assert sub.state_dir == linked.state_dir == str(repository / "sub" / ".claude-pool" / "state")


def test_git_dir_names_the_repository(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "aside").mkdir()

    found = find(environment(tmp_path) | {"GIT_DIR": str(repository / ".git")}, str(tmp_path / "aside"))

    assert (found.project_dir, found.work_tree) == (str(repository), str(tmp_path / "aside"))


def test_the_search_stops_below_a_ceiling(tmp_path: Path, repository: Path) -> None:
    environ = environment(tmp_path) | {"GIT_CEILING_DIRECTORIES": str(repository)}

    assert find(environ, str(repository / "deep")).project_dir == str(repository / "deep")


def test_prepared_folders_are_private_and_hidden_from_git(tmp_path: Path, repository: Path) -> None:
    found = find(environment(tmp_path), str(repository))
    places.prepare(found)
    places.prepare(found)

    for folder in (found.state_dir, found.blobs, found.transcripts, os.path.dirname(found.socket)):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert Path(found.state_dir, ".gitignore").read_text() == "*\n"
    assert git(tmp_path, repository, "status", "--porcelain") == ""


def test_a_named_folder_with_other_things_in_it_is_not_hidden_from_git(
    tmp_path: Path, repository: Path
) -> None:
    (repository / "deep" / "file").write_text("kept")
    places.prepare(find(environment(tmp_path), str(repository), str(repository / "deep")))

    assert not (repository / "deep" / ".gitignore").exists()


def test_a_state_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "something").touch()
    shared.chmod(0o777)

    with pytest.raises(StoreUnreadable, match=r"open to other users \(mode 777\)"):
        places.prepare(find(environment(tmp_path), str(tmp_path), str(shared)))


def test_a_state_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnreadable, match="file/state: Not a directory"):
        places.prepare(find(environment(tmp_path), str(tmp_path), str(tmp_path / "file" / "state")))


def _with_socket_folder(tmp_path: Path) -> tuple[Places, Path]:
    found = find(environment(tmp_path), str(tmp_path), str(tmp_path / "state"))
    return found, Path(found.socket).parent


def test_the_socket_lies_in_the_runtime_folder(tmp_path: Path) -> None:
    found, folder = _with_socket_folder(tmp_path)

    assert folder == tmp_path / "run" / "claude-pool"
    assert found.socket.endswith(".sock")


def test_without_a_runtime_folder_the_socket_lies_in_the_users_own_temporary_folder(tmp_path: Path) -> None:
    environ = environment(tmp_path) | {"XDG_RUNTIME_DIR": "", "TMPDIR": str(tmp_path)}

    assert os.path.dirname(find(environ, str(tmp_path)).socket) == str(
        tmp_path / f"claude-pool-{os.geteuid()}"
    )


def test_a_runtime_folder_too_long_for_a_socket_is_passed_over(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    environ = environment(tmp_path) | {"XDG_RUNTIME_DIR": str(long), "TMPDIR": str(long)}

    found = find(environ, str(tmp_path), str(long / ("y" * 200)))

    assert os.path.dirname(found.socket) == f"/tmp/claude-pool-{os.geteuid()}"
    assert len(os.fsencode(found.socket)) <= places.SOCKET_PATH_BYTES


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_socket_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    found, folder = _with_socket_folder(tmp_path)
    folder.mkdir()
    folder.chmod(mode)

    for ask in (places.prepare, places.listening):
        with pytest.raises(StoreUnreadable, match="open to other users"):
            ask(found)


def test_a_link_in_place_of_the_socket_folder_is_refused(tmp_path: Path) -> None:
    found, folder = _with_socket_folder(tmp_path)
    (tmp_path / "planted").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "planted")

    for ask in (places.prepare, places.listening):
        with pytest.raises(StoreUnreadable, match="is not a folder"):
            ask(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a folder away")
def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    found, folder = _with_socket_folder(tmp_path)
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)

    with pytest.raises(StoreUnreadable, match="belongs to another user"):
        places.listening(found)


def test_callers_with_another_runtime_folder_find_where_the_owner_listens(tmp_path: Path) -> None:
    owner, _ = _with_socket_folder(tmp_path)
    places.prepare(owner)
    Path(owner.socket).touch()
    places.publish(owner)
    (tmp_path / "other").mkdir(mode=0o700)

    caller = find(
        environment(tmp_path) | {"XDG_RUNTIME_DIR": str(tmp_path / "other")}, str(tmp_path), owner.state_dir
    )

    assert caller.socket != owner.socket
    assert places.listening(caller) == owner.socket


def test_a_published_address_that_is_gone_is_not_used(tmp_path: Path) -> None:
    owner, _ = _with_socket_folder(tmp_path)
    places.prepare(owner)
    places.publish(owner._replace(socket=str(tmp_path / "gone.sock")))

    assert places.listening(owner) == owner.socket


def test_slots_have_a_short_private_folder_beside_the_socket_or_below_tmp(tmp_path: Path) -> None:
    short = find(environment(tmp_path) | {"XDG_RUNTIME_DIR": "", "TMPDIR": "/tmp"}, str(tmp_path))
    long = tmp_path / ("x" * 40)
    long.mkdir()
    deep = find(environment(tmp_path) | {"XDG_RUNTIME_DIR": str(long)}, str(tmp_path))

    assert os.path.dirname(short.slots_dir) == os.path.dirname(short.socket)
    assert os.path.dirname(deep.slots_dir) == f"/tmp/claude-pool-{os.geteuid()}"
    assert all(len(os.fsencode(each.slots_dir)) <= places.SLOTS_DIR_BYTES for each in (short, deep))
