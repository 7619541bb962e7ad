"""`approve` and `reject`: verdicts on results under review."""

from __future__ import annotations

from typing import Annotated

import typer

from . import output
from .shell import Shell, given_text

TaskId = Annotated[str, typer.Argument(metavar="ID", help="Id of a task that is pending_review.")]
Feedback = Annotated[
    str, typer.Argument(metavar="FEEDBACK", help="What is wrong with it; - reads standard input.")
]


def approve(shell: Shell, task_id: TaskId) -> None:
    """Accept the result of a task: it is completed."""
    _decide(shell, "pool_approve_result", {"task_id": task_id})


def reject(shell: Shell, task_id: TaskId, feedback: Feedback) -> None:
    """Refuse the result of a task: it runs again and is told why, or fails with the last rejection."""
    _decide(shell, "pool_reject_result", {"task_id": task_id, "feedback": given_text(feedback)})


def _decide(shell: Shell, tool: str, arguments: dict[str, object]) -> None:
    with shell.owner() as client:
        view = client.call(tool, arguments)
    if shell.json:
        output.as_json(view)
    else:
        output.result(f"{view['task_id']} {view['state']}")
