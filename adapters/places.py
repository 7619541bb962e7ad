"""Where a pool lives: its state directory, its files, its socket and its project's folder.

The relay imports this, so it needs nothing heavy and starts no process: the git folder is found by
reading what git itself reads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from claude_pool.domain.errors import InvalidArgument, StoreUnreadable

SOCKET_PATH_BYTES = 107
"""The longest address that a unix socket takes on Linux."""

SLOTS_DIR_BYTES = 64
"""The longest folder for slots that leaves room for the sockets which the CLI names in it."""


class Places(NamedTuple):
    """The places of one pool, as absolute paths. Making a value touches nothing; `prepare` makes folders.

    `project_dir` is the main work tree (of linked worktrees, the one they share), where the project's
    configuration and skills lie; `work_tree` is the one that the caller stands in. Outside of git both
    are the caller's directory.
    """

    state_dir: str
    socket: str
    project_dir: str
    work_tree: str

    @property
    def log(self) -> str:
        """The event log, an SQLite file."""
        return os.path.join(self.state_dir, "log.sqlite")

    @property
    def blobs(self) -> str:
        """The folder of texts too long for an event, named by their SHA-256."""
        return os.path.join(self.state_dir, "blobs")

    @property
    def transcripts(self) -> str:
        """The folder of what slots printed, one file an attempt."""
        return os.path.join(self.state_dir, "transcripts")

    @property
    def worktrees(self) -> str:
        """The folder of the copies of repositories that chains and slots work in."""
        return os.path.join(self.state_dir, "worktrees")

    @property
    def lock(self) -> str:
        """The file whose lock makes a process the owner."""
        return os.path.join(self.state_dir, "owner.lock")

    @property
    def owner_log(self) -> str:
        """What the owner prints: standard output and standard error of the detached process."""
        return os.path.join(self.state_dir, "owner.log")

    @property
    def address(self) -> str:
        """The file in which the owner says where it listens."""
        return os.path.join(self.state_dir, "owner.address")

    @property
    def slots_dir(self) -> str:
        """A short folder of the slots' own, in which the CLI opens sockets: beside ours, or below `/tmp`."""
        name = os.path.basename(self.socket).partition(".")[0][:8]
        beside = os.path.join(os.path.dirname(self.socket), name)
        short = len(os.fsencode(beside)) <= SLOTS_DIR_BYTES
        return beside if short else os.path.join("/tmp", f"claude-pool-{os.geteuid()}", name)

    @property
    def skills_dir(self) -> str:
        """The project's own skills."""
        return os.path.join(self.project_dir, ".claude-pool", "skills")

    @property
    def workflows_dir(self) -> str:
        """The project's own workflows."""
        return os.path.join(self.project_dir, ".claude-pool", "workflows")

    @property
    def project_file(self) -> str:
        """The project's configuration: untrusted input."""
        return os.path.join(self.project_dir, "claude-pool.toml")


def find(environ: Mapping[str, str], working_dir: str | None = None, state_dir: str | None = None) -> Places:
    """The places of the pool that `working_dir` (default: the current directory) belongs to.

    The state lies in `state_dir` if that is given, else in `.claude-pool/state` of the main work tree,
    else (no git, a bare repository, not writable, or a link in the way) under `$XDG_STATE_HOME`.

    Raises:
        InvalidArgument: `working_dir` is not a directory.
    """
    here = os.path.realpath(working_dir if working_dir else os.getcwd())
    if not os.path.isdir(here):
        raise InvalidArgument(argument="working_dir", problem=f"{here} is not a directory")
    repository = _repository(here, environ)
    main = repository.main if repository else None
    work_tree = (repository.work_tree if repository else None) or main or here
    if state_dir:
        state = os.path.realpath(state_dir)
    elif main and _may_hold_state(main):
        state = os.path.join(main, ".claude-pool", "state")
    else:
        state = _state_outside(environ, main or (repository.common if repository else here))
    return Places(state, _socket(environ, state), main or work_tree, work_tree)


def prepare(places: Places) -> None:
    """Make the state directory, its folders and the socket's folder, for this user's eyes only.

    Raises:
        StoreUnreadable: a folder cannot be made, belongs to someone else, or is open to others.
    """
    try:
        os.makedirs(places.state_dir, mode=0o700, exist_ok=True)
        # A folder that was named and holds other things is not ours to close or to hide from git.
        ours = places.state_dir == os.path.join(places.project_dir, ".claude-pool", "state")
        if ours or not os.listdir(places.state_dir):
            os.chmod(places.state_dir, 0o700)
            _write_once(os.path.join(places.state_dir, ".gitignore"), "*\n")
        _refuse_shared(places.state_dir, 0o022, root_may=True)
        for folder in (places.blobs, places.transcripts):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreUnreadable(
            path=places.state_dir,
            problem=error.strerror or str(error),
            hint="Make it writable, or name another place with --state-dir.",
        ) from error
    for private in (places.socket, places.slots_dir):
        socket_folder(private)


def socket_folder(socket: str) -> str:
    """The folder that `socket` lies in, made if need be and found to be private to this user.

    Raises:
        StoreUnreadable: it cannot be made, is a link, belongs to someone else, or is open to others.
    """
    folder = os.path.dirname(socket)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _refuse_shared(folder, 0o077)
    except OSError as error:
        raise StoreUnreadable(
            path=folder,
            problem=error.strerror or str(error),
            hint="Set XDG_RUNTIME_DIR or TMPDIR to a folder that you can write.",
        ) from error
    return folder


def publish(places: Places) -> None:
    """Say where the owner listens. For the owner, once it does; the next owner writes over it.

    Callers differ in `XDG_RUNTIME_DIR` and `TMPDIR` (cron, a slot's own shell), so what they would
    compute is not always where the owner, started by another, is to be found.
    """
    draft = f"{places.address}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8", opener=_private) as file:
        file.write(places.socket)
    os.replace(draft, places.address)


def listening(places: Places) -> str:
    """Where the owner of these places would be reached: what it published, else what we compute.

    Raises:
        StoreUnreadable: the folder of the socket could be someone else's.
    """
    try:
        with open(places.address, encoding="utf-8") as file:
            published = file.read(4096)
    except (OSError, UnicodeDecodeError):
        published = ""
    socket = published if published.startswith("/") and os.path.exists(published) else places.socket
    if os.path.lexists(os.path.dirname(socket)):
        _refuse_shared(os.path.dirname(socket), 0o077)
    return socket


class _Repository(NamedTuple):
    common: str
    main: str | None
    work_tree: str | None


def _repository(here: str, environ: Mapping[str, str]) -> _Repository | None:
    """The repository around `here` as git would find it, or None."""
    if named := environ.get("GIT_DIR"):
        git_dir = os.path.realpath(os.path.join(here, named))
        work_tree = os.path.realpath(os.path.join(here, environ.get("GIT_WORK_TREE") or "."))
        return _describe(git_dir, work_tree) if _is_git_dir(git_dir) else None
    ceilings = {
        os.path.realpath(path) for path in environ.get("GIT_CEILING_DIRECTORIES", "").split(":") if path
    }
    device = os.stat(here).st_dev
    folder = here
    while True:
        link = os.path.join(folder, ".git")
        if os.path.isfile(link):
            linked = _linked(link)
            return _describe(linked, folder) if linked else None
        if _is_git_dir(link):
            return _describe(os.path.realpath(link), folder)
        if _is_git_dir(folder):
            return _describe(folder, None)
        parent = os.path.dirname(folder)
        if parent == folder or parent in ceilings:
            return None
        if os.stat(parent).st_dev != device and not environ.get("GIT_DISCOVERY_ACROSS_FILESYSTEM"):
            return None
        folder = parent


def _describe(git_dir: str, work_tree: str | None) -> _Repository:
    common = _common(git_dir)
    settings = _core_settings(common)
    if settings.get("bare", "").lower() in ("true", "yes", "on", "1"):
        main = None
    elif "worktree" in settings:
        main = os.path.realpath(os.path.join(common, settings["worktree"]))
    elif os.path.basename(common) == ".git":
        main = os.path.dirname(common)
    else:
        main = work_tree if git_dir == common else None
    return _Repository(common, main if main and os.path.isdir(main) else None, work_tree)


def _is_git_dir(path: str) -> bool:
    common = _common(path)
    return os.path.lexists(os.path.join(path, "HEAD")) and all(
        os.path.isdir(os.path.join(common, part)) for part in ("objects", "refs")
    )


def _linked(file: str) -> str | None:
    """The git folder that a `.git` file names, or None where it is no such folder."""
    line = _first_line(file)
    if not line.startswith("gitdir:"):
        return None
    git_dir = os.path.realpath(os.path.join(os.path.dirname(file), line.removeprefix("gitdir:").strip()))
    return git_dir if _is_git_dir(git_dir) else None


def _common(git_dir: str) -> str:
    named = _first_line(os.path.join(git_dir, "commondir"))
    return os.path.realpath(os.path.join(git_dir, named)) if named else git_dir


def _core_settings(common: str) -> dict[str, str]:
    """`core.bare` and `core.worktree` of a repository, in as far as plain lines give them."""
    found: dict[str, str] = {}
    for name in ("config", "config.worktree"):
        section = ""
        for line in _lines(os.path.join(common, name)):
            if line.startswith("["):
                section = line.lower()
            elif section == "[core]":
                key, _, value = line.partition("=")
                if key.strip().lower() in ("bare", "worktree"):
                    found[key.strip().lower()] = value.strip().strip('"')
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line.strip() for line in file.read(1 << 20).splitlines()]
    except OSError:
        return []


def _first_line(path: str) -> str:
    return next(iter(_lines(path)), "")


def _may_hold_state(main: str) -> bool:
    """Whether `.claude-pool/state` in `main` is, or could be made, a real folder that we can write."""
    if os.path.normpath(main) == "/":
        return False
    folder = main
    for name in (".claude-pool", "state"):
        below = os.path.join(folder, name)
        if not os.path.lexists(below):
            break
        # A repository could bring a link that leads out of it; the state is not written through one.
        if os.path.islink(below) or not os.path.isdir(below):
            return False
        folder = below
    return os.access(folder, os.W_OK | os.X_OK)


def _state_outside(environ: Mapping[str, str], path: str) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        base = os.path.join(home, ".local", "state")
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in os.path.basename(path))[:40].lstrip(".")
    return os.path.join(os.path.realpath(base), "claude-pool", f"{name or 'pool'}-{_hash(path)[:12]}")


def _socket(environ: Mapping[str, str], state_dir: str) -> str:
    """A socket path of at most `SOCKET_PATH_BYTES` in a folder of this user's own."""
    name = f"{_hash(state_dir)[:16]}.sock"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    own = f"claude-pool-{os.geteuid()}"
    candidates = [os.path.join(environ.get("TMPDIR") or "/tmp", own), os.path.join("/tmp", own)]
    if runtime.startswith("/") and os.path.isdir(runtime):
        candidates.insert(0, os.path.join(runtime, "claude-pool"))
    paths = [os.path.join(folder, name) for folder in candidates if folder.startswith("/")]
    return next((path for path in paths if len(os.fsencode(path)) <= SOCKET_PATH_BYTES), paths[-1])


def _refuse_shared(folder: str, forbidden: int, root_may: bool = False) -> None:
    """Raise unless `folder` is a real folder of this user's with none of the `forbidden` permissions.

    `root_may`: the superuser may use someone else's folder, as in a container with a mounted project.
    """
    seen = os.lstat(folder)
    if not stat.S_ISDIR(seen.st_mode):
        problem = "is not a folder"
    elif seen.st_uid != os.geteuid() and not (root_may and os.geteuid() == 0):
        problem = f"belongs to another user (uid {seen.st_uid})"
    elif seen.st_mode & forbidden:
        problem = f"is open to other users (mode {stat.S_IMODE(seen.st_mode):o})"
    else:
        return
    raise StoreUnreadable(
        path=folder, problem=problem, hint=f"Look at it, then `chmod 700 {folder}` or remove it."
    )


def _write_once(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except FileExistsError:
        pass


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _hash(path: str) -> str:
    return sha256(os.fsencode(path)).hexdigest()
