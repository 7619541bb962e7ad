"""One git command: its own arguments, an environment of ours, bounded time, and no program of the
repository's choosing.

What a repository's configuration would have git run is overridden for every command. Filters and merge
drivers have names of their own, so they are looked up first (`disarmed`). The user's own configuration
counts otherwise: which files are ignored, and which repositories are trusted.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from claude_pool.domain.errors import IsolationFailed

QUICK_SECONDS = 60.0
"""For commands that read or write little."""
LONG_SECONDS = 900.0
"""For commands that go through all files of a work tree."""

_OUTPUT_BYTES = 256 * 2**20
_SETTINGS = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.ignoreStat", "false"),
    ("core.checkStat", "default"),
    ("core.safecrlf", "false"),
    ("core.sshCommand", "false"),
    ("core.alternateRefsCommand", "true"),
    ("core.editor", "false"),
    ("core.pager", "cat"),
    ("core.quotePath", "true"),
    ("core.logAllRefUpdates", "true"),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("protocol.file.allow", "always"),
    ("protocol.ext.allow", "never"),
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.fsckObjects", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("advice.detachedHead", "false"),
)
_PASSED = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER", "LOGNAME")
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "claude-pool"), ("EMAIL", "claude-pool@localhost"))
}
_TRANSIENT = re.compile(r"could not lock config file|\.lock': File exists", re.I)
_RETRIES = 6
_PAUSE = 0.05


class GitFailed(Exception):
    """A git command ended otherwise than it should; `said` is what it wrote about it."""

    def __init__(self, arguments: tuple[str, ...], code: int, said: str) -> None:
        """`code` is git's exit code, negative for a signal."""
        super().__init__(f"git {arguments[0]}: {said or f'exit {code}'}")
        self.code = code
        self.said = said


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. `cut`: its output was longer than asked for, and `out` is the beginning."""

    code: int
    out: bytes
    said: str
    cut: bool = False

    @property
    def text(self) -> str:
        """The output as text without the white space around it."""
        return os.fsdecode(self.out).strip()

    @property
    def names(self) -> list[str]:
        """The output of a command with `-z`: names, each ended by NUL."""
        return [os.fsdecode(name) for name in self.out.split(b"\0") if name]


@dataclass(frozen=True, slots=True)
class Git:
    """Where commands run, and on what: `git_dir`, `work_tree` and `index` are found by git if None."""

    environ: Mapping[str, str]
    cwd: str
    git_dir: str | None = None
    work_tree: str | None = None
    index: str | None = None
    settings: tuple[tuple[str, str], ...] = _SETTINGS

    def at(self, git_dir: str, work_tree: str | None = None, cwd: str | None = None) -> Git:
        """The same for a known repository, whatever the files around `cwd` say."""
        return replace(self, git_dir=git_dir, work_tree=work_tree, cwd=cwd or work_tree or self.cwd)

    def on_index(self, index: str) -> Git:
        """The same with another file for the index."""
        return replace(self, index=index)

    def disarmed(self) -> Git:
        """The same with every filter off, and every merge driver replaced by git's own merge of texts."""
        asked = ("config", "-z", "--name-only", "--get-regexp", r"^(filter|merge)\..*\.")
        found = self.run(*asked, ok=(0, 1)).names
        off: dict[str, str] = {}
        for key in found:
            section, _, rest = key.partition(".")
            name, _, variable = rest.rpartition(".")
            if section.lower() == "filter":
                off |= {f"filter.{name}.{what}": "" for what in ("clean", "smudge", "process")}
                off[f"filter.{name}.required"] = "false"
            elif variable.lower() == "driver":
                off[key] = "git merge-file %A %O %B"
        return replace(self, settings=(*self.settings, *off.items()))

    def text(self, *arguments: str) -> str:
        """The output of a command that must succeed.

        Raises:
            GitFailed: it did not.
        """
        return self.run(*arguments).text

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        seconds: float = QUICK_SECONDS,
        most: int = _OUTPUT_BYTES,
    ) -> Ran:
        """Run a command, again where another git held a lock for a moment. `most`: bytes of output to take.

        Raises:
            GitFailed: it ended with a code that is not `ok`, or took longer than `seconds`.
            IsolationFailed: there is no git.
        """
        tries = 0
        while True:
            ran = self._once(arguments, stdin, seconds, most)
            if ran.code in ok or ran.cut:
                return ran
            if tries == _RETRIES or "index.lock" in ran.said or not _TRANSIENT.search(ran.said):
                break
            time.sleep(_PAUSE * 2**tries)
            tries += 1
        raise GitFailed(arguments, ran.code, _first_lines(ran.said))

    def _once(self, arguments: tuple[str, ...], stdin: bytes, seconds: float, most: int) -> Ran:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    ["git", *arguments],
                    stdin=given, stdout=subprocess.PIPE, stderr=said, cwd=self.cwd, env=self._environment(),
                    start_new_session=True,
                )  # fmt: skip
            except FileNotFoundError as error:
                if not os.path.isdir(self.cwd):
                    raise GitFailed(arguments, 128, f"{self.cwd} is not there") from error
                raise IsolationFailed(
                    problem="git was not found.", hint="Install git 2.38 or newer, or use isolation none."
                ) from error
            except OSError as error:
                raise GitFailed(arguments, 128, f"{self.cwd}: {error.strerror}") from error
            out, ended = _read(process, time.monotonic() + seconds, most)
            said.seek(0)
            problem = said.read(1 << 16).decode(errors="replace").strip()
        if ended == "late":
            return Ran(128, out, f"it took longer than {seconds:g} s and was ended. {problem}".strip())
        return Ran(process.returncode, out, problem, ended == "cut")

    def _environment(self) -> dict[str, str]:
        environment = {name: self.environ[name] for name in _PASSED if name in self.environ}
        environment |= {
            "LC_ALL": "C.UTF-8",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_CONFIG_COUNT": str(len(self.settings)),
            **_IDENTITY,
        }
        for number, (key, value) in enumerate(self.settings):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        places = (
            ("GIT_DIR", self.git_dir),
            ("GIT_WORK_TREE", self.work_tree),
            ("GIT_INDEX_FILE", self.index),
        )
        return environment | {name: place for name, place in places if place is not None}


def _read(process: subprocess.Popen[bytes], until: float, most: int) -> tuple[bytes, str]:
    """The output, and how it ended: `done`, `cut` or `late`. The process is gone afterwards."""
    assert process.stdout is not None
    taken = bytearray()
    ended = "done"
    with process.stdout as pipe:
        while True:
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                ended = "late"
                break
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                break
            taken += chunk
            if len(taken) > most:
                ended = "cut"
                break
        if ended == "done":
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                ended = "late"
        if ended != "done":
            _end(process)
    return bytes(taken[:most]), ended


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started; first in a way that lets it take its lock files away."""
    for what, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, what)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def _first_lines(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("hint:")]
    return " ".join(lines)[:600]
