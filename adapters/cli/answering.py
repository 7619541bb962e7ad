"""`questions` and `answer`: what slots and sealed tasks ask, and what they are told."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from . import output
from .budget import read_dollars
from .shell import Shell, View, given_text
from .task_flags import json_object

QuestionId = Annotated[str, typer.Argument(metavar="ID", help="Id of a question.")]
Choice = Annotated[
    str,
    typer.Argument(
        metavar="CHOICE", help="allow or deny; resume, rerun or cancel a sealed task; continue or stop."
    ),
]
TaskId = Annotated[str | None, typer.Option("--task", help="Only this task's.", show_default=False)]
Message = Annotated[str | None, typer.Option(help="With deny: what the model is told.", show_default=False)]
Input = Annotated[
    str | None,
    typer.Option("--input", help="With allow: another input, a file or JSON text.", show_default=False),
]
Amount = Annotated[
    str | None,
    typer.Option("--amount", metavar="DOLLARS", help="With continue: so much more.", show_default=False),
]


def questions(shell: Shell, task_id: TaskId = None) -> None:
    """List what waits for an answer."""
    with shell.owner() as client:
        found = cast(
            "list[View]",
            client.call("pool_list_questions", {} if task_id is None else {"task_id": task_id})["questions"],
        )
    if shell.json:
        output.as_json(found)
        return
    output.table(
        found,
        {
            "QUESTION": lambda each: each["question_id"],
            "KIND": lambda each: each["kind"],
            "TASK": lambda each: each["task_id"],
            "CHOICES": lambda each: ",".join(cast("list[str]", each["choices"])),
            "UNTIL": lambda each: None if each["deadline"] is None else output.moment(each["deadline"]),
            "TEXT": lambda each: each["text"],
        },
    )


def answer(
    shell: Shell,
    question_id: QuestionId,
    choice: Choice,
    message: Message = None,
    changed: Input = None,
    amount: Amount = None,
) -> None:
    """Answer a question."""
    arguments: dict[str, object] = {"question_id": question_id, "choice": choice}
    if message is not None:
        arguments["message"] = given_text(message)
    if changed is not None:
        arguments["updated_input"] = json_object("input", changed)
    if amount is not None:
        arguments["amount_usd"] = read_dollars("--amount", amount)
    with shell.owner() as client:
        view = client.call("pool_answer_question", arguments)
    if shell.json:
        output.as_json(view)
    else:
        output.result(f"{view['task_id'] or view['scope']} {view['state']}")
