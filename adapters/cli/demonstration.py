"""`claude-pool demo`: the whole pool on a fresh machine, without a key and without the network.

A scripted Messages API on loopback answers; everything else is real: the owner and its log, the slots and
their processes, the relay's protocol. It ends with the replay of what just happened and leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from claude_pool.domain.costs import By
from claude_pool.domain.ports import SlotFailure

from ..calling import greeting
from ..check import check_log
from ..claude import locate
from ..client import Client
from ..config.settings import settle
from ..demo.scripted_api import running_api
from ..handover import reach
from ..places import Places
from ..wiring import open_reader

PROMPTS = (
    "[[reply: 4]] What is two plus two?",
    "[[reply: Paris]] What is the capital of France?",
    "[[reply: blue, mostly]] What colour is the sky?",
)


def main() -> int:
    """Run the demonstration with the bundled CLI; the exit code."""
    try:
        cli = locate.inspect(locate.bundled() or "", os.environ)
    except SlotFailure:
        sys.stderr.write(
            "[cli_missing] The demonstration drives the Claude Code CLI that the extra `claude-pool[cli]` "
            "brings. Install it with pip, then run this again.\n"
        )
        return 3
    folder = Path(tempfile.mkdtemp(prefix="claude-pool-demo-"))
    try:
        with running_api() as api:
            _enter(folder, api.url)
            return _show(folder, cli.path, cli.version)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _enter(folder: Path, url: str) -> None:
    """Make this process's environment that of a machine with nothing but the scripted API."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=str(folder / "home"),
        TMPDIR=str(folder),
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_API_KEY="a-key-for-the-demonstration",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )
    (folder / "home").mkdir()
    (folder / "project").mkdir()


def _show(folder: Path, cli: str, version: str) -> int:
    flags = {
        "slots": 2,
        "model": "haiku",
        "permission_mode": "default",
        "claude": cli,
        "budget_usd": 1.0,
        "idle_exit": 1.0,
    }
    settings = settle({**flags, "working_dir": str(folder / "project")}, os.environ)
    places = settings.places
    _say(f"A pool of 2 slots, Claude Code CLI {version}, a scripted API, a budget of $1.00.\n")
    link = reach(places, greeting("shell"), settings.document())
    with Client(link) as client:
        client.initialize()
        _say("pool_fan_out: three questions at once")
        answers = _object(client.call("pool_fan_out", {"prompts": list(PROMPTS), "wait_seconds": 60}, 120))
        for prompt, view in zip(PROMPTS, answers["results"], strict=True):
            cost = view["cost_microdollars"]
            _say(f"  {prompt.partition(']] ')[2]:34} {view['output']!s:14} {view['slot_id']}  {cost} µ$")
        failed = [view for view in answers["results"] if not view["success"]]
        status = _object(client.call("pool_status", {}, 30))
        _say(
            f"\npool_status: {status['completed_tasks']} completed, {status['failed_tasks']} failed, "
            f"{status['spent_microdollars']} µ$ of {status['budget_microdollars']} µ$ spent"
        )
    _stop(places)
    _say("\nclaude-pool replay: what just happened, from the log")
    _replay(places)
    _say("\nclaude-pool cost --by model: who spent what")
    _costs(places)
    problems = check_log(places)
    _say("\nclaude-pool replay --check: " + ("the log adds up" if not problems else "; ".join(problems)))
    return 1 if failed or problems else 0


def _stop(places: Places) -> None:
    link = reach(places, greeting("shell", stop="finish"), {})
    with Client(link) as client:
        client.wait_for_end(30)


def _replay(places: Places) -> None:
    from .replay_view import event_line

    reader = open_reader(places)
    try:
        for recorded in reader.events():
            _say("  " + event_line(recorded))
    finally:
        reader.close()


def _costs(places: Places) -> None:
    from .cost import show

    reader = open_reader(places)
    try:
        show(reader.costs(By.MODEL))
    finally:
        reader.close()


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
