"""Files that others write: skills, workflows, configuration, what git says, the log's own file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from claude_pool.adapters.config.layers import Files
from claude_pool.adapters.config.model import resolve_files
from claude_pool.adapters.config.options import OPTIONS
from claude_pool.adapters.git.command import Git, Ran
from claude_pool.adapters.git.making import work_trees
from claude_pool.adapters.git.records import Records
from claude_pool.adapters.skills.document import write_skill
from claude_pool.adapters.skills.faults import Fault
from claude_pool.adapters.skills.frontmatter import parse_skill
from claude_pool.adapters.skills.library import BUILTIN
from claude_pool.adapters.skills.loader import load_skills
from claude_pool.adapters.skills.workflows import parse_workflow
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.errors import InvalidArgument, LogNewer, StoreError, StoreUnreadable
from claude_pool.domain.skills import Source, render
from claude_pool.domain.world import World

from tests.fuzz.engine import Probe, Target, changed_bytes, text

# ---------------------------------------------------------------- skills and workflows

_SKILLS = [path.read_bytes() for path in sorted(Path(BUILTIN).rglob("SKILL.md"))] + [
    b"---\nname: x\ndescription: 'does x'\nargument-hint: [file] [goal]\n"
    b"allowed-tools: Read, Bash(git log:*)\n"
    b"model: opus\nmetadata:\n  scope: task\n  arguments:\n    - name: file\n      description: which\n"
    b"      required: true\n      type: string\n  config:\n    max_turns: 3\n    max_budget_usd: 0.5\n---\n\n"
    b"Look at $ARGUMENTS[0] and {file}, then !`ls $1`.\n"
]
_WORKFLOWS = [
    b"name: w\ndescription: two steps\narguments:\n  - name: topic\n    required: true\nsteps:\n"
    b"  - name: a\n    prompt: 'about {topic}'\n    model: haiku\n    max_budget_usd: 0.25\n"
    b"  - name: b\n    needs: [a]\n    prompt: 'use {steps.a.output}'\n    output_vars: {n: '$.n'}\n"
    b"    retries: 2\n    timeout: 60\n",
    b"steps:\n  - name: only\n    skill: review-code\n    arguments: {path: 'x'}\n",
]


def make_skill(chance: Random) -> bytes:
    """A skill's file, changed."""
    return _lines_changed(chance, chance.choice(_SKILLS))


def make_workflow(chance: Random) -> bytes:
    """A workflow's file, changed."""
    return _lines_changed(chance, chance.choice(_WORKFLOWS))


def _lines_changed(chance: Random, given: bytes) -> bytes:
    lines = given.split(b"\n")
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(lines))
        line = chance.choice(lines)
        match chance.randrange(4):
            case 0:
                lines[at:at] = [line] * chance.choice((1, 1, 30))
            case 1:
                key, mark, _ = line.partition(b":")
                lines[at] = key + mark + b" " + text(chance).encode("utf-8", "surrogatepass")
            case 2:
                lines[at] = b" " * chance.randrange(6) + line.lstrip()
            case _:
                del lines[at : at + 1]
                lines = lines or [b""]
    found = b"\n".join(lines)
    return changed_bytes(chance, found) if chance.random() < 0.5 else found


@contextmanager
def skill_ground(folder: Path) -> Generator[Probe]:
    """A skill is read or its fault told; one that was read is written so that it reads the same."""
    place = folder / "skills" / "x"
    place.mkdir(parents=True)

    def probe(data: bytes) -> None:
        (place / "SKILL.md").write_bytes(data)
        loaded = load_skills(str(place.parent), Source.PROJECT)
        assert len(loaded.skills) + sum(each.skipped for each in loaded.problems) == 1
        assert all(each.problem and each.line >= 0 for each in loaded.problems)
        for registered in loaded.skills.values():
            skill = registered.skill
            assert parse_skill(write_skill(skill), skill.name).skill == skill
            with suppress(InvalidArgument):
                render(skill, {each.name: "@x {y} /z" for each in skill.arguments}).text()

    yield probe


@contextmanager
def workflow_ground(_folder: Path) -> Generator[Probe]:
    """A workflow is read or its fault told, with a line of the file."""

    def probe(data: bytes) -> None:
        said = data.decode("utf-8", "replace")
        try:
            assert parse_workflow(said, "w").steps
        except Fault as fault:
            lines = len(said.splitlines()) + 2
            assert fault.problem and 0 <= fault.line <= lines, (fault.line, fault.problem)

    yield probe


# ---------------------------------------------------------------- configuration

_TOML = b'[pool]\nslots = 3\nmodel = "opus"\nbudget_usd = 1.5\nallowed_tools = ["Read", "Bash(git log:*)"]\n'
_FIELDS = [f"{option.name} = ".encode() for option in OPTIONS]
_VALUES = (
    b"1", b"0", b"-1", b"1.5", b"nan", b"inf", b'"x"', b'""', b"[]", b'["a", 1]', b"true", b"{a = 1}",
    b"1979-05-27",
    b"99999999999999999999", b'"~/x"', b'"../.."', b"1e400", b'"plan"', b'"bypassPermissions"', b"'\\u0000'",
)  # fmt: skip


def make_config(chance: Random) -> bytes:
    """A file, changed, with more options in it."""
    more = (chance.choice(_FIELDS) + chance.choice(_VALUES) for _ in range(chance.randrange(4)))
    data = b"\n".join((_TOML if chance.random() < 0.5 else b"[pool]", *more, b""))
    return changed_bytes(chance, data) if chance.random() < 0.6 else data


@contextmanager
def config_ground(folder: Path) -> Generator[Probe]:
    """The same bytes as the project's file, as the user's, and as the values of variables."""
    path = folder / "claude-pool.toml"
    outside = ("trust_project", "claude", "pass_env", "mcp_config")

    def probe(data: bytes) -> None:
        path.write_bytes(data)
        loose = data.decode("utf-8", "replace").replace("\0", "")
        pairs = (line.partition(" = ") for line in loose.splitlines())
        variables = {f"CLAUDE_POOL_{key.strip().upper()}": raw for key, mark, raw in pairs if mark}
        for files, environment in (
            (Files(project=str(path)), {}), (Files(user=str(path)), {}), (Files(), variables),
        ):  # fmt: skip
            environment = {"HOME": str(folder), **environment}
            try:
                options, sources = resolve_files({}, environment, files, str(folder))
            except InvalidArgument as error:
                assert len(error.message) < 20_000
                continue
            assert options.min_slots <= options.slots <= options.max_slots
            if files.project:
                assert not any(sources[name].startswith("project") for name in outside if name in sources)

    yield probe


# ---------------------------------------------------------------- git

_SAID_BY_GIT = (
    b"worktree /a\0HEAD 0123\0branch refs/heads/main\0\0worktree /b\0HEAD 0\0detached\0\0",
    b"worktree /a\0bare\0\0worktree /a/b c\0HEAD 1\0branch refs/heads/x\0locked why\0prunable gone\0\0",
    b" M a\0?? b\nc\0R  d\0", b"H a\0S b\0h c\0", b"bare\0", b"\0\0\0", b"worktree\0branch\0",
    b"worktree \0bare\0",
    b'{"workplace": {"name": "x", "kind": "worktree", "path": "/p", "branch": "b", "base": "0",'
    b' "repository": "/r",'
    b' "directory": "/p", "target": null, "notes": []}, "git_dir": "/g", "made": true}',
)  # fmt: skip


def make_git(chance: Random) -> bytes:
    """What a git printed, changed."""
    return changed_bytes(chance, chance.choice(_SAID_BY_GIT))


@dataclass
class _Said:
    """A git that says this, whatever it is asked."""

    out: bytes

    def run(self, *_: object, **__: object) -> Ran:
        return Ran(0, self.out, "")


@contextmanager
def git_ground(folder: Path) -> Generator[Probe]:
    """Work trees, names, settings and our own records are read from whatever is there."""
    records = Records(str(folder / "records"))
    os.makedirs(folder / "records")

    def probe(data: bytes) -> None:
        said = cast("Git", _Said(data))
        assert "" not in work_trees(said)
        ran = Ran(0, data, "")
        assert "" not in ran.names and ran.text == ran.text.strip()
        git = SimpleNamespace(run=_Said(data).run, settings=())
        disarm: Any = Git.disarmed
        try:
            disarm(git)
        except TypeError as error:  # `replace` of what is no Git: everything was read by then
            assert "dataclass" in str(error)
        (folder / "records" / "x.json").write_bytes(data)
        records.read("x")

    yield probe


# ---------------------------------------------------------------- the log's file

_LOG = Path(__file__).parents[2] / "golden" / "logs" / "0.1.0" / "log.sqlite"
_WHOLE = _LOG.read_bytes()
_CHANGES = re.compile(rb"[0-9]{1,9}(?: [0-9]{1,9}:[0-9]{1,9})*")
"""Other bytes are a file as they are."""


def make_log(chance: Random) -> bytes:
    """Changes of the kept log: pairs of place and byte, and where it is cut. Most are in the header."""
    places = [
        (
            chance.randrange(100) if chance.random() < 0.7 else chance.randrange(len(_WHOLE)),
            chance.randrange(256),
        )
        for _ in range(chance.choice((0, 1, 1, 2, 8, 100)))
    ]
    cut = chance.randrange(len(_WHOLE) + 1) if chance.random() < 0.2 else len(_WHOLE)
    return b" ".join([str(cut).encode(), *(f"{at}:{byte}".encode() for at, byte in places)])


@contextmanager
def log_ground(folder: Path) -> Generator[Probe]:
    """A damaged or foreign file is refused by what reads it and by what writes it."""
    codec = default_codec()

    def probe(data: bytes) -> None:
        state = folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        path = state / "log.sqlite"
        path.write_bytes(_patched(data))
        before = path.read_bytes()
        try:
            reader = open_reader(path, codec)
            try:
                world = World()
                for position, stream, version, event, _, _ in reader.read_events(check=True):
                    world.apply(position, stream, version, event)
                reader.verify()
            finally:
                reader.close()
        except StoreError:
            pass
        assert path.read_bytes() == before
        try:
            SqliteEventLog.open(path, codec).close()
        except (StoreUnreadable, LogNewer):
            assert path.read_bytes() == before or before.startswith(_WHOLE[:100])
        except StoreError:
            pass

    yield probe


def _patched(data: bytes) -> bytes:
    if not _CHANGES.fullmatch(data):
        return data
    cut, *places = data.split()
    found = bytearray(_WHOLE)
    for place in places:
        at, _, byte = place.partition(b":")
        if int(at) < len(found):
            found[int(at)] = int(byte) % 256
    return bytes(found[: int(cut)])


SKILLS = Target("skills", make_skill, skill_ground)
WORKFLOWS = Target("workflows", make_workflow, workflow_ground)
CONFIG = Target("config", make_config, config_ground)
GIT = Target("git", make_git, git_ground)
LOG = Target("log", make_log, log_ground)
