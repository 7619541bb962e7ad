"""`chain`: steps that wait for each other, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from claude_pool.domain.errors import InvalidArgument

from . import exits, output
from .shell import Shell, View, given_text
from .tasks import Interrupts, wait_for

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="YAML or JSON with `steps`, and options as pool_chain takes them; - reads stdin."
    ),
]
ChainId = Annotated[str, typer.Argument(metavar="ID", help="Id of a chain.")]
State = Annotated[str | None, typer.Option(help="Only chains in this state.", show_default=False)]
Limit = Annotated[int, typer.Option(help="So many, the latest first.", min=1, max=500)]

_ANSWER_SECONDS = 60.0


def run_chain(shell: Shell, file: File) -> int:
    """Run a chain to its end and print its steps. ^C cancels it; a second ^C leaves at once."""
    wanted = _read(file)
    with shell.owner() as client, Interrupts() as interrupts:
        chain_id = ""
        try:
            with interrupts.held():
                chain_id = str(client.call("pool_submit_chain", wanted)["chain_id"])
            wait_for(client, [chain_id], None)
        except KeyboardInterrupt:
            with shell.owner(start=False) as canceller:
                canceller.call("pool_cancel_chain", {"chain_id": chain_id}, _ANSWER_SECONDS)
            output.note(f"cancelled {chain_id}")
            return exits.INTERRUPTED
        view = client.call("pool_chain_result", {"chain_id": chain_id})
    show_steps(shell, view)
    return exits.of_task(view)


def submit_chain(shell: Shell, file: File) -> None:
    """Accept a chain and print its id; it runs whether or not anyone waits."""
    wanted = _read(file)
    with shell.owner() as client:
        accepted = client.call("pool_submit_chain", wanted)
    if shell.json:
        output.as_json(accepted)
    else:
        output.result(str(accepted["chain_id"]))


def show_chain(
    shell: Shell,
    chain_id: ChainId,
    diff: Annotated[bool, typer.Option("--diff", help="Print what it changed in its copy.")] = False,
) -> None:
    """Show one chain with its steps."""
    if diff:
        changed = shell.look(
            lambda client: {"diff": client.read(f"pool://chains/{chain_id}/diff")},
            lambda reader: {"diff": reader.diff(chain_id)},
        )
        output.result(str(changed["diff"]))
        return
    view = shell.look(
        lambda client: client.call("pool_chain_result", {"chain_id": chain_id}),
        lambda reader: reader.chain(chain_id),
    )
    show_steps(shell, view)


def list_chains(shell: Shell, state: State = None, limit: Limit = 50) -> None:
    """List chains of all times, the latest first."""
    reader = shell.reader()
    try:
        views = reader.chains(state, limit)
    finally:
        reader.close()
    if shell.json:
        output.as_json(views)
        return
    output.table(
        views,
        {
            "CHAIN": lambda view: view["chain_id"],
            "STATE": lambda view: view["state"],
            "STEPS": lambda view: len(view["steps"]),
            "COST": lambda view: output.dollars(view["cost_microdollars"]),
            "BRANCH": lambda view: view.get("branch"),
            "ABOUT": _about,
        },
    )


def _read(file: str) -> View:
    """What a file says of a chain.

    Raises:
        InvalidArgument: it cannot be read, with the line.
    """
    from ..skills.faults import Fault
    from ..skills.yaml_nodes import json_of, read_yaml

    try:
        text = given_text("-") if file == "-" else Path(file).read_text("utf-8")
        document = json_of(read_yaml(text))
    except Fault as fault:
        raise InvalidArgument(argument=f"{file}:{fault.line}", problem=fault.problem) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(argument=file, problem=f"cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArgument(argument=file, problem="should be a mapping with steps")
    return cast("View", document)


def _about(view: View) -> object:
    error = cast("View", view.get("error") or {})
    return f"[{error['code']}] {error['message']}" if error else view.get("reason") or view["final_output"]


def show_steps(shell: Shell, view: View) -> None:
    """Print a chain with its steps."""
    if shell.json:
        output.as_json(view)
        return
    shown = ("chain_id", "state", "branch", "base", "head", "path", "merged", "files_changed", "reason")
    output.fields({name: view.get(name) for name in shown} | {"forked_from": _source(view)})
    for note in cast("list[str]", view.get("notes") or []):
        output.note(note)
    output.result("\n")
    output.table(
        cast("list[View]", view["steps"]),
        {
            "STEP": lambda step: step["name"],
            "STATE": lambda step: f"{step['state']} (reused)" if "reused_from" in step else step["state"],
            "TASK": lambda step: step.get("task_id"),
            "TRIES": lambda step: step["attempts"],
            "COST": lambda step: output.dollars(step["cost_microdollars"]),
            "ABOUT": lambda step: _step_about(step),
        },
    )
    if view.get("final_output"):
        output.result("\n" + str(view["final_output"]))
    if error := cast("View", view.get("error") or {}):
        output.note(f"[{error['code']}] {error['message']}")


def _source(view: View) -> str | None:
    fork = cast("View | None", view.get("forked_from"))
    return None if fork is None else f"{fork['chain_id']} from {fork['step']}"


def _step_about(step: View) -> object:
    error = cast("View", step.get("error") or {})
    return f"[{error['code']}] {error['message']}" if error else step.get("reason") or step.get("output")
