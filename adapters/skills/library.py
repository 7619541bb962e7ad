"""All skills and workflows of a pool: four sources, one shelf, read again when files change."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from claude_pool.domain.errors import InvalidArgument, NotFound
from claude_pool.domain.skills import SCOPES, Rendered, Skill, Source, misplaced, render
from claude_pool.domain.values import Options
from claude_pool.domain.workflows import Value, instantiate

from ..claude.neutralise import shield_prompt, without_mentions
from ..config.values import closest
from .commands import run_commands
from .document import digest_of, write_skill
from .faults import Fault, Problem
from .folders import MOST_BYTES, looks
from .frontmatter import parse_skill
from .loader import FILE, Registered, load_skills
from .saving import target_folder, write_file
from .workflows import RegisteredWorkflow, load_workflows

BUILTIN = os.path.join(os.path.dirname(__file__), "builtin")

MOST_RUNTIME = 500


@dataclass(frozen=True, slots=True)
class Folders:
    """Where skills lie; None leaves a source out.

    `root` is the project's directory, from which callers' paths count and where commands run; `writable`
    are the folders below which skills may be saved, `root` apart.
    """

    builtin: bool = True
    global_skills: str | None = None
    project_skills: str | None = None
    project_workflows: str | None = None
    root: str | None = None
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderedSkill:
    """A skill ready to be a task: the prompt, the options it asks for, and exactly which skill it was."""

    prompt: str
    options: Options
    label: str


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What files held when they were read last. `layers` has the skills of each source, lowest first."""

    marks: object = None
    layers: tuple[dict[str, Registered], ...] = ()
    workflows: dict[str, RegisteredWorkflow] = field(default_factory=dict[str, RegisteredWorkflow])
    problems: tuple[Problem, ...] = ()


class Library:
    """The skills and workflows that a pool knows. What callers add is forgotten when the pool ends."""

    def __init__(
        self,
        folders: Folders = Folders(),  # it is frozen
        disabled: Sequence[str] = (),
        commands: Mapping[str, str] | None = None,
    ) -> None:
        """`disabled` names skills to leave out. `commands` is the environment in which commands of project
        and global skills run (None: they do not run)."""
        self.folders = folders
        self._disabled = frozenset(disabled)
        self._commands = commands
        self._runtime: dict[str, Registered] = {}
        self._hidden: set[str] = set()
        self._shelf = _Shelf()
        self._reading = threading.Lock()
        self.version = 0
        """Counts the changes of any skill or workflow, also those on disk once they have been seen."""

    # ------------------------------------------------------------------ looking

    def refresh(self) -> bool:
        """Read the files again if they have changed; whether they had. Safe in any thread."""
        with self._reading:
            marks = self._look()
            if marks == self._shelf.marks:
                return False
            self._shelf = self._read(marks)
            self.version += 1
            return True

    def _look(self) -> object:
        # Built-in files do not change while the program runs.
        at = self.folders
        skills = [looks(root, FILE) if root else () for root in (at.global_skills, at.project_skills)]
        return (*skills, looks(at.project_workflows, None) if at.project_workflows else ())

    def _read(self, marks: object) -> _Shelf:
        at = self.folders
        problems: list[Problem] = []
        layers: list[dict[str, Registered]] = []
        for source, root in (
            (Source.BUILTIN, os.path.join(BUILTIN, "skills") if at.builtin else None),
            (Source.GLOBAL, at.global_skills),
            (Source.PROJECT, at.project_skills),
        ):
            loaded = load_skills(root, source) if root else None
            layers.append(loaded.skills if loaded else {})
            problems += loaded.problems if loaded else ()
            problems += [
                Problem(os.path.join(each.directory or "", FILE), 0, text, skipped=False)
                for each in layers[-1].values()
                for text in misplaced(each.skill)
            ]
        known = {name for layer in layers for name in layer}
        for name in sorted(self._disabled - known):
            problems.append(
                Problem(
                    "disable_skill", 0, f"there is no skill {name!r}{closest(name, known)}", skipped=False
                )
            )
        workflows: dict[str, RegisteredWorkflow] = {}
        for source, root in (
            (Source.BUILTIN, os.path.join(BUILTIN, "workflows") if at.builtin else None),
            (Source.PROJECT, at.project_workflows),
        ):
            if root:
                found, wrong = load_workflows(root, source)
                workflows |= found
                problems += wrong
        return _Shelf(marks, tuple(layers), workflows, tuple(problems))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files that were read last."""
        return self._shelf.problems

    def all(self) -> dict[str, Registered]:
        """Every skill by name, sorted, as it holds."""
        found = {name: each for layer in self._shelf.layers for name, each in layer.items()}
        found = {name: each for name, each in found.items() if name not in self._disabled | self._hidden}
        return dict(sorted((found | self._runtime).items()))

    def get(self, name: str) -> Registered:
        """The skill of this name.

        Raises:
            NotFound: there is none.
        """
        skills = self.all()
        if name not in skills:
            raise NotFound(kind="skill", id=repr(name[:64]), hint=_hint(name, skills, "pool_skill_list"))
        return skills[name]

    def beneath(self, name: str) -> tuple[Source, ...]:
        """The sources that have a skill of this name too, but one that does not hold."""
        holds = self.get(name).source
        layers = zip(Source, self._shelf.layers, strict=False)
        return tuple(source for source, layer in layers if name in layer and source is not holds)

    def listed(self, scope: str | None = None, source: str | None = None) -> list[Registered]:
        """The skills of a scope and of a source.

        Raises:
            InvalidArgument: there is no such scope or source.
        """
        for argument, value, known in (("scope", scope, SCOPES), ("source", source, tuple(Source))):
            if value is not None and value not in known:
                problem = f"there is no {value[:64]!r}; say {', '.join(known)}{closest(value[:64], known)}"
                raise InvalidArgument(argument=argument, problem=problem)
        return [
            each
            for each in self.all().values()
            if scope in (None, each.skill.scope) and source in (None, each.source)
        ]

    def dangling(self) -> tuple[Problem, ...]:
        """Steps of workflows whose skill is not there."""
        skills = self.all()
        return tuple(
            Problem(each.path, 0, f"step {step['name']} needs the skill {skill!r}{closest(skill, skills)}")
            for each in self.workflows().values()
            for step in each.workflow.steps
            if isinstance(skill := step.get("skill"), str) and skill not in skills
        )

    # ------------------------------------------------------------------ rendering

    def runs_commands(self, registered: Registered) -> bool:
        """Whether the commands in this skill's prompt run."""
        return self._commands is not None and registered.source in (Source.GLOBAL, Source.PROJECT)

    async def render(self, name: str, arguments: Mapping[str, str], for_chain: bool = False) -> RenderedSkill:
        """The skill as a prompt: what `pool_skill_run` runs and what a prompt of the server shows.

        With `for_chain`, `{_previous_output}` in the skill becomes `{previous_output}`, and what chains
        replace (`{previous_output}`, `{steps.NAME.output}`) stays as it is in the values of arguments.

        Raises:
            NotFound: there is no such skill. InvalidArgument: the arguments are not what it takes.
        """
        await asyncio.to_thread(self.refresh)
        found = self.get(name)
        rendered = render(
            found.skill, arguments, directory=found.directory, inert=without_mentions, for_chain=for_chain
        )
        outputs = await self._outputs(rendered) if self.runs_commands(found) else None
        return RenderedSkill(shield_prompt(rendered.text(outputs)), found.skill.options, found.label)

    async def _outputs(self, rendered: Rendered) -> list[str]:
        environment = {**(self._commands or {}), **dict(rendered.environment)}
        printed = await run_commands(rendered.commands, environment, self.folders.root)
        return [without_mentions(text) for text in printed]

    # ------------------------------------------------------------------ changing

    def add(self, skill: Skill) -> Registered | None:
        """Add a skill for as long as the pool lives; the one that it replaces or hides, if any.

        Raises:
            InvalidArgument: it could not stand in a file; the message says why.
        """
        try:
            text = write_skill(skill)
            if len(text.encode("utf-8")) > MOST_BYTES:
                raise Fault(0, f"has more than {MOST_BYTES // 1024} KB")
            read = parse_skill(text, skill.name).skill
        except Fault as fault:
            raise InvalidArgument(argument="skill", problem=f"it {fault.problem}") from None
        except UnicodeEncodeError:
            raise InvalidArgument(argument="skill", problem="it holds half of a character") from None
        if len(self._runtime) >= MOST_RUNTIME and skill.name not in self._runtime:
            raise InvalidArgument(argument="skill", problem=f"there are {MOST_RUNTIME} added ones already")
        before = self.all().get(skill.name)
        self._runtime[skill.name] = Registered(read, Source.RUNTIME, digest_of(read))
        self._hidden.discard(skill.name)
        self.version += 1
        return before

    def remove(self, name: str) -> tuple[Registered, Registered | None]:
        """Take a skill out for as long as the pool lives: an added one, or one from a file, which stays.

        The skill that was removed, and the one of the same name that holds now.

        Raises:
            NotFound: there is none.
        """
        removed = self.get(name)
        if self._runtime.pop(name, None) is None:
            self._hidden.add(name)
        self.version += 1
        return removed, self.all().get(name)

    def save(self, name: str, folder: str | None) -> tuple[str, bool]:
        """Write a skill to a file; its path, and whether it replaced one.

        Raises:
            NotFound: there is no such skill. InvalidArgument: the folder is out of bounds.
        """
        found = self.get(name)
        return write_file(self._folder(folder), name, write_skill(found.skill), replace=True)

    def eject(self, name: str, folder: str | None) -> str:
        """Write a built-in skill to a file of the project's, to be changed there; its path.

        Raises:
            NotFound: there is no such built-in skill. WrongState: the file is there already.
            InvalidArgument: the folder is out of bounds.
        """
        builtin = self._shelf.layers[0] if self._shelf.layers else {}
        if name not in builtin:
            raise NotFound(
                kind="built-in skill", id=repr(name[:64]), hint=_hint(name, builtin, "pool_skill_list")
            )
        path, _ = write_file(self._folder(folder), name, builtin[name].text or "", replace=False)
        return path

    def _folder(self, wanted: str | None) -> str:
        at = self.folders
        allowed = tuple(each for each in (at.root, *at.writable) if each)
        return target_folder(wanted, at.project_skills, at.root, allowed)

    # ------------------------------------------------------------------ workflows

    def workflows(self) -> dict[str, RegisteredWorkflow]:
        """Every workflow by name, sorted; one of the project's over a built-in one."""
        return dict(sorted(self._shelf.workflows.items()))

    async def instantiate(self, name: str, arguments: Mapping[str, str]) -> list[dict[str, Value]]:
        """The steps of a workflow, as `pool_chain` takes them, with `arguments` in place.

        Raises:
            NotFound: there is no such workflow, or a skill in it is none.
            InvalidArgument: the arguments are not what it takes.
        """
        await asyncio.to_thread(self.refresh)
        workflow = self.workflow(name).workflow
        steps = instantiate(workflow, arguments)
        skills = self.all()
        for step in steps:
            skill = step.get("skill")
            if isinstance(skill, str) and skill not in skills:
                hint = f"The workflow {name} needs it in step {step['name']}{closest(skill, skills)}."
                raise NotFound(kind="skill", id=repr(skill[:64]), hint=hint)
        return steps

    def workflow(self, name: str) -> RegisteredWorkflow:
        """The workflow of this name.

        Raises:
            NotFound: there is none.
        """
        known = self.workflows()
        if name not in known:
            hint = _hint(name, known, "pool_list_workflows")
            raise NotFound(kind="workflow", id=repr(name[:64]), hint=hint)
        return known[name]


def _hint(name: str, known: Iterable[str], tool: str) -> str:
    near = closest(name[:64], known).removeprefix("; ")
    return f"{near[:1].upper()}{near[1:]} " * bool(near) + f"{tool} lists what there is."
