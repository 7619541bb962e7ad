"""`drain`, `stop` and `resume`: how a pool comes to rest and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Annotated, cast

import typer

from ..calling import NoOwner
from ..config.credentials import credentials
from . import exits, output
from .shell import Shell

Mode = Annotated[
    str, typer.Option(help="finish: accepted work ends; cancel: it is cancelled; undo: lift a drain.")
]
Timeout = Annotated[
    float | None, typer.Option(help="Wait at most so many seconds.", min=0, show_default=False)
]

_ASK_SECONDS = 50.0
_ANSWER_SECONDS = 60.0
_STOP_NOW_SECONDS = 20.0
_LAST_BREATH_SECONDS = 5.0
_LOOK_SECONDS = 0.01


def drain(shell: Shell, mode: Mode = "finish", timeout: Timeout = None) -> int:
    """Accept nothing new and wait until nothing is left to do, or until only you can go on."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with shell.owner(start=False) as client, output.progress("draining"):
        while True:
            left = (
                _ASK_SECONDS
                if deadline is None
                else max(0.001, min(_ASK_SECONDS, deadline - time.monotonic()))
            )
            view = client.call("pool_drain", {"mode": mode, "timeout_seconds": left}, left + _ANSWER_SECONDS)
            if (
                mode == "undo"
                or view.get("drained")
                or not view.get("draining")
                or view.get("waits_for")
                or (deadline is not None and time.monotonic() >= deadline)
            ):
                break
    said, code = _drained(mode, view)
    if shell.json:
        output.as_json(view)
    else:
        output.result(said)
    return code


def _drained(mode: str, view: Mapping[str, object]) -> tuple[str, int]:
    """What came of a drain, for a person and for a script."""
    if mode == "undo":
        return "the drain is lifted", exits.DONE
    if view.get("drained"):
        return "drained", exits.DONE
    if not view.get("draining"):
        return "the drain was undone meanwhile", exits.FAILED
    if reasons := cast("list[str]", view.get("waits_for") or []):
        help = "Mend that (`claude-pool resume`, `claude-pool questions`), or cancel with --mode cancel."
        return f"still draining: what is left waits for {', '.join(reasons)}. {help}", exits.NEEDS_SOMEONE
    return "still draining", exits.TIMED_OUT


def stop(
    shell: Shell,
    now: Annotated[bool, typer.Option("--now", help="Interrupt what runs, rather than let it end.")] = False,
) -> int:
    """End the owner. What waits stays in the log; the next owner goes on with it."""
    try:
        with shell.owner(start=False, stop="now" if now else "finish") as client:
            with output.progress("stopping"):
                ended = client.wait_for_end(_STOP_NOW_SECONDS if now else None)
            pid = client.welcome.get("pid")
        ended = ended and _gone(pid)
    except NoOwner:
        output.note("no owner runs")
        ended, pid = True, None
    if shell.json:
        output.as_json({"stopped": ended, "pid": pid})
    elif not ended:
        output.note(f"[internal] the owner (pid {pid}) still runs after {_STOP_NOW_SECONDS:g} seconds")
    return exits.DONE if ended else exits.FAILED


def _gone(pid: object) -> bool:
    """Whether the owner's process itself has ended, soon after it let go of its callers."""
    deadline = time.monotonic() + _LAST_BREATH_SECONDS
    while isinstance(pid, int):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def resume(shell: Shell) -> None:
    """Lift a pause, and hand the pool the login or key of this environment."""
    with shell.owner(credentials=credentials(os.environ)) as client:
        view = client.call("pool_resume", {})
    if shell.json:
        output.as_json(view)
    else:
        output.result("resumed")
