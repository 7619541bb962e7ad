"""Measure how long a browser takes to open `claude-pool report`, on a log of 5,000 tasks.

    python tools/bench/report.py           5 openings of each page
    python tools/bench/report.py --quick   a log of 500 tasks, 2 openings

The log is of a pool with chains, money, retries and crashes, as `history.py` writes them. The page is opened
as it is, with the short texts of that log, and with prompts, outputs and transcripts at their longest. An
opening counts from the navigation to the second frame after the page has loaded, in a headless Chromium that
runs already. The baseline is a page with nothing in it. Exits 1 where a target is missed, and 3 without a
Chromium.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from claude_pool.adapters.places import Places, prepare
from claude_pool.adapters.report.content import (
    BRIEF_LENGTH,
    TEXT_LENGTH,
    TEXTS_LENGTH,
    TRANSCRIPT_LENGTH,
    TRANSCRIPTS_LENGTH,
    gather,
)
from claude_pool.adapters.report.page import page
from claude_pool.adapters.wiring import open_reader
from history import write_history
from tables import Row, Table, Unfit, arguments, measured, ms, p50

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.browser import Browser, browser, program  # noqa: E402

SECONDS = 2.0
"""So long at most a page of 5,000 tasks takes to open."""

TASKS = 5_000
EVENTS_A_TASK = 14.5
"""At least this many events has a task of these logs, on average; the log is written by its events."""

_TYPED = """new Promise(done => { const began = performance.now(), find = document.getElementById("find");
    find.value = "no such task"; find.dispatchEvent(new Event("input"));
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))); })"""


def written(folder: Path, tasks: int) -> Places:
    """A state directory with a log of about so many tasks."""
    places = Places(
        str(folder / "state"), str(folder / "socket"), str(folder), str(folder / "state/transcripts")
    )
    prepare(places)
    write_history(Path(places.log), round(tasks * EVENTS_A_TASK))
    return places


def content_of(places: Places) -> dict[str, Any]:
    """What the page shows of it."""
    reader = open_reader(places)
    try:
        return gather(reader, places, None, lambda _: None)
    finally:
        reader.close()


def lengthened(content: dict[str, Any]) -> dict[str, Any]:
    """The same tasks with the longest texts that a page has."""
    text = "Read what is there, and mend the parser where a string is not closed before the line ends.\n" * 50
    told, left = text[:TRANSCRIPT_LENGTH], TRANSCRIPTS_LENGTH // TRANSCRIPT_LENGTH
    tasks: list[dict[str, Any]] = []
    for number, task in enumerate(content["tasks"]):
        shown = text[: TEXT_LENGTH if number < TEXTS_LENGTH // (2 * TEXT_LENGTH) else BRIEF_LENGTH]
        transcripts = [[f"{task['id']}.1", told]] if number < left else []
        tasks.append({**task, "prompt": shown, "output": shown, "transcripts": transcripts})
    return {**content, "tasks": tasks}


def opened(tab: Browser, path: Path, rounds: int) -> float:
    """Seconds of an opening, the median."""
    times: list[float] = []
    for _ in range(rounds):
        tab.open("about:blank")
        seconds, ready = tab.open(path.as_uri())
        if ready != "yes" and path.name != "empty.html":
            raise RuntimeError(f"{path.name} was not drawn")
        times.append(seconds)
    return p50(times)


def made(table: Table, places: Places, page_at: Path) -> None:
    """How long the command takes to write the page."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [str(Path(sys.executable).with_name("claude-pool")), "report", "-o", str(page_at)]
    subprocess.run([*command, "--state-dir", places.state_dir], stdout=subprocess.DEVNULL, check=True)
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    table.add(Row("claude-pool report, processor time", f"{seconds:.1f} s"))


def work() -> int:
    """Run the benchmark."""
    given = arguments(__doc__ or "")
    if (chromium := program()) is None:
        raise Unfit("no Chromium on this machine: install chromium, or put it into PATH")
    rounds, tasks = (2, TASKS // 10) if given.quick else (5, TASKS)
    with tempfile.TemporaryDirectory(prefix="cpb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        table = Table(given.json, "empty page")
        places = written(folder, tasks)
        made(table, places, folder / "short.html")
        content = content_of(places)
        (folder / "long.html").write_text(page(lengthened(content)), "utf-8")
        (folder / "empty.html").write_text("<!doctype html><p>Nothing.", "utf-8")
        with browser(chromium) as tab:
            tab.look(1280, 900, dark=False)
            nothing = opened(tab, folder / "empty.html", rounds)
            for what, each in (("short texts", "short.html"), ("texts at their longest", "long.html")):
                seconds = opened(tab, folder / each, rounds)
                size = (folder / each).stat().st_size / 1e6
                what = f"{len(content['tasks']):,} tasks, {what} ({size:.1f} MB)"
                table.add(Row(what, ms(seconds), ms(nothing), "", f"<= {SECONDS:g} s", seconds <= SECONDS))
                table.add(Row("  a word typed into Find", ms(tab.say(_TYPED) / 1000)))
        return table.finish()


if __name__ == "__main__":
    sys.exit(measured(work))
