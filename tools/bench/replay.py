"""Measure how a long log is folded and read: all of it, and from its snapshot.

    python tools/bench/replay.py               a log of 1,000,000 events
    python tools/bench/replay.py --quick       50,000 events, for CI
    python tools/bench/replay.py --state DIR   the log of `history.py` that lies there already

Every row is a process of its own, without an owner. Times are processor time, which other work disturbs less
than it does the clock; the clock's are the time to the first line, and that of a fold by two processes. The
baseline of a fold is a process that only reads and decodes every event; that of a command is
`claude-pool --help`. Exits 1 where a target of a log of 1,000,000 events is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from claude_pool.adapters.places import Places, prepare
from claude_pool.adapters.store.reader import open_reader
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.store.snapshots import snapshot_of

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from history import EVENTS, write_history  # noqa: E402
from tables import Row, Table, arguments, measured  # noqa: E402

FOLD_SECONDS = 6.0
FIRST_SECONDS = 0.3
LOOK_SECONDS = 0.5
MEMORY_MB = 200.0

_OPEN = (
    "import sys; from pathlib import Path;"
    "from claude_pool.adapters.store.reader import open_reader;"
    "from claude_pool.adapters.store.registry import default_codec;"
    "path = Path(sys.argv[1]); log = open_reader(path, default_codec());"
)
DECODE = _OPEN + "print(sum(1 for _ in log.read_events()))"
WHOLE = (
    "import sys; from pathlib import Path; from claude_pool.adapters.store.folding import whole_view;"
    "print(whole_view(Path(sys.argv[1]), int(sys.argv[2])).position)"
)
FOLD = _OPEN + (
    "from claude_pool.domain.world import World; world = World();\n"
    "for position, stream, version, event, *_ in log.read_events():\n"
    "    world.apply(position, stream, version, event)\n"
    "from claude_pool.adapters.store.snapshots import Snapshot, save_snapshot\n"
    "assert len(sys.argv) < 3 or save_snapshot(path, Snapshot(world, log.head(), 0))"
)
LOAD = (
    "import sys; from pathlib import Path; from claude_pool.adapters.places import Places;"
    "from claude_pool.adapters.store.opening import open_store;"
    "from claude_pool.adapters.service import Service;"
    "from claude_pool.adapters.system import RealSystem; state = str(Path(sys.argv[1]).parent);"
    "store = open_store(Places(state, state + '/socket', state, state));"
    "service = Service(store.log, RealSystem()); service.kept_view.load = store.load_snapshot;"
    "print(service.load().position)"
)


class Used(NamedTuple):
    """What a process took: seconds of a processor, seconds by the clock, and MB of memory at its peak."""

    cpu: float
    wall: float
    memory: float


def used(command: Sequence[str], *, first_line: bool = False) -> Used:
    """Run a process to its end, or only until its first line."""
    out = subprocess.PIPE if first_line else subprocess.DEVNULL
    began = time.perf_counter()
    wall = 0.0
    with subprocess.Popen(command, stdout=out) as process:
        if process.stdout is not None:
            assert process.stdout.readline()
            wall = time.perf_counter() - began
            process.kill()
        _, status, resources = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not first_line:
        wall = time.perf_counter() - began
        assert process.returncode == 0, command
    return Used(resources.ru_utime + resources.ru_stime, wall, resources.ru_maxrss / 1024)


def bench(table: Table, log: Path, rounds: int) -> None:
    """All rows for one log."""
    script = str(Path(sys.executable).with_name("claude-pool"))
    command = [script, "--state-dir", str(log.parent)]
    python = [sys.executable, "-P", "-c"]
    with open_reader(log, default_codec()) as reader:
        events = reader.head().position
        task_id = reader.index.list_tasks(state="failed", limit=1)[0].task_id
    held = events >= EVENTS
    snapshot_of(log).unlink(missing_ok=True)
    times = range(rounds)
    fold = min(used([*python, FOLD, str(log)]) for _ in times)
    raw = min(used([*python, DECODE, str(log)]) for _ in times)
    _row(table, f"{events:,} events: full fold by one process", fold.cpu, raw.cpu, None)
    _memory(table, "  its memory", fold.memory, raw.memory, held)
    whole = min((used([*python, WHOLE, str(log), str(events)]) for _ in times), key=lambda each: each.wall)
    _row(table, "full fold by two, by the clock", whole.wall, raw.wall, FOLD_SECONDS if held else None)
    empty = min(used([script, "--help"]) for _ in times)
    status = min(used([*command, "status"]) for _ in times)
    _row(table, "status without a snapshot", status.cpu, raw.cpu, None)
    first = min((used([*command, "replay"], first_line=True) for _ in times), key=lambda each: each.wall)
    clock = min((used([script, "--help"]) for _ in times), key=lambda each: each.wall)
    _row(table, "first line of replay, by the clock", first.wall, clock.wall, FIRST_SECONDS)
    used([*python, FOLD, str(log), "keep"])
    for name, verb in (("status", ["status"]), ("why ID", ["why", task_id]), ("tasks", ["tasks"])):
        took = min(used([*command, *verb]) for _ in times)
        target = None if name == "tasks" else LOOK_SECONDS
        _row(table, f"{name}, from a snapshot", took.cpu, empty.cpu, target)
    load = min(used([*python, LOAD, str(log)]) for _ in times)
    _row(table, "an owner's load, from a snapshot", load.cpu, empty.cpu, None)
    lines = used([*command, "replay"])
    _row(table, "replay, every line", lines.cpu, raw.cpu, None)
    _memory(table, "  its memory", lines.memory, raw.memory, held)


def _row(table: Table, what: str, ours: float, baseline: float, target: float | None) -> None:
    met = None if target is None else ours <= target
    bound = "" if target is None else f"<= {target:g} s"
    relation = f"x {ours / baseline:.2f}"
    table.add(Row(what, f"{ours:.2f} s", f"{baseline:.2f} s", relation, bound, met))


def _memory(table: Table, what: str, ours: float, baseline: float, held: bool) -> None:
    bound = f"<= {MEMORY_MB:.0f} MB" if held else ""
    met = ours <= MEMORY_MB if held else None
    table.add(Row(what, f"{ours:.0f} MB", f"{baseline:.0f} MB", f"x {ours / baseline:.2f}", bound, met))


def main() -> int:
    """Measure and print; the exit code."""

    def more(parser: ArgumentParser) -> None:
        parser.add_argument("--state", metavar="DIR", help="a state directory written by history.py")

    options = arguments("Measure folds and looks at a long log.", more)
    with TemporaryDirectory() as name:
        state = Path(options.state or name).absolute()
        places = Places(str(state), str(state / "socket"), str(state), str(state))
        if options.state is None:
            prepare(places)
            write_history(Path(places.log), 50_000 if options.quick else EVENTS)
        table = Table(options.json, "baseline")
        bench(table, Path(places.log), 2)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
