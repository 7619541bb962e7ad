"""What must be true of a pool whose owner was killed: nothing told is lost, nothing ran unknowingly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from claude_pool.adapters.store.blobs import BlobStore
from claude_pool.adapters.store.evidence import damage
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.coordination import Recover, decide
from claude_pool.domain.invariants import check
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.records import Actor, Recorded
from claude_pool.domain.world import World

from tests.faults.crash_pool import CrashPool, Ledger, View

Log = Sequence[Recorded]

STARTING = ("pool.owner_started", "pool.cli_identified", "budget.limit_changed")
"""What the start of an owner records: itself, its CLI, and the limit that it is started with."""


@dataclass
class Faults:
    """What was found, by kind: told facts that are lost, tasks run twice unknowingly, and all other."""

    lost: list[str] = field(default_factory=list[str])
    doubles: list[str] = field(default_factory=list[str])
    violations: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.lost or self.doubles or self.violations)


def read_log(pool: CrashPool) -> Log:
    """All events; the chain is verified on the way. Empty where there is no log yet."""
    if not pool.log.exists() or not pool.log.stat().st_size:
        return ()
    reader = open_reader(pool.log, default_codec())
    try:
        reader.verify()
        return tuple(reader.read_all())
    finally:
        reader.close()


def appends(log: Log) -> list[list[Recorded]]:
    """The events by the append that recorded them."""
    return [list(group) for _, group in groupby(log, lambda each: each.meta.command_id)]


def fold(log: Iterable[Recorded]) -> World:
    """The live view of a log."""
    world = World()
    for each in log:
        world.apply(each.position, each.stream, each.version, each.event)
    return world


# ---------------------------------------------------------------------------- what the client was told

_Told = Callable[[View, View, Log], bool]


def _has(log: Log, *names: str, stream: str | None = None, **members: object) -> int:
    """How many events have one of the names, of a stream if one is given, with these members."""
    return sum(
        each.event.NAME in names
        and stream in (None, each.stream)
        and all(getattr(each.event, name) == value for name, value in members.items())
        for each in log
    )


def _of_task(*names: str) -> _Told:
    return lambda given, answer, log: bool(
        _has(log, *names, stream=str(answer.get("task_id") or given.get("task_id")))
    )


_TOLD: dict[str, _Told] = {
    "pool_submit": _of_task("task.submitted"),
    "pool_submit_with_review": _of_task("task.submitted"),
    "pool_submit_chain": lambda _, answer, log: bool(
        _has(log, "chain.submitted", stream=str(answer["chain_id"]))
    ),
    "pool_cancel": _of_task("task.cancel_requested", "task.cancelled", "task.completed", "task.failed"),
    "pool_approve_result": _of_task("task.approved"),
    "pool_reject_result": _of_task("task.rejected"),
    "pool_answer_question": lambda given, _, log: bool(
        _has(log, "question.answered", question_id=given["question_id"])
        or _has(log, "task.reopened", "task.cancelled")
    ),
    "pool_send_message": lambda _, answer, log: bool(
        _has(log, "message.accepted", stream=str(answer["message_id"]))
        or _has(log, "message.accepted", message_id=answer["message_id"])
    ),
    "context_set": lambda given, _, log: bool(_has(log, "context.set", key=given["key"])),
    "pool_budget": lambda _, __, log: bool(_has(log, "budget.limit_changed", "budget.limits_set")),
    "pool_resume": lambda _, __, log: bool(_has(log, "pool.resumed")),
    "pool_drain": lambda given, _, log: bool(
        _has(log, "pool.drain_lifted" if given["mode"] == "undo" else "pool.drain_started")
    ),
}


def lost(ledger: Ledger, log: Log) -> list[str]:
    """What the client was told that `log` does not say."""
    missing = [
        f"{tool} {given} was answered with {answer}, and is not in the log"
        for tool, given, answer in ledger.answers
        if not _TOLD[tool](given, answer, log)
    ]
    for task_id, view in ledger.seen.items():
        if not _has(log, f"task.{view['state']}", stream=task_id):
            missing.append(f"{task_id} was said to be {view['state']}, and is not in the log")
    return missing


# ---------------------------------------------------------------------------- what ran


def prompts(home: Path) -> dict[str, list[str]]:
    """The prompts that processes took, each counted once, by the conversation that they took it in first."""
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for file in sorted(home.glob(".claude/projects/*/*.jsonl"), key=lambda path: path.stat().st_ctime_ns):
        for line in file.read_text("utf-8").splitlines():
            record = json.loads(line)
            if record["type"] == "user" and not seen.issuperset(record["uuids"]):
                seen.update(record["uuids"])
                found.setdefault(file.stem, []).append(record["text"])
    return found


def doubles(home: Path, log: Log) -> list[str]:
    """Prompts that were run without an attempt of the log that intended it."""
    intended = Counter(str(e.event.session) for e in log if e.event.NAME == "session.opened")  # type: ignore[union-attr]
    return [
        f"conversation {session} was prompted {len(texts)} times, for {intended[session]} attempts: {texts}"
        for session, texts in prompts(home).items()
        if len(texts) > intended[session]
    ]


# ---------------------------------------------------------------------------- what the log says of itself


def violations(pool: CrashPool, log: Log) -> list[str]:
    """What may not be true of any log: of its events, its texts and transcripts, and its recoveries."""
    places = pool.settings.places
    texts, transcripts = BlobStore(places.blobs), Path(places.transcripts)
    found: list[str] = []
    for each in log:
        found += damage(each.position, each.stream, each.event, texts, transcripts)
    broken = check(((each.position, each.stream, each.version, each.event) for each in log), final=True)
    found += [f"event {each.position}: {each.text} ({each.code})" for each in broken]
    return found + _recoveries(log)


def _recoveries(log: Log) -> list[str]:
    """Recoveries that would find something to do again, right after they were recorded."""
    found: list[str] = []
    done: list[Recorded] = []
    for group in appends(log):
        done += group
        if group[0].meta.actor is Actor.RECOVERY and not group[0].event.NAME.startswith("pool."):
            again = decide(Recover({}, group[0].meta.recorded_at), fold(done))
            found += [f"recovery at {group[-1].position} would add {fact}" for fact in again]
    return found


def unrest(log: Log) -> list[str]:
    """What is not over in a pool that has come to rest."""
    world = fold(log)
    status = pool_status(world, "")
    found = [f"{status.reserved_microdollars} microdollars stay reserved"] * bool(
        status.reserved_microdollars
    )
    return found + [f"{each} is not over" for each in (*world.tasks, *world.chains)]


def restarted(before: Log, after: Log) -> list[str]:
    """What an owner that found everything at rest recorded beside its own start and its slots."""
    return [
        f"a restart at rest recorded {each.event.NAME} of {each.stream}"
        for each in after[len(before) :]
        if each.event.NAME not in STARTING and not each.event.NAME.startswith("slot.")
    ]
