"""What is shown of a task while it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool.adapters.progress import TEXT_BYTES, Progress
from claude_pool.adapters.requests import TaskRequest
from claude_pool.adapters.system import RealSystem
from claude_pool.adapters.views import View
from claude_pool.domain.values import Outcome

from tests.support.scripted_driver import LiveTurn, failed, said
from tests.support.scripted_pool import WAIT_SECONDS, scripted_pool


def test_only_attempts_that_run_have_progress() -> None:
    progress = Progress(RealSystem())
    progress.say("task-a.1", "early")
    progress.report("task-a.1", "early")
    assert progress.view("task-a.1") is None
    progress.begin("task-a.1")
    assert progress.view("task-a.1") == {"text": "", "report": None, "at": progress.view("task-a.1")["at"]}  # type: ignore[index]
    progress.end("task-a.1")
    progress.end("task-a.1")
    assert progress.view("task-a.1") is None


def test_a_long_text_is_shown_by_its_last_bytes() -> None:
    progress = Progress(RealSystem())
    progress.begin("task-a.1")
    progress.say("task-a.1", "\u20ac" * TEXT_BYTES)
    view = progress.view("task-a.1")
    assert view is not None
    assert view["text"] == "\u20ac" * (TEXT_BYTES // 3)


def test_a_running_task_shows_what_is_said_and_reported_and_a_retry_begins_anew(tmp_path: Path) -> None:
    seen: list[View] = []

    async def play() -> None:
        async def script(live: LiveTurn) -> Outcome:
            task_id, _, number = live.turn.attempt.rpartition(".")
            seen.append(await pool.application.view(task_id))
            live.say("half of it")
            await live.use("slot_report_progress", text="at 50 %")
            seen.append(await pool.application.view(task_id))
            return failed("provider_error", retryable=True) if number == "1" else said("all of it")

        async with scripted_pool(tmp_path, script) as pool:
            view = await pool.application.run(TaskRequest("work", retries=1), wait_seconds=WAIT_SECONDS)
            seen.append(view)

    asyncio.run(asyncio.wait_for(play(), WAIT_SECONDS))
    shown = [view.get("progress") and (view["progress"]["text"], view["progress"]["report"]) for view in seen]
    assert shown == [("", None), ("half of it", "at 50 %"), ("", None), ("half of it", "at 50 %"), None]
