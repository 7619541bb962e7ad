"""`report`: one page of what happened, to be opened in a browser, sent, and kept."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from claude_pool.domain.errors import InvalidArgument

from . import output
from .periods import AsOf
from .shell import Shell

Subject = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="A task or chain; all of the log without it.")
]
To = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; - is standard output.")
]


def report(shell: Shell, subject: Subject = None, to: To = "report.html", at: AsOf = None) -> None:
    """Write one self-contained page: slots over time, queue, money, chains, and each task with its causes."""
    from ..report.content import gather
    from ..report.page import page

    reader = shell.reader(at)
    try:
        with output.progress("reading the log") as say:
            content = gather(reader, shell.settings.places, subject, say)  # type: ignore[arg-type]
    finally:
        reader.close()
    text = page(content)
    if to == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    _write(to, text)
    if shell.json:
        output.as_json(
            {"path": os.path.abspath(to), "tasks": len(content["tasks"]), "bytes": len(text.encode())}
        )
    else:
        output.result(f"{os.path.abspath(to)}: {len(content['tasks'])} tasks, {len(text.encode()):,} bytes")


def _write(path: str, text: str) -> None:
    """Prompts and outputs are in it: for this user's eyes, and whole or not at all."""
    partial = f"{path}.partial"
    try:
        with open(
            os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        os.replace(partial, path)
    except OSError as error:
        raise InvalidArgument(argument="--output", problem=f"{path}: {error.strerror}") from None
