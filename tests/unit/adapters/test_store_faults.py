"""Each operation on the disk fails, once and for good: nothing is lost, and nothing half done."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.places import Places
from claude_pool.adapters.requests import ChainRequest, StepRequest, TaskRequest
from claude_pool.adapters.store.blobs import BlobStore
from claude_pool.adapters.store.evidence import texts_of
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain.errors import PoolError
from claude_pool.domain.invariants import check
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Event as DomainEvent
from claude_pool.domain.slot_events import LaunchStarted, SlotClaimed
from claude_pool.domain.task_events import AttemptStarted
from claude_pool.domain.values import Outcome, attempt_id

from tests.support.faulty_store import Fault, faulty_store
from tests.support.scripted_driver import LiveTurn, ScriptedDriver, said
from tests.support.waiting import until

SECONDS = 20.0
REFUSALS = {"store_full", "store_in_use", "store_unreadable", "internal", "draining"}
Event = tuple[int, str, int, DomainEvent]
KINDS = {
    "full": (sqlite3.SQLITE_FULL, errno.ENOSPC, False),
    "input/output error": (sqlite3.SQLITE_IOERR, errno.EIO, False),
    "error after the fact": (sqlite3.SQLITE_IOERR, errno.EIO, True),
    "locked": (sqlite3.SQLITE_BUSY, errno.EIO, False),
    "read-only": (sqlite3.SQLITE_READONLY, errno.EROFS, False),
}


@dataclass
class Trial:
    """One life of a pool: what it acknowledged, what it did, and how it went on."""

    driver: ScriptedDriver
    acknowledged: set[str] = field(default_factory=set[str])
    refused: int = 0
    codes: set[str] = field(default_factory=set[str])
    ended: bool = False
    answers_again: bool = False


async def answer(live: LiveTurn) -> Outcome:
    return said("a long answer " * 300 if "long" in live.prompt else "short")


async def accepted(trial: Trial, call: Coroutine[Any, Any, str]) -> str | None:
    """What a call gave, which then is acknowledged; None where it was refused, with a code."""
    try:
        name = await asyncio.wait_for(call, SECONDS)
    except PoolError as error:
        trial.refused += 1
        trial.codes.add(error.code)
        return None
    trial.acknowledged.add(name)
    return name


async def at_rest(running: Running, trial: Trial) -> None:
    """Wait until the pool has nothing to do, or ends."""

    def rests() -> bool:
        trial.ended = running.service.failed or running.service.out_of_room is not None
        world = running.world
        return trial.ended or not (world.pending or world.running or world.chains or world.parked)

    await until(rests, SECONDS)


async def live(state: Path, trial: Trial, calls: int = 3) -> None:
    """Tasks with long and short texts and a chain of two steps on one slot, then another call."""
    store = open_store(Places(str(state), str(state / "s"), str(state), str(state)))
    settings = Settings(slots=1, working_dir=str(state))
    workshop = Workshop(None, {}, state)
    async with running_pool(store, workshop, settings, None, False, driver=trial.driver) as running:
        steps = (StepRequest("one", TaskRequest("first")), StepRequest("two", TaskRequest("second")))
        application = running.application
        makers: tuple[Callable[[], Coroutine[Any, Any, str]], ...] = (
            lambda: application.submit(TaskRequest("a long prompt " * 300)),
            lambda: application.submit(TaskRequest("short")),
            lambda: application.chains.submit(ChainRequest(steps)),
        )
        for make in makers[:calls]:
            await accepted(trial, make())
        if not calls:
            return
        await at_rest(running, trial)
        if not trial.ended:
            again = await accepted(trial, application.submit(TaskRequest("again")))
            trial.answers_again = again is not None or trial.refused > 0
            await at_rest(running, trial)
        if running.service.out_of_room is not None:
            ends = (running.runtime.stopped.wait(), running.service.failure())
            waits = [asyncio.ensure_future(each) for each in ends]
            await asyncio.wait(waits, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


def life(folder: Path, patch: pytest.MonkeyPatch, fault: Fault) -> Trial:
    """Run a pool on a disk with `fault`, and judge what it leaves."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    for name in ("blobs", "transcripts"):
        (state / name).mkdir(parents=True)
    trial = Trial(ScriptedDriver(answer))
    with faulty_store(patch, fault):
        try:
            asyncio.run(live(state, trial))
        except PoolError:
            trial.ended = True  # It refused to start, or to go on.
    judge(state, trial, fault)
    return trial


def judge(state: Path, trial: Trial, fault: Fault) -> None:
    """What must hold of whatever it left behind; then the next owner starts, on a sound disk."""
    where = (fault.code, fault.late, fault.sticky, fault.at, fault.struck)
    assert not trial.driver.slots, where
    assert trial.codes <= REFUSALS, where
    if not (state / "log.sqlite").exists() or not (state / "log.sqlite").stat().st_size:
        assert not trial.acknowledged and not trial.driver.launches, where
        return
    events = read(state, where)
    streams = {stream for _, stream, _, _ in events}
    started = {attempt_id(stream, e.attempt) for _, stream, _, e in events if isinstance(e, AttemptStarted)}
    assert trial.acknowledged <= streams, where
    assert {turn.attempt for _, turn in trial.driver.turns} <= started, where
    assert len(trial.driver.launches) <= sum(intends_a_process(e) for *_, e in events), where
    assert trial.ended or trial.answers_again, where
    asyncio.run(live(state, Trial(ScriptedDriver(answer)), calls=0))
    assert read(state, where)[: len(events)] == events, where


def intends_a_process(event: DomainEvent) -> bool:
    return isinstance(event, LaunchStarted) or (isinstance(event, SlotClaimed) and event.replaces)


def read(state: Path, where: object) -> list[Event]:
    """All events, after everything about them was checked."""
    texts = BlobStore(state / "blobs")
    with open_reader(state / "log.sqlite", default_codec()) as log:
        log.verify()
        assert log.faults() == (), where
        events = [(position, stream, version, e) for position, stream, version, e, *_ in log.read_events()]
    assert check(events) == (), where
    for position, stream, _, event in events:
        for text in texts_of(event):
            assert texts.get(text), (where, position, stream)
    return events


def operations(folder: Path, patch: pytest.MonkeyPatch) -> int:
    """How many operations a life without faults has."""
    fault = Fault(sqlite3.SQLITE_FULL, errno.ENOSPC)
    trial = life(folder, patch, fault)
    assert (trial.refused, trial.ended, len(trial.acknowledged)) == (0, False, 4)
    return fault.seen


def campaign(folder: Path, patch: pytest.MonkeyPatch, kind: str, step: int) -> None:
    """Every `step`-th operation fails in a life of its own, once, and in another one for good."""
    code, number, late = KINDS[kind]
    last, lives, ended = operations(folder, patch), 0, 0
    for at in range(1 + zlib.crc32(kind.encode()) % step, last + 1, step):
        for sticky in (False, True):
            trial = life(folder, patch, Fault(code, number, at, sticky, late))
            lives, ended = lives + 1, ended + trial.ended
    print(f"{kind}: {last} operations, {lives} lives, {ended} ended early")  # noqa: T201  # shown with -s


@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_that_fails_loses_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(tmp_path, monkeypatch, kind, 100)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_whichever_operation_fails_loses_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(tmp_path, monkeypatch, kind, 1)
