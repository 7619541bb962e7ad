"""`report`: what the page shows of a log, how it is written, and that a browser opens it."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.places import Places
from claude_pool.adapters.report.content import gather
from claude_pool.adapters.report.page import page
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.adapters.wiring import open_reader
from claude_pool.domain import chain
from claude_pool.domain.errors import NotFound
from claude_pool.domain.values import kind_of

from tests.support.domain_forks import fork_of
from tests.support.spent_log import BEGAN, Life, write
from tests.support.stand_in import Bench

ATTEMPTS = 60
FORK = "chain-aaaaaaaaaaaaaaaa"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """The log of a pool that has lived for some days, with chains, failures and a crash."""
    folder = tmp_path_factory.mktemp("lived")
    log = SqliteEventLog.open(folder / "log.sqlite", default_codec())
    write(Life(3, 3).live(ATTEMPTS), log)
    log.close()
    return Places(str(folder), str(folder / "socket"), str(folder), str(folder))


def content_of(places: Places, subject: str | None = None) -> Any:
    reader = open_reader(places)
    try:
        return gather(reader, places, subject, lambda _: None)
    finally:
        reader.close()


def test_a_page_has_every_task_chain_and_attempt(places: Places) -> None:
    content, reader = content_of(places), open_reader(places)
    cards, chains = list(reader.task_cards()), list(reader.chain_cards())
    reader.close()

    assert [task["id"] for task in content["tasks"]] == [card.task_id for card in cards]
    assert [chain["id"] for chain in content["chains"]] == [card.chain_id for card in chains]
    assert len(content["bars"]) == sum(card.attempts for card in cards)
    assert sum(task["cost"] for task in content["tasks"]) == sum(card.cost for card in cards)
    assert {bar[1] for bar in content["bars"]} <= {slot["id"] for slot in content["slots"]}


def test_each_task_comes_with_its_causes(places: Places) -> None:
    for task in content_of(places)["tasks"]:
        positions = [said[0] for said in task["story"]]
        assert positions == sorted(positions)
        assert task["story"][0][4].startswith("accepted")


def test_a_page_of_a_chain_has_its_tasks_only(places: Places) -> None:
    chain = content_of(places)["chains"][0]

    content = content_of(places, chain["id"])

    assert {task["chain"] for task in content["tasks"]} == {chain["id"]}
    assert [each["id"] for each in content["chains"]] == [chain["id"]]
    assert {bar[0].rpartition(".")[0] for bar in content["bars"]} <= {task["id"] for task in content["tasks"]}


def _chain(life: Life, chain_id: str) -> chain.Chain:
    state: chain.Chain = chain.ABSENT
    for event in life.story.events_of(chain_id):
        state = chain.evolve(state, event)  # type: ignore[arg-type]  # a chain's stream holds chain events
    return state


def forked(folder: Path) -> tuple[Places, str]:
    """A log in which a chain was taken up again as `FORK`; and that chain."""
    life = Life(3, 3).live(40)
    streams = {fact.stream: None for facts, _ in life.appends for fact in facts}
    states = (_chain(life, stream) for stream in streams if kind_of(stream) == "chain")
    state = next(state for state in states if isinstance(state, chain.Completed))
    life.story.do(fork_of(life.story, state, "do", FORK, BEGAN))
    log = SqliteEventLog.open(folder / "log.sqlite", default_codec())
    write(life.live(41), log)
    log.close()
    return Places(str(folder), str(folder / "socket"), str(folder), str(folder)), state.work.chain_id


def test_a_fork_marks_the_steps_that_it_reuses_and_has_their_tasks(tmp_path: Path) -> None:
    places, source = forked(tmp_path)

    content = content_of(places, FORK)

    (found,) = content["chains"]
    assert found["fork"] == f"{source} from do"
    assert [(step["name"], step["reused"]) for step in found["steps"]] == [("plan", source), ("do", None)]
    assert {step["task"] for step in found["steps"]} == {task["id"] for task in content["tasks"]}


def test_texts_are_brief_once_there_are_very_many(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_pool.adapters.report.content.TEXTS_LENGTH", 1)
    monkeypatch.setattr("claude_pool.adapters.report.content.BRIEF_LENGTH", 5)

    told = {task["id"]: (task["prompt"], task["state"]) for task in content_of(places)["tasks"]}

    last_failed = next(task for task, (_, state) in reversed(told.items()) if state != "completed")
    assert told.pop(last_failed)[0] == "Mend the parser."
    assert {prompt for prompt, _ in told.values()} == {"Mend … (16 bytes)"}


@pytest.mark.parametrize("subject", ["task-zzzzzzzzzzzzzzzz", "chain-zzzzzzzzzzzzzzzz", "slot-0", "nonsense"])
def test_what_is_not_there_is_refused(places: Places, subject: str) -> None:
    with pytest.raises(NotFound):
        content_of(places, subject)


@pytest.fixture
def bench(tmp_path: Path, places: Places) -> Bench:
    made = Bench(tmp_path)
    state = Path(made.places.state_dir)
    state.mkdir(parents=True, mode=0o700)
    shutil.copy(places.log, state)
    return made


def test_it_is_written_whole_and_for_this_user_only(bench: Bench) -> None:
    ended = bench.run("report", "-o", "page.html", "--json")

    told = json.loads(ended.stdout)
    written = bench.work / "page.html"
    assert (ended.returncode, told["path"], told["bytes"]) == (0, str(written), written.stat().st_size)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert list(bench.work.glob("*.partial")) == []


def test_a_dash_is_standard_output(bench: Bench) -> None:
    assert bench.run("report", "-o", "-").stdout.startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_is_refused(bench: Bench) -> None:
    ended = bench.run("report", "-o", "/nowhere/page.html")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "[invalid_argument] --output: /nowhere/page.html: No such file or directory" in ended.stderr


def test_a_browser_draws_it(places: Places, tmp_path: Path) -> None:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    content = content_of(places)
    task = content["tasks"][-1]["id"]
    (tmp_path / "page.html").write_text(page(content), "utf-8")
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'profile'}",
    )  # fmt: skip
    drawn = subprocess.run(
        [browser, *flags, "--dump-dom", f"file://{tmp_path}/page.html#{task}"],
        capture_output=True, text=True, timeout=100, check=True,
    ).stdout  # fmt: skip

    assert 'data-ready="yes"' in drawn  # its program ran to its end
    assert f"{len(content['tasks'])} of {len(content['tasks'])} tasks" in drawn
    assert re.search(rf'<section id="detail"[^>]*><h2>{task}<span class="state"', drawn)
    assert drawn.count('class="box"') == len(content["chains"][0]["steps"])
