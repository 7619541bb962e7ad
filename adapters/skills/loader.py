"""Loads the skills of one folder: `NAME/SKILL.md` each. A bad file is told of and left out."""

from __future__ import annotations

import os
from dataclasses import dataclass

from claude_pool.domain.skills import Skill, Source

from ..config.options import HIGHEST_PROJECT_MODE, MODES
from .document import digest_of
from .faults import Fault, Problem
from .folders import MOST_ENTRIES, directory, read_text
from .frontmatter import parse_skill

FILE = "SKILL.md"

_HIGHEST_MODE = {Source.PROJECT: HIGHEST_PROJECT_MODE, Source.GLOBAL: "auto"}


@dataclass(frozen=True, slots=True)
class Registered:
    """A skill and where it comes from. `text` is its file as it stands (None: it came from a caller)."""

    skill: Skill
    source: Source
    digest: str
    directory: str | None = None
    text: str | None = None

    @property
    def label(self) -> str:
        """The skill and exactly which: `name@` and 16 hex digits of its digest."""
        return f"{self.skill.name}@{self.digest[:16]}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The skills of a folder by name, in the order of their folders, and what is wrong there."""

    skills: dict[str, Registered]
    problems: tuple[Problem, ...]


def load_skills(root: str, source: Source) -> Loaded:
    """The skills in the folder `root`; none where there is no such folder."""
    skills: dict[str, Registered] = {}
    problems: list[Problem] = []
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return Loaded({}, ())
    except OSError as error:
        return Loaded({}, (Problem(root, 0, error.strerror or str(error)),))
    for name in names[:MOST_ENTRIES]:
        path = os.path.join(root, name)
        try:
            if (found := _load(root, name, source)) is None:
                continue
            registered, warnings = found
            file = os.path.join(path, FILE)
            problems += [Problem(file, line, text, skipped=False) for line, text in warnings]
            first = skills.setdefault(registered.skill.name, registered)
            if first is not registered:
                raise Fault(0, f"is named {registered.skill.name} like the skill in {first.directory}")
        except Fault as fault:
            at = os.path.join(path, FILE) if os.path.isdir(path) else path
            problems.append(Problem(at, fault.line, fault.problem))
    if len(names) > MOST_ENTRIES:
        problems.append(Problem(root, 0, f"has more than {MOST_ENTRIES} entries; the last ones are left out"))
    return Loaded(skills, tuple(problems))


def _load(root: str, name: str, source: Source) -> tuple[Registered, tuple[tuple[int, str], ...]] | None:
    """The skill in an entry of the folder, and warnings; None where it is not meant to be one."""
    if name.startswith("."):
        return None
    if name.endswith(".json"):
        raise Fault(
            0, f"is a skill in JSON, which is not supported; write {name[:-5]}/{FILE}: front matter with "
            "name and description, and the prompt below it",
        )  # fmt: skip
    path = os.path.join(root, name)
    if os.path.islink(path):
        raise Fault(0, "is a symbolic link; put the folder itself there")
    if not os.path.isdir(path):
        return None
    try:
        with directory(root_of(root)) as top, directory(name, top) as folder:
            text = read_text(FILE, folder)
    except OSError as error:
        raise Fault(0, error.strerror or str(error)) from None
    parsed = parse_skill(text, name)
    _check_trust(parsed.skill, source)
    registered = Registered(parsed.skill, source, digest_of(parsed.skill), path, text)
    return registered, parsed.warnings


def root_of(root: str) -> str:
    """`root` itself may be reached through links: whoever named it has chosen it."""
    return os.path.realpath(root)


def _check_trust(skill: Skill, source: Source) -> None:
    """Refuse what a file of this source may not set; a call may, in its own name."""
    options = skill.options
    mode, highest = options.permission_mode, _HIGHEST_MODE.get(source)
    if mode is not None and highest is not None and MODES.index(mode) > MODES.index(highest):
        raise Fault(0, f"sets the permission mode {mode}; a {source} skill may go up to {highest}")
    if options.mcp_servers and source is Source.PROJECT:
        raise Fault(0, "sets mcp_servers, which a project's skill may not; the call can")
