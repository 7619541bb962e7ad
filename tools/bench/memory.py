"""Measure the memory of an owner over many tasks, and what `status` takes on a long log.

    python tools/bench/memory.py           10,000 tasks; a log of 1,000,000 events
    python tools/bench/memory.py --quick   1,000 tasks; a log of 100,000 events, for CI

The owner is a real process with a real log; its slots run the tests' stand-in for the CLI, which answers at
once. The baseline is a process that has imported what an owner imports and does nothing. `status` is timed as
a whole process on a log that the domain's own decisions have written, against a process that only reads and
decodes every event. Exits 1 where a target is missed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser
from base64 import b32encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from claude_pool.adapters.places import find, prepare
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain import pool as pools
from claude_pool.domain import slot
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.attempts import Claim, RecordEnd
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.coordination import Command, decide
from claude_pool.domain.options import derived_session, launch_key
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor, Fact, Meta
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens, Transcript
from claude_pool.domain.world import World

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from support import Ground, Pool, ground, pool  # noqa: E402
from tables import Row, Table, arguments, cpu_seconds, measured, ms, resident_mb  # noqa: E402

from tests.support.fake_cli import fake_cli  # noqa: E402

OWNER_MB = 130.0
GROWTH_MB = 5.0
"""So much may lie between the first fifth of the tasks and the last: noise of the allocator, no leak."""

STATUS_SECONDS = 7.0
STATUS_EVENTS = 1_000_000
SLOTS = 8
BATCH = 250
PROMPT = "Look through the parser and fix what makes the third test fail; explain the cause. " * 3
ANSWER = "The tokenizer drops the last line when it has no newline, so the parser sees too few. " * 5
SURROUNDINGS = "5f" * 8

IDLE_OWNER = (
    "import claude_pool.adapters.owner, claude_pool.adapters.mcp.mounting, sys;"
    "print(flush=True); sys.stdin.read()"
)
ONLY_READ = (
    "import sys; from pathlib import Path;"
    "from claude_pool.adapters.store.reader import open_reader;"
    "from claude_pool.adapters.store.registry import default_codec;"
    "log = open_reader(Path(sys.argv[1]), default_codec());"
    "print(sum(1 for _ in log.read_events()))"
)


def bench_owner(at: Ground, table: Table, tasks: int) -> None:
    """The owner's resident memory after every tenth of `tasks`."""
    idle = _idle_owner_mb()
    program = fake_cli(at.folder)
    with pool(at, slots=SLOTS, program=str(program)) as running:
        began, before = time.perf_counter(), cpu_seconds(running.owner)
        table.add(Row("owner, before the first task", _mb(resident_mb(running.owner)), _mb(idle)))
        samples = list(_samples(running, tasks))
        seconds, used = time.perf_counter() - began, cpu_seconds(running.owner) - before
    for done, resident in samples[:-1]:
        table.add(Row(f"owner, after {done:,} tasks", _mb(resident), _mb(idle)))
    last = samples[-1][1]
    target = f"<= {OWNER_MB:.0f} MB"
    table.add(Row(f"owner, after {tasks:,} tasks", _mb(last), _mb(idle), "", target, last <= OWNER_MB))
    growth = last - samples[1][1]
    name = f"  growth since {samples[1][0]:,} tasks"
    table.add(Row(name, _mb(growth), "", "", f"<= {GROWTH_MB:.0f} MB", growth <= GROWTH_MB))
    table.add(Row("  processor time of the owner, a task", ms(used / tasks), "", f"{tasks / seconds:.0f}/s"))


def _samples(running: Pool, tasks: int) -> Iterator[tuple[int, float]]:
    done = 0
    for sample in range(1, 11):
        while done < tasks * sample // 10:
            step = min(BATCH, tasks * sample // 10 - done)
            running.fan_out(step, PROMPT)
            done += step
        yield done, resident_mb(running.owner)


def _idle_owner_mb() -> float:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", IDLE_OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident = resident_mb(process.pid)
        assert process.stdin is not None
        process.stdin.close()
    return resident


def _mb(megabytes: float) -> str:
    return f"{megabytes:.1f} MB"


# ---------------------------------------------------------------- status on a long log


def bench_status(at: Ground, table: Table, events: int, rounds: int) -> None:
    """Seconds of `claude-pool status` on a log of `events` events, no owner running."""
    state = at.folder / "long"
    places = find(at.environment, str(at.project), str(state))
    prepare(places)
    write_log(Path(places.log), str(at.project), events)
    script = str(Path(sys.executable).with_name("claude-pool"))
    status = [script, "--state-dir", str(state), "status", "--json"]
    reading = [sys.executable, "-P", "-c", ONLY_READ, places.log]
    ours: list[float] = []
    raw: list[float] = []
    for _ in range(rounds):
        ours.append(_seconds(at, status))
        raw.append(_seconds(at, reading))
    best, baseline = min(ours), min(raw)
    held = events == STATUS_EVENTS
    table.add(
        Row(
            f"claude-pool status, {events:,} events", f"{best:.2f} s", f"{baseline:.2f} s",
            f"x {best / baseline:.2f}", f"<= {STATUS_SECONDS:.0f} s" if held else "",
            best <= STATUS_SECONDS if held else None,
        )
    )  # fmt: skip


def _seconds(at: Ground, command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=at.environment, cwd=at.project, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


class _Writer:
    """Decides commands as the owner does, and appends what they bring about in large batches."""

    def __init__(self, log: SqliteEventLog) -> None:
        self.world = World()
        self._log = log
        self._facts: list[Fact] = []
        self._versions: dict[str, int] = {}
        self._written: dict[str, int] = {}

    @property
    def events(self) -> int:
        return self.world.position

    def do(self, command: Command) -> None:
        for fact in decide(command, self.world):
            version = self._versions.get(fact.stream, 0) + 1
            self._versions[fact.stream] = version
            self.world.apply(self.world.position + 1, fact.stream, version, fact.event)
            self._facts.append(fact)

    def flush(self, now: int) -> None:
        expected = {fact.stream: self._written.get(fact.stream, 0) for fact in self._facts}
        meta = Meta(now, f"cmd-{self.events:016d}", f"call-{self.events:016d}", Actor.SLOT, self.events)
        self._log.append(self._facts, expected, meta)
        self._written |= {stream: self._versions[stream] for stream in expected}
        self._facts.clear()


def write_log(path: Path, directory: str, events: int) -> None:
    """A log of at least `events` events: a pool of `SLOTS` slots that has done one task after another."""
    now = 1_700_000_000_000
    with SqliteEventLog.open(path, default_codec()) as log:
        writer = _Writer(log)
        settings = Settings(slots=SLOTS, options=Options(model="sonnet"), working_dir=directory)
        owner = derived_session("owner", "1")
        writer.do(pools.StartOwner(owner, owner, 1, "0.1.0", settings, 10**12, True, now))
        for number in range(SLOTS):
            name = f"slot-{number}"
            writer.do(slot.AddSlot(name))
            key = launch_key(pool_options(writer.world.open_pool()), (None, None, None), SURROUNDINGS)
            writer.do(slot.StartLaunch(name, key, derived_session(owner, name)))
            writer.do(slot.RecordLaunched(name, 1, 4000 + number, "2.1.330"))
        number = 0
        while writer.events < events:
            _one_task(writer, number, now + number * 1000)
            number += 1
            if number % 500 == 0:
                writer.flush(now + number * 1000)
        writer.flush(now + number * 1000)


def _one_task(writer: _Writer, number: int, now: int) -> None:
    task_id = "task-" + b32encode(sha256(b"%d" % number).digest())[:16].decode().lower()
    name = f"slot-{number % SLOTS}"
    spec = TaskSpec(Text(PROMPT, size=len(PROMPT)), Options(), tags=("nightly",))
    outcome = Outcome(
        End.SUCCEEDED, output=Text(ANSWER, size=len(ANSWER)), turns=3, model="claude-sonnet-5-5", cost=41_250,
        tokens=Tokens(1200, 800, 15_000, 2500), transcript=Transcript(48_211, "5e" * 32),
    )  # fmt: skip
    writer.do(Submit(task_id, spec, "3f" * 16, now))
    idle = writer.world.slots[name]
    writer.do(Claim(task_id, name, SURROUNDINGS, now))
    session = idle.process.spare if isinstance(idle, slot.Idle) and idle.process.spare else ""
    writer.do(RecordEnd(task_id, 1, name, outcome, session, True, 412, now + 900))
    writer.do(slot.StartClear(name))
    writer.do(slot.RecordCleared(name, derived_session(task_id)))


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--only", choices=("owner", "status"), help="only one of the two")

    options = arguments("Measure the memory of an owner, and status on a long log.", more)
    table = Table(options.json, "baseline")
    with ground("", api=False) as at:
        if options.only != "status":
            bench_owner(at, table, 1_000 if options.quick else 10_000)
        if options.only != "owner":
            bench_status(at, table, 100_000 if options.quick else STATUS_EVENTS, 2)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
