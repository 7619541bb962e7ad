"""`status`, `tasks`, `task` and `slots`: from the owner where one runs, else from the log."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from ..client import Client
from . import output
from .periods import AsOf
from .reading import Reader
from .shell import Shell, View
from .tasks import show_tasks

TaskId = Annotated[str, typer.Argument(metavar="ID", help="Id of a task.")]
State = Annotated[str | None, typer.Option(help="Only tasks in this state.", show_default=False)]
Tag = Annotated[str | None, typer.Option(help="Only tasks with this tag.", show_default=False)]
Slot = Annotated[str | None, typer.Option(help="Only tasks that ran last in this slot.", show_default=False)]
Limit = Annotated[int, typer.Option(help="Tasks on a page.", min=1, max=500)]
Cursor = Annotated[int | None, typer.Option(help="Where the page before ended.", show_default=False)]

_COUNTED = ("pending", "parked", "running", "pending_review", "sealed", "completed", "failed", "cancelled")


def status(shell: Shell, at: AsOf = None) -> None:
    """Show the pool now: slots, tasks, money, and whether it drains or is paused."""
    view = shell.look(lambda client: client.call("pool_status", {}), lambda reader: reader.status(), at)
    if shell.json:
        output.as_json(view)
        return
    limit = view.get("budget_microdollars")
    pause = cast("View", view.get("paused") or {})
    output.fields(
        {
            "slots": f"{view['total_slots']} ({view['idle_slots']} idle, {view['busy_slots']} busy, "
            f"{view['failed_slots']} failed)",
            "tasks": ", ".join(f"{view[f'{state}_tasks']} {state}" for state in _COUNTED),
            "spent": output.dollars(view["spent_microdollars"]),
            "reserved": output.dollars(view["reserved_microdollars"]),
            "budget": "none" if limit is None else output.dollars(limit),
            "draining": "yes" if view["draining"] else None,
            "messages": f"{n} wait for the coordinator" if (n := view.get("waiting_messages")) else None,
            "questions": f"{n} wait for an answer" if (n := view.get("open_questions")) else None,
            "paused": f"{pause['reason']} until {output.moment(pause.get('until')) or 'resumed'}"
            if pause
            else None,
            "problems": "; ".join(cast("list[str]", view.get("problems") or [])) or None,
            "as of": None if at is None else f"event {view['position']}",
            "log": f"{view['position']} events in {shell.settings.places.log}",
        }
    )
    output.result("\n")
    _show_slots(cast("list[View]", view["slots"]))


def tasks(
    shell: Shell,
    state: State = None,
    tag: Tag = None,
    slot: Slot = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    at: AsOf = None,
) -> None:
    """List tasks of all times, the latest first."""
    wanted = {"state": state, "tag": tag, "slot": slot, "limit": limit, "cursor": cursor}
    given = {name: value for name, value in wanted.items() if value is not None}
    view = shell.look(
        lambda client: client.call("pool_list_tasks", given),
        lambda reader: reader.tasks(state, tag, slot, limit, cursor),
        at,
    )
    if shell.json:
        output.as_json(view)
        return
    show_tasks(cast("list[View]", view["tasks"]))
    if view.get("cursor") is not None:
        output.note(f"more with --cursor {view['cursor']}")


def task(
    shell: Shell,
    task_id: TaskId,
    explain: Annotated[bool, typer.Option("--explain", help="Show each option and its source.")] = False,
    at: AsOf = None,
) -> None:
    """Show one task."""
    view = shell.look(
        lambda client: _task(client, task_id),
        lambda reader: reader.task(task_id),
        at,
    )
    if explain:
        view["options"] = _explained(shell, task_id, at)
    if shell.json:
        output.as_json(view)
        return
    error = cast("View", view.get("error") or {})
    options = cast("dict[str, View]", view.pop("options", {}))
    output.fields(
        {
            **{
                name: value
                for name, value in view.items()
                if name not in ("output", "error", "tokens", "cost_usd")
            },
            "tokens": ", ".join(
                f"{count} {kind}" for kind, count in cast("View", view.get("tokens") or {}).items()
            ),
            "error": f"[{error['code']}] {error['message']}" if error else None,
        }
    )
    for name, resolved in options.items():
        output.result(f"{name} = {output.line(resolved['value'])}  ({resolved['source']})")
    if view.get("output"):
        output.result("\n" + str(view["output"]))


def slots(shell: Shell, at: AsOf = None) -> None:
    """List the slots."""
    view = shell.look(
        lambda client: {"slots": client.call("pool_status", {})["slots"]},
        lambda reader: {"slots": reader.slots()},
        at,
    )
    found = cast("list[View]", view["slots"])
    if shell.json:
        output.as_json(found)
    else:
        _show_slots(found)


def _task(client: Client, task_id: str) -> View:
    view = client.call("pool_result", {"task_id": task_id})
    if reference := view.get("output_ref"):
        view["output"] = client.read(str(reference))
    return view


def _explained(shell: Shell, task_id: str, at: str | None) -> View:
    from .explaining import explain

    reader: Reader = shell.reader(at)
    try:
        return explain(reader, task_id)
    finally:
        reader.close()


def _show_slots(views: list[View]) -> None:
    output.table(
        views,
        {
            "SLOT": lambda view: view["slot_id"],
            "STATE": lambda view: view["state"],
            "NAME": lambda view: view.get("name"),
            "ROLE": lambda view: view.get("role"),
            "TASK": lambda view: view.get("task_id"),
            "MODEL": lambda view: view.get("model"),
            "DONE": lambda view: view.get("tasks_completed"),
            "COST": lambda view: output.dollars(view.get("cost_microdollars")),
            "RESTARTS": lambda view: view.get("restarts"),
            "NOTE": _note,
        },
    )


def _note(view: View) -> str:
    """Why the slot has no process, and until when."""
    waits, problem = view.get("waits"), view.get("problem")
    if waits is None:
        return "on trial" if view.get("on_trial") else ""
    until = "" if waits["until"] is None else f" until {output.moment(waits['until'])}"
    return f"{waits['reason']}{until}" + (f": {problem}" if problem else "")
