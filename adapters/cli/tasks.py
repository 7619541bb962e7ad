"""`run`, `submit`, `wait` and `cancel`: work is given, waited for and taken back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, Self, cast

import typer
from claude_pool.domain.provider import ENDLESS

from ..client import Client
from . import exits, output
from .embedding import embedded
from .shell import Shell, View, given_text
from .task_flags import submission, task_arguments

Prompt = Annotated[str, typer.Argument(metavar="PROMPT", help="The work in full; - reads standard input.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Tasks, chains [all that live].")]
Timeout = Annotated[
    float | None,
    typer.Option(help="Give up after so many seconds (exit code 124).", min=0, show_default=False),
]

_ASK_SECONDS = 50.0
_ANSWER_SECONDS = 60.0
_LIVING = ("pending", "parked", "running")


def run(shell: Shell, prompt: Prompt, **task: Any) -> int:
    """Run one task to its end and print its answer. ^C cancels it; a second ^C leaves at once."""
    wanted = task_arguments(given_text(prompt), task)
    owner = embedded(shell.settings) if shell.settings.embedded else shell.owner(insist=True)
    with owner as client, Interrupts() as interrupts:
        task_id = ""
        try:
            with interrupts.held():
                task_id = str(client.call(submission(wanted), wanted)["task_id"])
            wait_for(client, [task_id], None)
        except KeyboardInterrupt:
            # On a connection of its own: this one may have been interrupted in the middle of a line.
            with shell.owner(start=False) as canceller:
                canceller.call("pool_cancel", {"task_id": task_id}, _ANSWER_SECONDS)
            output.note(f"cancelled {task_id}")
            return exits.INTERRUPTED
        return show_end(shell, client, client.call("pool_result", {"task_id": task_id}))


def submit(shell: Shell, prompt: Prompt, **task: Any) -> None:
    """Accept one task and print its id; it runs whether or not anyone waits."""
    wanted = task_arguments(given_text(prompt), task)
    with shell.owner() as client:
        accepted = client.call(submission(wanted), wanted)
    if shell.json:
        output.as_json(accepted)
    else:
        output.result(str(accepted["task_id"]))


def wait(shell: Shell, ids: Ids = None, timeout: Timeout = None) -> int:
    """Wait until tasks have ended or need someone, and print them."""
    with shell.owner() as client:
        asked = list(dict.fromkeys(ids or _living(client)))
        views = wait_for(client, asked, timeout)
    if shell.json:
        output.as_json(views)
    else:
        show_tasks(views)
    for view in views:
        if exits.of_task(view) == exits.NEEDS_SOMEONE:
            output.note(f"{view_id(view)} is {view['state']}: it needs a decision")
    if len(views) < len(asked):
        output.note(f"{len(asked) - len(views)} of {len(asked)} had not ended after {timeout:g} seconds")
        return exits.TIMED_OUT
    return exits.of_tasks(views)


def cancel(
    shell: Shell, task_id: Annotated[str, typer.Argument(metavar="ID", help="A task or chain.")]
) -> None:
    """Cancel a task, or a chain with all of its steps."""
    tool, key = (
        ("pool_cancel_chain", "chain_id") if task_id.startswith("chain-") else ("pool_cancel", "task_id")
    )
    with shell.owner() as client:
        view = client.call(tool, {key: task_id})
    if shell.json:
        output.as_json(view)
    else:
        output.result(f"{task_id} {view.get('state', 'cancelled')}")


def view_id(view: View) -> str:
    """The id of a task or chain."""
    return str(view.get("task_id") or view.get("chain_id"))


def show_tasks(views: Sequence[View]) -> None:
    """Print tasks as a table."""
    output.table(
        views,
        {
            "TASK": view_id,
            "STATE": lambda view: view.get("state"),
            "COST": lambda view: output.dollars(view.get("cost_microdollars")),
            "TURNS": lambda view: view.get("turns"),
            "RAN": lambda view: output.seconds(view.get("elapsed_ms")),
            "SLOT": lambda view: view.get("slot_id"),
            "MODEL": lambda view: view.get("model"),
            "TAGS": lambda view: ",".join(cast("list[str]", view.get("tags") or [])),
            "ABOUT": _about,
        },
    )


def _about(view: View) -> object:
    error = cast("View", view.get("error") or {})
    return f"[{error['code']}] {error['message']}" if error else view.get("reason") or view.get("output")


def show_end(shell: Shell, client: Client, view: View) -> int:
    """Print how a task ended: its answer on standard output, what went wrong on standard error."""
    if shell.json:
        output.as_json(view)
    elif reference := view.get("output_ref"):
        output.result(client.read(str(reference)))
    else:
        output.result(str(view.get("output") or view.get("structured_output") or ""))
    code = exits.of_task(view)
    error = cast("View", view.get("error") or {})
    if code == exits.NEEDS_SOMEONE:
        why = view.get("reason") or "it needs a decision"
        said = f" ([{error['code']}] {error['message']})" if view["state"] == "parked" and error else ""
        output.note(f"{view_id(view)} is {view['state']}: {why}{said}")
    elif code != exits.DONE:
        output.note(f"[{error['code']}] {error['message']}" if error else f"{view_id(view)} {view['state']}")
    return code


def wait_for(client: Client, ids: Sequence[str], timeout: float | None) -> list[View]:
    """The views of those of `ids` that came to rest within `timeout` seconds, in the order of `ids`."""
    deadline = None if timeout is None else time.monotonic() + timeout
    found: dict[str, View] = {}
    told: set[str] = set()
    cursor: object = None
    with output.progress(f"waiting for {len(ids)} tasks" if len(ids) > 1 else "waiting") as say:
        while missing := [each for each in ids if each not in found]:
            if _held(client):
                return [found[each] if each in found else _view_of(client, each) for each in ids]
            left = _ASK_SECONDS if deadline is None else min(_ASK_SECONDS, deadline - time.monotonic())
            arguments: dict[str, object] = {"wait_seconds": max(0.0, left)}
            if tasks := [each for each in missing if not each.startswith("chain-")]:
                arguments["task_ids"] = tasks
            if chains := [each for each in missing if each.startswith("chain-")]:
                arguments["chain_ids"] = chains
            if cursor is not None:
                arguments["cursor"] = cursor
            answer = client.call("pool_wait", arguments, max(0.0, left) + _ANSWER_SECONDS)
            cursor = answer.get("cursor", cursor)
            for view in (*_views(answer, "tasks"), *_views(answer, "chains")):
                if view.get("task_id") and view["state"] == "running":
                    _tell_questions(view)
                else:
                    found[view_id(view)] = view
            _tell_soft_limits(answer, told)
            say(f"waiting for {sum(each not in found for each in ids)} of {len(ids)}")
            if left <= 0:
                break
    return [found[each] for each in ids if each in found]


def _held(client: Client) -> bool:
    """Whether nothing starts until somebody mends the login or the account."""
    pause = cast("View", client.call("pool_status", {}).get("paused") or {})
    if held := pause.get("reason") in ENDLESS:
        output.note(f"the pool is paused: {pause['reason']}. Mend it, then: claude-pool resume")
    return held


def _view_of(client: Client, each: str) -> View:
    if each.startswith("chain-"):
        return client.call("pool_chain_result", {"chain_id": each})
    return client.call("pool_result", {"task_id": each})


def _tell_questions(view: View) -> None:
    """A task that runs is told of for what it asks."""
    for each in cast("list[View]", view.get("questions") or []):
        output.note(f"{view_id(view)}: {each['text']}? claude-pool answer {each['question_id']} allow|deny")


def _tell_soft_limits(answer: View, told: set[str]) -> None:
    """Of each soft limit that keeps tasks waiting it is told once, and how to answer."""
    for each in _views(answer, "questions"):
        if each["question_id"] not in told:
            told.add(each["question_id"])
            output.note(f"{each['text']} claude-pool answer {each['question_id']} continue|stop")


def _living(client: Client) -> list[str]:
    """The ids of all tasks that have not come to rest."""
    ids: list[str] = []
    for state in _LIVING:
        cursor: object = None
        while True:
            page: dict[str, object] = {"state": state, "limit": 500}
            answer = client.call("pool_list_tasks", page if cursor is None else {**page, "cursor": cursor})
            ids += [view_id(view) for view in _views(answer, "tasks")]
            if (cursor := answer.get("cursor")) is None:
                break
    return ids


def _views(answer: View, key: str) -> list[View]:
    return cast("list[View]", answer.get(key) or [])


class Interrupts:
    """The first ^C raises KeyboardInterrupt, unless it is held; the second ends the process at once."""

    def __init__(self) -> None:
        """Signals are taken from `with` on."""
        self._seen = False
        self._held = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def held(self) -> Generator[None]:
        """Raise a ^C that comes inside only at its end."""
        self._held = True
        yield
        self._held = False
        if self._seen:
            raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._seen:
            os._exit(exits.INTERRUPTED)
        self._seen = True
        if not self._held:
            raise KeyboardInterrupt
