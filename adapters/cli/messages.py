"""`send` and `messages`: what slots and the coordinator write to one another."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from . import output
from .shell import Shell, View, given_text

To = Annotated[str, typer.Argument(metavar="TO", help="A slot's id, coordinator, or all.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="The message; - reads it from standard input.")]
Sender = Annotated[str, typer.Option("--from", help="Who says so: coordinator, or a slot's id.")]
Owner = Annotated[str, typer.Argument(metavar="WHOSE", help="A slot's id, or coordinator.")]
Take = Annotated[bool, typer.Option("--read", help="Take what waits, so that no prompt will show it.")]


def send(shell: Shell, to: To, text: Text, sender: Sender = "coordinator") -> None:
    """Leave a message for a slot's next task, for the coordinator, or for all slots."""
    said: dict[str, object] = {"from": sender, "content": given_text(text)}
    with shell.owner() as client:
        if to == "all":
            view = client.call("pool_broadcast", said)
        else:
            view = client.call("pool_send_message", {**said, "to": to})
    if shell.json:
        output.as_json(view)
    else:
        output.result(str(view["message_id"]))


def messages(shell: Shell, owner: Owner = "coordinator", read: Take = False) -> None:
    """Show an inbox: the latest messages and what became of them."""
    asked: dict[str, object] = {"slot_id": owner}
    if read:
        with shell.owner() as client:
            view = client.call("pool_read_messages", asked)
    else:
        view = shell.look(
            lambda client: client.call("pool_peek_messages", asked), lambda reader: reader.messages(owner)
        )
    if shell.json:
        output.as_json(view)
        return
    output.table(
        cast("list[View]", view["messages"]),
        {
            "AT": lambda row: output.moment(row["at"]),
            "FROM": lambda row: row["from"],
            "KIND": lambda row: row["kind"],
            "STATE": lambda row: row["state"],
            "MESSAGE": lambda row: row["content"],
        },
    )
