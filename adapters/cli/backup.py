"""`backup` and `restore`: the log with everything that its events name, to another place and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import exits, output
from .shell import Shell

if TYPE_CHECKING:
    from ..backup import Backup

Destination = Annotated[str, typer.Argument(metavar="DEST", help="A new directory.")]
Source = Annotated[str, typer.Argument(metavar="SRC", help="The directory of a backup.")]
Salvage = Annotated[
    bool, typer.Option("--salvage", help="Of a damaged log, keep what lies before the damage.")
]
AcceptRollback = Annotated[
    bool, typer.Option("--accept-rollback", help="Also where later events are lost by it.")
]


def backup(shell: Shell, destination: Destination, salvage: Salvage = False) -> int:
    """Copy the log, and what its events name, to a new directory, also while the pool works."""
    from ..backup import back_up

    shell.insist_on_a_log()
    with output.progress("copying") as step:
        made = back_up(shell.settings.places, destination, step, salvage=salvage)
    _show(shell, made)
    return exits.CHECK_FAILED if made.problems else exits.DONE


def restore(shell: Shell, source: Source, accept_rollback: AcceptRollback = False) -> None:
    """Make a backup the log of this pool; what was there is put aside."""
    from ..backup import restore as put_back

    with output.progress("verifying the backup") as step:
        made = put_back(shell.settings.places, source, step, accept_rollback=accept_rollback)
    _show(shell, made)


def _show(shell: Shell, made: Backup) -> None:
    if shell.json:
        output.as_json(
            {
                "path": made.path, "position": made.head.position, "hash": made.head.hash.hex(),
                "texts": made.texts, "transcripts": made.transcripts, "problems": list(made.problems),
            }
        )  # fmt: skip
    else:
        named = f"{made.texts} texts and {made.transcripts} transcripts"
        output.result(f"{made.path}: {made.head.position} events, {named}; verified")
    for problem in made.problems:
        output.note(problem)
