"""Skills and workflows as callers are shown them: plain dictionaries."""

from __future__ import annotations

import os
from typing import Any

from claude_pool.domain.skills import Skill, SkillArgument, Source, render
from claude_pool.domain.values import Options

from .config import written_config
from .library import Library
from .loader import FILE, Registered
from .workflows import RegisteredWorkflow

View = dict[str, Any]


def skill_row(registered: Registered) -> View:
    """A skill in a list."""
    skill = registered.skill
    row: View = {
        "name": skill.name,
        "description": skill.description,
        "scope": skill.scope,
        "source": registered.source.value,
        "arguments": [_argument_view(each) for each in skill.arguments],
    }
    return row if skill.argument_hint is None else {**row, "argument_hint": skill.argument_hint}


def skill_view(library: Library, registered: Registered) -> View:
    """All that there is to know of a skill.

    `customized` says that it holds instead of one below it (`beneath`). `commands` are those in its prompt;
    where they do not run, `note` says so.
    """
    skill = registered.skill
    beneath = [source.value for source in library.beneath(skill.name)]
    view: View = {
        **skill_row(registered),
        "prompt": skill.prompt,
        "config": skill_config(skill.options),
        "label": registered.label,
        "path": None if registered.directory is None else os.path.join(registered.directory, FILE),
        "customized": bool(beneath),
        "beneath": beneath,
    }
    if commands := _commands(skill):
        runs = library.runs_commands(registered)
        view |= {"commands": commands, "runs_commands": runs}
        if not runs:
            view["note"] = _why_not(registered)
    return view


def workflow_view(registered: RegisteredWorkflow) -> View:
    """A workflow in a list."""
    workflow = registered.workflow
    return {
        "name": workflow.name,
        "description": workflow.description,
        "source": registered.source.value,
        "arguments": [_argument_view(each) for each in workflow.arguments],
        "steps": [str(step["name"]) for step in workflow.steps],
    }


def skill_config(options: Options) -> View:
    """The options that a skill sets, with the names of the interface."""
    tools = {"allowed_tools": list(options.allowed_tools)} if options.allowed_tools else {}
    return tools | written_config(options)


def _argument_view(argument: SkillArgument) -> View:
    return {
        "name": argument.name,
        "description": argument.description,
        "required": argument.required,
        "type": argument.kind,
    }


def _commands(skill: Skill) -> list[str]:
    bare = Skill(skill.name, skill.description, skill.prompt)
    return [each.line for each in render(bare, {}).commands]


def _why_not(registered: Registered) -> str:
    if registered.source in (Source.BUILTIN, Source.RUNTIME):
        return "Its commands stay as written: only those of project and global skills can run."
    return "Its commands stay as written: the pool runs without --allow-skill-commands."
