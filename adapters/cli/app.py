"""The verbs of `claude-pool`, put together."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ..calling import VERSION
from ..config.options import OPTIONS
from . import (
    answering,
    backup,
    budget,
    cases,
    chains,
    context,
    control,
    cost,
    doctor,
    forecast,
    forking,
    looking,
    messages,
    replay,
    report,
    reviewing,
    routing,
    skills,
    tasks,
    why,
)
from .demo import demo
from .flags import add, parameter
from .serve import serve as serve_coordinator
from .shell import Shell
from .task_flags import TASK_FLAGS, with_review

_POOL_FLAGS = tuple(option for option in OPTIONS if option.name not in ("state_dir", "working_dir"))
_RUN_FLAGS = tuple(option for option in _POOL_FLAGS if option.task is None)
_TOOLSETS = parameter(
    "toolsets", str, "Tools of this connection: default, all, or names by comma.", "--toolsets"
)

StateDir = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Where the log and its files lie.", show_default=False)
]
WorkingDir = Annotated[str | None, typer.Option(metavar="TEXT", help="Whose pool it is.", show_default=False)]


def serve(shell: Shell, **given: Any) -> int:
    """Serve a coordinator over standard input and output, in front of the pool's owner."""
    # Reached for its help only: `main` dispatches the verb before anything of this is imported.
    return serve_coordinator(shell.flags, given["toolsets"])


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="claude-pool",
        help="A pool of warm Claude Code slots: give it work, and know afterwards what happened and why.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_before)
    add(app, serve, pool_flags=_POOL_FLAGS, more=(_TOOLSETS,))
    add(app, tasks.run, pool_flags=_RUN_FLAGS, more=TASK_FLAGS)
    add(app, tasks.submit, more=TASK_FLAGS)
    add(app, routing.auto, more=routing.AUTO_FLAGS)
    add(app, routing.route, more=routing.ROUTE_FLAGS)
    for verb in (
        *(tasks.wait, tasks.cancel, looking.tasks, looking.task, looking.slots, looking.status, why.why),
        cost.cost,
        forecast.forecast,
        *(reviewing.approve, reviewing.reject, answering.questions, answering.answer),
        *(messages.send, messages.messages),
        *(backup.backup, backup.restore, replay.replay, report.report),
        *(cases.export, cases.rerun, forking.fork),
        *(control.drain, control.stop, control.resume, doctor.doctor, demo),
    ):
        add(app, verb)
    add(app, cases.import_case, "import")
    steps = typer.Typer(help=chains.__doc__, rich_markup_mode=None, no_args_is_help=True)
    for name in ("run", "submit", "show", "list"):
        add(steps, getattr(chains, f"{name}_chain" + ("s" if name == "list" else "")), name)
    app.add_typer(steps, name="chain", help="Steps that wait for each other, from a file.")
    money = typer.Typer(rich_markup_mode=None)
    add(money, budget.show_budget, alone=True)
    add(money, budget.set_budget, "set")
    add(money, budget.reset_budget, "reset")
    app.add_typer(money, name="budget")
    values = typer.Typer(help=context.__doc__, rich_markup_mode=None, no_args_is_help=True)
    for name in ("set", "get", "delete", "list"):
        add(values, getattr(context, f"{name}_value" + ("s" if name == "list" else "")), name)
    app.add_typer(values, name="context", help="Values that every conversation of the pool is shown.")
    known = typer.Typer(help=skills.__doc__, rich_markup_mode=None, no_args_is_help=True)
    add(known, skills.list_skills, "list")
    add(known, skills.show_skill, "show")
    add(known, skills.check_skills, "check")
    app.add_typer(known, name="skills", help="Prompts with a name: list, show, check.")
    return app


def run() -> int:
    """Run the command line of this process; ends it with the exit code."""
    build()(with_review(routing.with_cases(sys.argv[1:])))
    return 0


def _version(asked: bool) -> None:
    if asked:
        typer.echo(VERSION)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
]


def _before(
    ctx: typer.Context,
    state_dir: StateDir = None,
    working_dir: WorkingDir = None,
    version: Version = False,  # noqa: ARG001  # its callback has answered already
) -> None:
    given = {"state_dir": state_dir, "working_dir": working_dir}
    ctx.obj = {name: value for name, value in given.items() if value is not None}
