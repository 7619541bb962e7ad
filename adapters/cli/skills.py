"""`skills`: what there is, what one says, and whether the files are sound. Needs no owner."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..calling import NoOwner, Unavailable
from . import exits, output
from .shell import Shell, View

if TYPE_CHECKING:
    from ..skills.library import Library

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a skill.")]
Scope = Annotated[
    str | None, typer.Option(help="Only this scope: task, coordinator, chain.", show_default=False)
]
Source = Annotated[
    str | None,
    typer.Option(help="Only this source: builtin, global, project, runtime.", show_default=False),
]


def list_skills(shell: Shell, scope: Scope = None, source: Source = None) -> None:
    """List the skills."""
    from ..skills.views import skill_row

    wanted = {"scope": scope, "source": source}
    given = {name: value for name, value in wanted.items() if value is not None}
    view = _look(
        shell,
        "pool_skill_list",
        given,
        lambda library: {
            "skills": [skill_row(each) for each in library.listed(scope, source)],
            "problems": [str(problem) for problem in library.problems],
        },
    )
    if shell.json:
        output.as_json(view)
        return
    output.table(
        cast("list[View]", view["skills"]),
        {
            "SKILL": lambda skill: skill["name"],
            "SOURCE": lambda skill: skill["source"],
            "SCOPE": lambda skill: skill["scope"],
            "ARGUMENTS": _arguments,
            "DESCRIPTION": lambda skill: skill["description"],
        },
    )
    for problem in cast("list[str]", view["problems"]):
        output.note(problem)


def show_skill(shell: Shell, name: Name) -> None:
    """Show one skill: where it comes from, its arguments and options, and its prompt."""
    from ..skills.views import skill_view

    view = _look(
        shell, "pool_skill_get", {"name": name}, lambda library: skill_view(library, library.get(name))
    )
    if shell.json:
        output.as_json(view)
        return
    arguments = _arguments(view)
    output.fields(
        {
            **{key: value for key, value in view.items() if key not in ("prompt", "arguments", "config")},
            "arguments": arguments,
            **{f"config.{key}": value for key, value in cast("View", view["config"]).items()},
        }
    )
    for each in cast("list[View]", view["arguments"]):
        if each["description"]:
            output.result(f"{each['name']}: {each['description']}")
    output.result("\n" + str(view["prompt"]))


def check_skills(shell: Shell) -> int:
    """Check every file of skills and workflows; exit code 5 where one cannot be used."""
    library = _library(shell)
    problems = [*library.problems, *library.dangling()]
    if shell.json:
        output.as_json(
            {
                "skills": len(library.all()),
                "workflows": len(library.workflows()),
                "problems": [
                    {"path": p.path, "line": p.line, "problem": p.problem, "skipped": p.skipped}
                    for p in problems
                ],
            }
        )
    else:
        for problem in problems:
            output.result(f"{problem}" if problem.skipped else f"{problem} (warning)")
        output.result(f"{len(library.all())} skills and {len(library.workflows())} workflows can be used")
    return exits.CHECK_FAILED if any(problem.skipped for problem in problems) else exits.DONE


def _arguments(skill: View) -> str:
    """`target [depth]`: the optional ones in brackets."""
    declared = cast("list[View]", skill["arguments"])
    return " ".join(str(each["name"]) if each["required"] else f"[{each['name']}]" for each in declared)


def _look(shell: Shell, tool: str, given: View, read: Callable[[Library], View]) -> View:
    """A view from the owner where one runs, because skills may have been added there; else from the files."""
    try:
        with shell.owner(start=False) as client:
            return client.call(tool, given)
    except NoOwner:
        pass
    except Unavailable as error:
        output.note(f"{error.message} What follows is read from the files.")
    return read(_library(shell))


def _library(shell: Shell) -> Library:
    from ..config.model import effective
    from ..skills.choosing import library_of

    library = library_of(effective(shell.settings), os.environ)
    library.refresh()
    return library
