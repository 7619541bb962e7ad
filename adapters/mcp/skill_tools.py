"""Toolset skills: prompts with a name, run as tasks, looked at and changed."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.skills import Skill, SkillArgument
from pydantic import ConfigDict, Field, WithJsonSchema

from ..config.values import closest
from ..skills.config import CONFIG_KEYS
from ..skills.library import Library
from ..skills.views import skill_row, skill_view
from ..views import View
from .arguments import Arguments, read_arguments
from .fields import Flag, LongText, Prompt, Wait
from .schemas import result_schema
from .skill_arguments import SkillValues, Values, as_texts, with_skill
from .task_arguments import TaskOptions, explained_in_pool_run, task_request
from .tool import Call, Tool

Scope = Literal["task", "coordinator", "chain"]

Name = Annotated[str, Field(min_length=1, max_length=64)]


class RunArguments(TaskOptions):
    """A skill with its arguments, and options of the task."""

    model_config = ConfigDict(json_schema_extra=explained_in_pool_run)

    skill: Name = Field(description="Its name.")
    arguments: SkillValues = Field(default_factory=Values, description="By name.")
    wait_seconds: Wait = Field(default=50, description="See pool_run.")


class ListArguments(Arguments):
    """Which skills."""

    scope: str | None = Field(default=None, description="task, coordinator or chain.")
    source: str | None = Field(default=None, description="builtin, global, project or runtime.")


class OneSkill(Arguments):
    """Names a skill."""

    name: str = Field(description="Its name.")


class Declared(Arguments):
    """An argument that a skill declares."""

    name: str
    description: str = ""
    required: Flag = False
    type: Literal["string", "integer", "number", "boolean"] = "string"


_DECLARED = {"type": "array", "items": {"type": "object"}}


class AddArguments(OneSkill):
    """A new skill."""

    description: LongText = Field(description="What it is for.")
    prompt: Prompt = Field(description="Text with {argument}, $ARGUMENTS, $0.")
    arguments: Annotated[list[Declared], WithJsonSchema(_DECLARED)] = Field(
        default=[], max_length=100, description="{name, description, required, type} each."
    )
    scope: Scope = Field(default="task", description="For whom.")
    config: dict[str, Any] | None = Field(default=None, description="Options of its task.")


class FileArguments(OneSkill):
    """A skill, and where its file goes."""

    dir: str | None = Field(default=None, description="Folder in the project.")


async def _present(call: Call) -> Library:
    """The skills as their files are now."""
    library = call.application.library
    await asyncio.to_thread(library.refresh)
    return library


async def _run(call: Call, given: RunArguments) -> View:
    rendered = await call.application.library.render(given.skill, as_texts(given.arguments))
    request = task_request(given, rendered.prompt, call.working_dir)
    return await call.application.run(
        with_skill(request, rendered), call.origin, given.wait_seconds, "skill_run"
    )


async def _list(call: Call, given: ListArguments) -> View:
    library = await _present(call)
    found = library.listed(given.scope, given.source)
    return {
        "skills": [skill_row(each) for each in found],
        "problems": [str(problem) for problem in library.problems],
    }


async def _get(call: Call, given: OneSkill) -> View:
    library = await _present(call)
    return skill_view(library, library.get(given.name))


async def _add(call: Call, given: AddArguments) -> View:
    for key in given.config or {}:
        if key not in CONFIG_KEYS:
            problem = f"there is no such option{closest(key[:60], CONFIG_KEYS)}"
            raise InvalidArgument(argument=f"config.{key[:60]}", problem=problem)
    options = read_arguments(TaskOptions, given.config, call.highest_mode)
    skill = Skill(
        given.name,
        given.description,
        given.prompt,
        tuple(SkillArgument(a.name, a.description, a.required, a.type) for a in given.arguments),
        task_request(options, given.prompt).options,
        given.scope,
    )
    library = await _present(call)
    before = library.add(skill)
    return {
        "name": given.name,
        "source": "runtime",
        "overwritten": before is not None,
        "label": library.get(given.name).label,
    }


async def _remove(call: Call, given: OneSkill) -> View:
    removed, now = (await _present(call)).remove(given.name)
    return {"removed": True, "source": removed.source.value, "now": now.source.value if now else None}


async def _save(call: Call, given: FileArguments) -> View:
    library = await _present(call)
    path, replaced = await asyncio.to_thread(library.save, given.name, given.dir)
    return {"saved": True, "path": path, "replaced": replaced}


async def _eject(call: Call, given: FileArguments) -> View:
    library = await _present(call)
    path = await asyncio.to_thread(library.eject, given.name, given.dir)
    return {"ejected": True, "path": path}


SKILL_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_skill_run",
        "skills",
        "Run a skill as a task, as pool_run runs a prompt. Your options hold over the skill's; allowed_tools "
        "add up. Costs money.",
        RunArguments,
        result_schema("task_id", "state"),
        _run,
        works=True,
    ),
    Tool(
        "pool_skill_list",
        "skills",
        "List the skills: prompts with arguments. problems: files that cannot be used.",
        ListArguments,
        result_schema("skills"),
        _list,
        reads=True,
    ),
    Tool(
        "pool_skill_get",
        "skills",
        "Show one skill: prompt, arguments, config, source, commands.",
        OneSkill,
        result_schema(),
        _get,
        reads=True,
    ),
    Tool(
        "pool_skill_add",
        "skills",
        "Add or replace a skill until the owner ends; pool_skill_save keeps it.",
        AddArguments,
        result_schema(),
        _add,
        repeats=True,
    ),
    Tool(
        "pool_skill_remove",
        "skills",
        "Take a skill out until the owner ends; files stay. now: source of the one it uncovers.",
        OneSkill,
        result_schema(),
        _remove,
        destroys=True,
    ),
    Tool(
        "pool_skill_save",
        "skills",
        "Write a skill to NAME/SKILL.md, over what is there.",
        FileArguments,
        result_schema(),
        _save,
        destroys=True,
        repeats=True,
    ),
    Tool(
        "pool_skill_eject",
        "skills",
        "Write a built-in skill to NAME/SKILL.md, to be changed there.",
        FileArguments,
        result_schema(),
        _eject,
    ),
)
