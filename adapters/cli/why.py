"""`why`: the reasons first, then the events that hold them, or the tree of what led to what."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from . import output
from .periods import AsOf
from .shell import Shell, View

Subject = Annotated[
    str,
    typer.Argument(metavar="ID", help="A task, chain or slot; pool; budget, day:YYYY-MM-DD or tag:NAME."),
]
AsTree = Annotated[bool, typer.Option("--tree", help="Draw what led to what.")]


def why(shell: Shell, subject: Subject, tree: AsTree = False, at: AsOf = None) -> None:
    """Tell why something waits, ran, failed or cost what it did, each cause with its event."""
    view = shell.look(
        lambda client: client.call("pool_why", {"id": subject}),
        lambda reader: reader.why(subject, shell.prices()),
        at,
    )
    if shell.json:
        output.as_json(view)
        return
    for line in conclusion(view):
        output.result(line)
    branches = cast("list[View]", view["tree"])
    if tree and branches:
        output.result("\n" + "\n".join(drawn(branches)))
    elif not tree and view["story"]:
        _show_story(cast("list[View]", view["story"]))


def conclusion(view: View) -> list[str]:
    """What it comes to: the deciding reason, what can be done, and the others below."""
    first, *others = cast("list[View]", view["because"])
    lines = [f"{view['id']} is {view['state']}: {_said(first)}"]
    if "do" in view:
        lines.append(f"  what to do: {view['do']}")
    return [*lines, *(f"  - {_said(each)}" for each in others)]


def drawn(branches: list[View]) -> list[str]:
    """A tree for a terminal, one line an event."""
    lines: list[str] = []
    for index, branch in enumerate(branches):
        depth = int(branch["depth"])
        lines.append(_stem(branches, index, depth) + _branch(branch))
    return lines


def _stem(branches: list[View], index: int, depth: int) -> str:
    """What stands before a branch: a line for each level above it that goes on below."""
    bars = [_goes_on(branches, index, level) for level in range(1, depth + 1)]
    stem = "".join("│  " if bar else "   " for bar in bars[:-1])
    return stem + (("├─ " if bars[-1] else "└─ ") if bars else "")


def _goes_on(branches: list[View], index: int, level: int) -> bool:
    """Whether another branch of this level follows below the same one."""
    for later in branches[index + 1 :]:
        if later["depth"] <= level:
            return bool(later["depth"] == level)
    return False


def _branch(branch: View) -> str:
    if branch["position"] is None:
        return output.line(branch["text"], 200)
    cause = f" <- {branch['cause']}" if branch.get("cause") is not None else ""
    head = f"{branch['position']} {branch['event']} ({branch['actor']}{cause})"
    return f"{head} {output.line(branch['text'], 200)}"


def _said(reason: View) -> str:
    where = f" (event {reason['position']})" if reason.get("position") is not None else ""
    return output.line(reason["text"], 2000) + where


def _show_story(story: list[View]) -> None:
    output.table(
        story,
        {
            "EVENT": lambda fact: fact["position"],
            "TIME": lambda fact: output.moment(fact["at"]),
            "BY": lambda fact: fact["actor"],
            "CAUSE": lambda fact: fact.get("cause"),
            "WHAT": lambda fact: fact["text"],
        },
    )
