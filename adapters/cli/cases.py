"""`export`, `import` and `rerun`: a recorded run in one file, read like any log, and a test."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated, cast

import typer
from claude_pool.domain.errors import InvalidArgument

from . import exits, output
from .shell import Shell

Subject = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="A task or chain; or give --from and --to.")
]
First = Annotated[
    str | None, typer.Option("--from", metavar="SEQ|TIME", help="From this event, or then (2h: ago).")
]
Last = Annotated[str | None, typer.Option("--to", metavar="SEQ|TIME", help="Up to this event, or then.")]
To = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file that is there.")]
Redact = Annotated[
    list[str] | None, typer.Option(metavar="WORD", help="Take this word out, too; may be given often.")
]
AsTest = Annotated[bool, typer.Option("--pytest", help="Print it as one file of tests instead.")]
CaseFile = Annotated[str, typer.Argument(metavar="CASE", help="What `export` wrote.")]

_SHORTEST_WORD = 3


def export(
    shell: Shell,
    subject: Subject = None,
    first: First = None,
    last: Last = None,
    to: To = "case.zip",
    force: Force = False,
    redact: Redact = None,
) -> None:
    """Write a recorded run to one file, without the values of credentials: to send, read and rerun."""
    from ..cases.archive import members_of, write_case
    from ..cases.exporting import gather
    from ..redaction import Secrets
    from .periods import parse_at

    shell.insist_on_a_log()
    secrets = Secrets(os.environ, cast("list[str]", shell.settings.layers.values["pass_env"]))
    for word in redact or ():
        if len(word) < _SHORTEST_WORD:
            problem = f"{word!r} is too short a word to be taken out"
            raise InvalidArgument(argument="--redact", problem=problem)
        secrets.hide(word)
    begin, end = (
        None if text is None else parse_at(text)._replace(argument=flag)
        for text, flag in ((first, "--from"), (last, "--to"))
    )
    with output.progress("reading the log") as say:
        case = gather(shell.settings.places, subject, begin, end, secrets, say)
        say("writing the case")
        size = write_case(case, to, force=force)
    asked = {"first": case.asked.first, "last": case.asked.last}
    if shell.json:
        made = {"path": os.path.abspath(to), "bytes": size, **asked, **members_of(case)}
        output.as_json({**made, "redacted": case.redacted, "missing": list(case.missing)})
    else:
        output.result(
            f"{os.path.abspath(to)}: events {case.asked.first} to {case.asked.last}, "
            f"{len(case.transcripts)} transcripts, {len(case.blobs)} texts, {size:,} bytes"
            + ("; words were taken out" if case.redacted else "")
        )
    for name in case.missing:
        output.note(f"{name} is missing or altered, and so not in the case")


def import_case(shell: Shell, case: CaseFile) -> None:
    """Make a new state directory (--state-dir, or one beside you named like the case) of a case."""
    from ..cases.archive import members_of, read_case
    from ..cases.importing import unpack

    given = shell.flags.get("state_dir")
    stem = os.path.splitext(os.path.basename(case))[0] or "case"
    target = os.path.abspath(given if isinstance(given, str) else stem)
    with output.progress("reading the case"):
        found = read_case(case)
        head = unpack(found, case, target)
    if shell.json:
        output.as_json({"path": target, "position": head.position, **members_of(found)})
    else:
        output.result(f"{target}: {head.position} events; read it with --state-dir {target}")


def rerun(shell: Shell, case: CaseFile, pytest: AsTest = False) -> int:
    """Play a case again, offline, in memory: the same calls, the same slot output. Says what differs."""
    from ..cases.archive import read_case
    from ..cases.rerunning import rerun_case

    with output.progress("reading the case") as say:
        found = read_case(case)
        if pytest:
            from ..cases.as_test import test_file

            with open(case, "rb") as file:
                output.result(test_file(os.path.basename(case), file.read()))
            return exits.DONE
        played = rerun_case(found, say)
    if shell.json:
        output.as_json(
            {
                "same": played.same,
                "events": played.events,
                "differences": [asdict(each) for each in played.differences],
                "not_done": list(played.refused),
            }
        )
    elif played.same:
        output.result(f"all {played.events} events came again")
    else:
        output.result(played.text)
        output.result(f"{len(played.differences)} differences in {played.events} events")
    return exits.DONE if played.same else exits.CHECK_FAILED
