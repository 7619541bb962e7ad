"""`fork`: a chain again from one of its steps, or a task's conversation in another direction."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from . import exits, output
from .chains import show_steps
from .shell import Shell, View, given_text
from .tasks import Interrupts, show_end, view_id, wait_for

Subject = Annotated[str, typer.Argument(metavar="TASK_OR_CHAIN", help="What is taken up again.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="STEP", help="Of a chain: the first step that runs again.", show_default=False
    ),
]
Said = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Replaces the prompt of that step or task; - reads standard input."),
]
Model = Annotated[str | None, typer.Option("--model", "-m", metavar="TEXT", help="Replaces its model.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for its end and print it, as `run` does.")]
Key = Annotated[str | None, typer.Option(metavar="TEXT", help="The same key gives the same fork.")]

_ANSWER_SECONDS = 60.0


def fork(
    shell: Shell,
    subject: Subject,
    step: From = None,
    prompt: Said = None,
    model: Model = None,
    wait: Wait = False,
    idempotency_key: Key = None,
) -> int:
    """Take up a chain from one of its steps as a new one: what is over before it is reused, the rest runs.

    Of a task: a new one in a copy of its conversation. Prints the new id.
    """
    said = None if prompt is None else given_text(prompt)
    given = {"id": subject, "step": step, "prompt": said, "model": model, "idempotency_key": idempotency_key}
    wanted = {name: value for name, value in given.items() if value is not None}
    with shell.owner() as client, Interrupts() as interrupts:
        forked: View = {}
        try:
            with interrupts.held():
                forked = client.call("pool_fork", wanted)
            _tell(forked)
            if wait:
                wait_for(client, [view_id(forked)], None)
        except KeyboardInterrupt:
            tool = "pool_cancel_chain" if "chain_id" in forked else "pool_cancel"
            identity: dict[str, object] = {
                name: forked[name] for name in ("chain_id", "task_id") if name in forked
            }
            with shell.owner(start=False) as canceller:
                canceller.call(tool, identity, _ANSWER_SECONDS)
            output.note(f"cancelled {view_id(forked)}")
            return exits.INTERRUPTED
        if wait and "task_id" in forked:
            return show_end(shell, client, client.call("pool_result", {"task_id": forked["task_id"]}))
        if wait:
            view = client.call("pool_chain_result", {"chain_id": forked["chain_id"]})
            show_steps(shell, view)
            return exits.of_task(view)
    if shell.json:
        output.as_json(forked)
    else:
        output.result(view_id(forked))
    return exits.DONE


def _tell(forked: View) -> None:
    """Say on standard error what of a chain is reused and what runs."""
    if again := cast("list[str]", forked.get("again")):
        reused = ", ".join(cast("list[str]", forked["reused"])) or "nothing"
        output.note(f"{view_id(forked)} reuses {reused} of {forked['source']}, and runs {', '.join(again)}")
