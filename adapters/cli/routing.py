"""`auto` and `route`: work that the pool splits by itself, how it would, and how well that is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast
from uuid import uuid4

import typer
from claude_pool.domain.errors import InvalidArgument

from ..client import Client
from . import exits, output
from .flags import parameter
from .judging import cancel_all, judge
from .route_cases import OWN, read_cases
from .shell import Shell, View, given_text
from .task_flags import TASK_FLAGS, task_arguments
from .tasks import Interrupts, Prompt, view_id, wait_for

MaybePrompt = Annotated[
    str | None, typer.Argument(metavar="[PROMPT]", help="The work in full; - reads standard input.")
]

_OF_WORK = (
    *("model", "effort", "permission_mode", "allowed_tools", "max_budget_usd", "timeout_seconds"),
    *("retries",),
)

_ROUTE_FLAGS = (
    parameter("max_parallel", int, "Most parallel prompts [10]; 1: none.", "--max-parallel"),
    parameter("max_chain_steps", int, "Most steps of a chain [10]; 1: no chain.", "--max-chain-steps"),
    parameter("prefer", str, "single, parallel or chain: that route or a single task.", "--prefer"),
    parameter("domain", str, "What the work is about.", "--domain"),
    parameter("decomposition_hints", str, "How it might be split.", "--decomposition-hints"),
    parameter("router_model", str, "Model of the router, such as haiku.", "--router-model"),
    parameter("router_effort", str, "How hard the router thinks.", "--router-effort"),
    parameter("router_max_budget_usd", float, "What the router may cost, in dollars.", "--router-budget-usd"),
    parameter("tags", list[str], "Label of all its tasks; may be repeated.", "--tag"),
    parameter("idempotency_key", str, "The same key gives the same tasks.", "--idempotency-key"),
)
ROUTE_FLAGS = (
    *_ROUTE_FLAGS,
    parameter(
        "cases", str, "Route labelled cases, from a JSON file or the program's own, and count.", "--cases"
    ),
)
AUTO_FLAGS = (
    *_ROUTE_FLAGS,
    *(each for each in TASK_FLAGS if each.name in _OF_WORK),
    parameter(
        "isolation", str, "A chain works in a git worktree or clone: none, worktree, clone.", "--isolation"
    ),
    parameter("merge", str, "Land its branch when all went well: none, ff, merge.", "--merge"),
)


def auto(shell: Shell, prompt: Prompt, **given: Any) -> int:
    """Have the work split as a router decides, done, and print what came of it. ^C cancels all of it."""
    wanted: dict[str, object] = {**_arguments(given_text(prompt), given), "wait_seconds": 0}
    view: View = {}
    with shell.owner() as client, Interrupts() as interrupts:
        try:
            with interrupts.held():
                view = client.call("pool_auto", wanted)
            wanted["idempotency_key"] = view["idempotency_key"]
            if view["route"] is None:
                ended = wait_for(client, _ids(view), None)
                with interrupts.held():
                    view = client.call("pool_auto", wanted)
                if view["route"] is None:
                    output.note(f"the router's task {view_id(ended[0])} is {ended[0]['state']}")
                    return exits.of_task(ended[0])
            wait_for(client, _ids(view), None)
            view = client.call("pool_auto", wanted)
        except KeyboardInterrupt:
            with shell.owner(start=False) as canceller:
                cancel_all(canceller, _ids(view))
            return exits.INTERRUPTED
        return _show_end(shell, client, view)


def route(shell: Shell, prompt: MaybePrompt = None, **given: Any) -> int:
    """Print how the work would be split, and do none of it; or, with --cases, how well that is decided."""
    cases = given.pop("cases", None)
    if (prompt is None) == (cases is None):
        raise InvalidArgument(argument="prompt", problem="say either a prompt or --cases")
    if cases is not None:
        return judge(shell, read_cases(cases), given)
    wanted: dict[str, object] = {**_arguments(given_text(prompt or ""), given), "wait_seconds": 50}
    with shell.owner() as client, output.progress("routing"):
        wanted.setdefault("idempotency_key", f"shell-{uuid4().hex}")
        view = client.call("pool_route", wanted)
        while view["route"] is None:
            view = client.call("pool_route", wanted)
    if shell.json:
        output.as_json(view)
        return exits.DONE
    output.fields(
        {
            "route": str(view["route"]) + (" (fallback)" if view["fallback"] else ""),
            "reason": view["reason"],
            "router": view["router_task_id"],
            "cost": output.dollars(view["cost_microdollars"]),
        }
    )
    for number, each in enumerate(cast("list[str]", view.get("prompts") or []), 1):
        output.result(f"\n{number}. {each}")
    for step in cast("list[View]", view.get("steps") or []):
        output.result(f"\n{step['name']}: {step['prompt']}")
    return exits.DONE


def with_cases(words: Sequence[str]) -> list[str]:
    """The words of a command line, a `--cases` that names no file completed by the program's own cases."""
    end = words.index("--") if "--" in words else len(words)
    complete: list[str] = []
    for place, word in enumerate(words):
        bare = word == "--cases" and place < end
        if bare and (place + 1 >= end or words[place + 1].startswith("-")):
            word = f"--cases={OWN}"
        complete.append(word)
    return complete


def _arguments(prompt: str, given: Mapping[str, object]) -> dict[str, object]:
    arguments = task_arguments(prompt, given)
    prefer = arguments.get("prefer")
    if isinstance(prefer, str) and not prefer.startswith("prefer_"):
        arguments["prefer"] = f"prefer_{prefer}"
    return arguments


def _ids(view: View) -> list[str]:
    """The ids of what is to be waited for: the work, or before there is any the router's task."""
    if view.get("route") is None:
        return [str(view["router_task_id"])] if view else []
    if "chain" in view:
        return [str(view["chain"]["chain_id"])]
    tasks = cast("list[View]", view["results"] if "results" in view else [view["task"]])
    return [str(task["task_id"]) for task in tasks if task["task_id"] is not None]


def _show_end(shell: Shell, client: Client, view: View) -> int:
    ends = cast("list[View]", view["results"] if "results" in view else [view.get("task") or view["chain"]])
    if shell.json:
        output.as_json(view)
    else:
        for number, end in enumerate(ends, 1):
            text = _text(client, end)
            output.result(f"[{number}] {text}" if "results" in view else text)
    fallback = f", because {view['reason']}" if view["fallback"] else ""
    output.note(f"{view['route']}{fallback}: {output.dollars(view['cost_microdollars'])} in all")
    for number, end in enumerate(ends, 1):
        if error := cast("View", end.get("error") or {}):
            output.note(f"[{number}] [{error['code']}] {error['message']}")
    return exits.of_tasks(ends)


def _text(client: Client, end: View) -> str:
    if reference := end.get("output_ref"):
        return client.read(str(reference))
    return str(end.get("output") or end.get("final_output") or "")
