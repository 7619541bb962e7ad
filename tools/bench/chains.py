"""Measure how soon a chain's next step follows the one before it, and that long work leaves no memory behind.

    python tools/bench/chains.py           chains of 100 steps, a fan-out of 500 tasks
    python tools/bench/chains.py --quick   chains of 20 steps, a fan-out of 100 tasks, for CI

The handover is what lies between the line with which the CLI ends one step and the write of the next step's
prompt into a CLI's input, taken inside a pool in this process with real slots and a log on disk. With two
slots the other one is idle and cleared by then; with one slot the same process has to be cleared first, for
which a raw process of the same CLI is the baseline. Exits 1 where a target is missed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from claude_pool.adapters.claude.process import SlotProcess
from claude_pool.adapters.claude.slot import WarmSlot
from claude_pool.adapters.origins import CALLER
from claude_pool.adapters.requests import ChainRequest, StepRequest, TaskRequest
from claude_pool.adapters.wiring import open_pool
from raw import RawPipe
from support import MODEL, PROMPT, Ground, Pool, cli, ground, pool
from tables import Row, Table, arguments, measured, ms, p50, p90, resident_mb

OTHER_SLOT_MS = 15.0
SAME_SLOT_MS = 35.0
GROWTH_MB = 12.0
"""So much may the owner grow: what the 500 tasks that finished last take, and noise of the allocator."""


class Handovers:
    """The times between the end of one turn and the next prompt, seen at the pipes."""

    def __init__(self) -> None:
        """Watch all slots of this process from now on."""
        self.seconds: list[float] = []
        self._ended: float | None = None
        hear: Any = WarmSlot._on_line  # pyright: ignore[reportPrivateUsage]
        write: Any = SlotProcess.write
        watch = self

        def on_line(slot: WarmSlot, line: bytes) -> None:
            if b'"type":"result"' in line and b'"num_turns":0' not in line:
                watch._ended = time.perf_counter()
            hear(slot, line)

        def on_write(process: SlotProcess, line: bytes) -> None:
            write(process, line)
            if b'"type": "user"' in line and b'"/clear"' not in line and watch._ended is not None:
                watch.seconds.append(time.perf_counter() - watch._ended)
                watch._ended = None

        setattr(WarmSlot, "_on_line", on_line)  # noqa: B010
        setattr(SlotProcess, "write", on_write)  # noqa: B010


def _request(steps: int) -> ChainRequest:
    work = TaskRequest(f"{PROMPT} {{previous_output}}")
    return ChainRequest(tuple(StepRequest(f"s{number}", work) for number in range(steps)))


async def handovers(at: Ground, slots: int, steps: int) -> list[float]:
    """Seconds between the steps of one chain on so many slots."""
    watch = Handovers()
    async with open_pool(
        slots=slots,
        model=MODEL,
        working_dir=str(at.project),
        state_dir=str(at.folder / f"handover-{slots}"),
        claude=at.cli,
        environ=at.environment,
    ) as application:
        await application.fan_out([TaskRequest(PROMPT)] * 2 * slots)
        view = await application.chains.run(_request(steps), CALLER, 600)
        if view["state"] != "completed":
            raise RuntimeError(f"the chain did not complete: {view['error']}")
    return watch.seconds[-(steps - 1) :]


def bench_handover(at: Ground, table: Table, steps: int) -> None:
    """How soon the next step follows."""
    with RawPipe(at) as raw:
        clears: list[float] = []
        for _ in range(10):
            raw.turn()
            clears.append(raw.clear())
    for slots, target, what in (
        (2, OTHER_SLOT_MS, "next step in another slot, idle and cleared"),
        (1, SAME_SLOT_MS, "next step in the same slot"),
    ):
        seconds = asyncio.run(handovers(at, slots, steps))
        took = p50(seconds) * 1000
        clear = p50(clears) if slots == 1 else None
        table.add(
            Row(
                f"{what}, p50",
                ms(p50(seconds)),
                ms(clear) if clear is not None else "",
                f"+{(p50(seconds) - clear) * 1000:.1f} ms" if clear is not None else "",
                f"<= {target:.0f} ms",
                took <= target,
            )
        )
        table.add(Row(f"{what}, p90", ms(p90(seconds))))


def bench_memory(at: Ground, table: Table, steps: int, tasks: int) -> None:
    """An owner's memory over a long chain and a wide fan-out on 4 slots."""
    with pool(at, slots=4) as running:
        running.fan_out(20)
        before = resident_mb(running.owner)
        began = time.perf_counter()
        _chain(running, steps)
        chained = time.perf_counter() - began
        after_chain = resident_mb(running.owner)
        table.add(Row(f"chain of {steps} steps, on 4 slots", f"{chained:.1f} s", "", ms(chained / steps)))
        took = running.fan_out(tasks)
        table.add(Row(f"fan-out of {tasks} tasks, on 4 slots", f"{took:.1f} s", "", f"{tasks / took:.1f}/s"))
        running.fan_out(tasks)
        after = resident_mb(running.owner)
    table.add(Row("owner, before", f"{before:.1f} MB"))
    table.add(Row("owner, after the chain", f"{after_chain:.1f} MB", f"{before:.1f} MB"))
    grown = after - before
    what = f"owner, after {2 * tasks} tasks more"
    limit = f"<= +{GROWTH_MB:.0f} MB"
    table.add(Row(what, f"{after:.1f} MB", f"{before:.1f} MB", f"{grown:+.1f} MB", limit, grown <= GROWTH_MB))


def _chain(running: Pool, steps: int) -> None:
    given = [{"name": f"s{number}", "prompt": f"{PROMPT} {{previous_output}}"} for number in range(steps)]
    view = running.coordinator.call("pool_chain", steps=given, wait_seconds=600)
    if view["state"] != "completed":
        raise RuntimeError(f"the chain did not complete: {view['error']}")


def main() -> int:
    """Measure and print; the exit code."""

    options = arguments("Measure handovers between the steps of chains, and memory over long work.")
    program = cli(options.claude)
    table = Table(options.json, "baseline")
    with ground(program) as at:
        steps, tasks = (20, 100) if options.quick else (100, 500)
        bench_handover(at, table, steps)
        bench_memory(at, table, steps, tasks)
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(main))
