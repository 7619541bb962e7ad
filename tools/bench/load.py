"""Measure a pool under load: many clients, a long queue, many slots.

    python tools/bench/load.py           200 clients, 10,000 queued tasks, 64 slots: about six minutes
    python tools/bench/load.py --quick   20 clients, 400 tasks, 8 slots, for CI; no targets

The owner is a real process with a real log on disk. Its slots run the tests' stand-in for the CLI, each under
its keeper. The clients are connections to the owner's socket that greet as a relay does and then speak MCP;
all of them live in this process, which shares no loop with the owner.

Arrivals are open: moments are drawn ahead (a Poisson process), a client is drawn for each, and a call goes
out at its moment whether or not earlier ones were answered. A latency runs from that moment to the last byte
of the answer, so that a late generator counts against us. The phases:

  alone   one client, an idle pool: a submit, a status, one after the other. The baseline.
  fill    all clients submit faster than the slots work, and look at the status, until the queue is full.
  hold    as many tasks come as go, so that the queue stays as long; the owner's memory is watched.
  burst   all clients call in the same instant: a submit, then a status; every answer is waited for.
  drain   nothing more comes; the rest of the queue are tasks that take no time.

Exits 1 where a target is missed; targets hold for `fill` and `hold` together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, cast

from claude_pool.adapters.calling import greeting
from claude_pool.adapters.places import Places, listening

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from support import ground, pool  # noqa: E402
from tables import Row, Table, arguments, cpu_seconds, measured, ms, p50, resident_mb  # noqa: E402

from tests.support.fake_cli import fake_cli  # noqa: E402

SUBMIT_MS, STATUS_MS = 50.0, 20.0
"""Nine hundred and ninety of a thousand calls are answered within these."""
FLAT_MB_PER_MINUTE = 1.0
"""An owner whose queue stays as long as it is grows by no more."""

SLOW_SECONDS = 0.25
"""Calls that take longer are told with when they were made: a stall looks unlike a slow pool."""

SEED = 1
LINE_BYTES = 32 * 1024 * 1024
ANSWER = "[[reply: The answer is forty-two.]] What is the answer?"


@dataclass(frozen=True)
class Size:
    """How much load: tasks `queued` at most, calls a second, and how long (seconds) what lasts."""

    clients: int
    queued: int
    slots: int
    submits: float
    statuses: float
    task_seconds: float
    hold_seconds: float
    bursts: int
    alone: int


FULL = Size(200, 10_000, 64, 80.0, 25.0, 6.0, 90.0, 5, 100)
QUICK = Size(20, 400, 8, 60.0, 10.0, 1.0, 5.0, 2, 20)


@dataclass
class Tally:
    """Latencies (seconds) of the calls of one phase, by tool, and what was refused."""

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    late: list[float] = field(default_factory=list[float])
    refused: list[str] = field(default_factory=list[str])
    slow: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])


class Client:
    """One connection to the owner that speaks MCP lines; calls overlap as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The welcome has been read."""
        self._reader, self._writer = reader, writer
        self._numbers = count(1)
        self._open: dict[int, asyncio.Future[tuple[float, dict[str, Any]]]] = {}
        self._hearing = asyncio.create_task(self._hear())

    @classmethod
    async def connected(cls, places: Places) -> Client:
        """Greet as a relay does, and shake hands."""
        reader, writer = await asyncio.open_unix_connection(listening(places), limit=LINE_BYTES)
        writer.write(json.dumps(greeting("relay")).encode() + b"\n")
        welcome = json.loads(await reader.readline())
        if not welcome.get("ok"):
            raise RuntimeError(f"the owner refused a client: {welcome}")
        client = cls(reader, writer)
        who = {"name": "load", "version": "1"}
        await client.request(
            "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who}
        )
        client._say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return client

    async def request(self, method: str, params: dict[str, object]) -> tuple[float, dict[str, Any]]:
        """When (`perf_counter`) the answer was there, and the answer."""
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        self._say({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return await answer

    async def call(self, tool: str, due: float, tally: Tally, **given: object) -> dict[str, Any]:
        """Call a tool that was to be called at `due`; its structured result, empty where it refused."""
        tally.late.append(time.perf_counter() - due)
        heard, message = await self.request("tools/call", {"name": tool, "arguments": given})
        tally.seconds.setdefault(tool, []).append(heard - due)
        if heard - due > SLOW_SECONDS:
            tally.slow.append((due, heard - due))
        result = cast("dict[str, Any]", message.get("result") or {"isError": True, "content": [message]})
        if result.get("isError"):
            tally.refused.append(str(result["content"][0]))
            return {}
        return cast("dict[str, Any]", result["structuredContent"])

    async def close(self) -> None:
        """Leave."""
        self._hearing.cancel()
        self._writer.close()
        await self._writer.wait_closed()

    def _say(self, message: dict[str, object]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _hear(self) -> None:
        while line := await self._reader.readline():
            now = time.perf_counter()
            message = json.loads(line)
            if "method" not in message and (answer := self._open.pop(message["id"], None)):
                answer.set_result((now, message))


@dataclass
class Load:
    """The clients at one owner, and what they have submitted."""

    size: Size
    clients: list[Client]
    owner: int
    chance: Random
    submitted: int = 0
    rss: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    async def status(self) -> dict[str, Any]:
        """The pool's status, unmeasured."""
        return await self.clients[0].call("pool_status", time.perf_counter(), Tally())

    async def submit(self, client: Client, due: float, tally: Tally) -> None:
        """Submit a task. The first ones take time; the last of the queue take none."""
        number = self.submitted
        self.submitted += 1
        lasting = number < self.size.queued // 4
        usual = self.size.task_seconds
        prompt = f"[[delay: {self.chance.uniform(500, 1500) * usual:.0f}ms]]{ANSWER}" if lasting else ANSWER
        await client.call("pool_submit", due, tally, prompt=prompt, tags=[f"client-{number % 20}"])

    async def arrive(self, seconds: float, submits: float, statuses: float, tally: Tally) -> None:
        """Have calls arrive for so long, at so many a second."""
        going: list[asyncio.Task[Any]] = []
        total, now = submits + statuses, time.perf_counter()
        end, due = now + seconds, now
        while (due := due + self.chance.expovariate(total)) < end:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            client = self.chance.choice(self.clients)
            call: Coroutine[Any, Any, Any] = (
                self.submit(client, due, tally)
                if self.chance.random() * total < submits
                else client.call("pool_status", due, tally)
            )
            going.append(asyncio.create_task(call))
        await asyncio.gather(*going)

    async def watch_memory(self) -> None:
        """Note the owner's memory every second, until cancelled."""
        while True:
            self.rss.append((time.perf_counter(), resident_mb(self.owner)))
            await asyncio.sleep(1)


async def alone(load: Load, table: Table) -> dict[str, list[float]]:
    """One client at an idle pool."""
    tally, client = Tally(), load.clients[0]
    for _ in range(load.size.alone):
        due = time.perf_counter()
        view = await client.call("pool_submit", due, tally, prompt=ANSWER)
        await client.call("pool_wait", time.perf_counter(), Tally(), task_ids=[view["task_id"]])
        await asyncio.sleep(0.05)
        await client.call("pool_status", time.perf_counter(), tally)
    _report(table, "alone", tally, {}, bound=False)
    return tally.seconds


async def fill_and_hold(load: Load, table: Table, baseline: dict[str, list[float]]) -> None:
    """The two phases that the targets are about."""
    size, tally = load.size, Tally()
    began, used = time.perf_counter(), cpu_seconds(load.owner)
    while (queue := await load.status())["pending_tasks"] < size.queued:
        left = size.queued - queue["pending_tasks"]
        await load.arrive(max(0.5, min(5.0, left / size.submits)), size.submits, size.statuses, tally)
    took, calls = time.perf_counter() - began, sum(map(len, tally.seconds.values()))
    done = queue["completed_tasks"]
    table.add(Row("fill: calls", f"{calls:,}", "", "", f"in {took:.0f} s, {done:,} tasks done"))
    busy = (cpu_seconds(load.owner) - used) / took
    table.add(Row("  owner's share of one processor", f"{busy:.2f}"))
    _report(table, "fill", tally, baseline, bound=False)
    held = Tally()
    began, used, before = time.perf_counter(), cpu_seconds(load.owner), await load.status()
    rate = size.slots / size.task_seconds * 0.95
    await load.arrive(size.hold_seconds, rate, size.statuses, held)
    took, after = time.perf_counter() - began, await load.status()
    done = after["completed_tasks"] - before["completed_tasks"]
    queued = f"{before['pending_tasks']:,} to {after['pending_tasks']:,} queued"
    table.add(Row("hold: tasks", f"{done / took:.1f}/s", "", "", f"for {took:.0f} s, {queued}"))
    table.add(Row("  owner's share of one processor", f"{(cpu_seconds(load.owner) - used) / took:.2f}"))
    _report(table, "hold", held, baseline, bound=False)
    slope = _slope([(at, mb) for at, mb in load.rss if at >= began + size.hold_seconds * 0.2]) * 60
    target = f"<= {FLAT_MB_PER_MINUTE:g} MB/min"
    met = slope <= FLAT_MB_PER_MINUTE if size == FULL else None
    first, last = load.rss[0][1], load.rss[-1][1]
    table.add(Row("  owner's memory, slope", f"{slope:+.2f} MB/min", "", "", target, met))
    table.add(Row("  owner's memory, at the end of hold", f"{last:.1f} MB", f"{first:.1f} MB"))
    for tool, seconds in held.seconds.items():
        tally.seconds[tool] += seconds
    tally.late += held.late
    tally.refused += held.refused
    _report(table, "fill and hold", tally, baseline, bound=size == FULL)


async def burst(load: Load, table: Table, baseline: dict[str, list[float]]) -> None:
    """All clients at once, some times."""
    tally = Tally()
    for _ in range(load.size.bursts):
        now = time.perf_counter()
        await asyncio.gather(*(load.submit(client, now, tally) for client in load.clients))
        await asyncio.sleep(0.5)
        now = time.perf_counter()
        await asyncio.gather(*(client.call("pool_status", now, tally) for client in load.clients))
        await asyncio.sleep(0.5)
    _report(table, f"burst of {len(load.clients)}", tally, baseline, bound=False)


async def drain(load: Load, table: Table) -> None:
    """The rest of the queue, as fast as it goes; tasks a second by the length of the queue."""
    marks: list[tuple[float, float, int, int]] = []
    while True:
        status = await load.status()
        left = status["pending_tasks"] + status["running_tasks"]
        marks.append((time.perf_counter(), cpu_seconds(load.owner), status["completed_tasks"], left))
        if not left:
            break
        await asyncio.sleep(1)
    quick = [mark for mark in marks if mark[3] <= load.size.queued // 2]
    for name, part in (("long", quick[: len(quick) // 2]), ("short", quick[len(quick) // 2 :])):
        if len(part) > 1:
            (began, used, done, queued), (ended, used_then, done_then, left) = part[0], part[-1]
            per_task = (used_then - used) / max(1, done_then - done)
            rate = f"{(done_then - done) / (ended - began):.0f}/s"
            note = f"{queued:,} to {left:,} left, {ms(per_task)} of the owner's processor a task"
            table.add(Row(f"drain: {name} queue", rate, "", "", note))
    table.add(
        Row("owner's memory, all done", f"{resident_mb(load.owner):.1f} MB", f"{load.rss[0][1]:.1f} MB")
    )


def _report(table: Table, phase: str, tally: Tally, baseline: dict[str, list[float]], *, bound: bool) -> None:
    for tool, most in (("pool_submit", SUBMIT_MS), ("pool_status", STATUS_MS)):
        seconds = tally.seconds[tool]
        usual = baseline.get(tool)
        for name, value in (("p50", p50(seconds)), ("p99", p99(seconds))):
            than = (p50 if name == "p50" else p99)(usual) if usual else 0.0
            aimed = bound and name == "p99"
            table.add(
                Row(
                    f"{phase}: {tool} {name}", ms(value), ms(than) if than else "",
                    f"x {value / than:.1f}" if than else "", f"<= {most:g} ms" if aimed else "",
                    value * 1000 <= most if aimed else None,
                )
            )  # fmt: skip
    if tally.refused:
        table.add(Row(f"{phase}: refused", str(len(tally.refused)), "", "", tally.refused[0][:80], False))
    if tally.slow:
        first, last = tally.slow[0][0], tally.slow[-1][0]
        moments = sorted({int(due - first) for due, _ in tally.slow})
        worst = ms(max(seconds for _, seconds in tally.slow))
        note = f"in {len(moments)} different seconds of {last - first:.0f}"
        table.add(Row(f"  {phase}: calls above {SLOW_SECONDS:g} s", str(len(tally.slow)), worst, "", note))
    if bound:
        table.add(Row("  the generator's own lateness, p99", ms(p99(tally.late))))


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[-1] if len(values) > 1 else values[0]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


async def under_load(size: Size, places: Places, owner: int, table: Table) -> None:
    """All phases."""
    clients = [await Client.connected(places) for _ in range(size.clients)]
    load = Load(size, clients, owner, Random(SEED))
    watching = asyncio.create_task(load.watch_memory())
    try:
        baseline = await alone(load, table)
        await fill_and_hold(load, table, baseline)
        await burst(load, table, baseline)
        await drain(load, table)
    finally:
        watching.cancel()
        await asyncio.gather(*(client.close() for client in clients))


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hold", type=float, metavar="SECONDS", help="how long the queue stays full")
    parser.add_argument("--queued", type=int, metavar="TASKS", help="how long the queue gets")


def work() -> int:
    """Run the benchmark."""
    given = arguments(__doc__ or "", _more)
    size = QUICK if given.quick else FULL
    size = replace(size, hold_seconds=given.hold or size.hold_seconds, queued=given.queued or size.queued)
    table = Table(given.json, "alone")
    with ground("", api=False) as at:
        program = str(fake_cli(at.folder))
        with pool(at, slots=size.slots, program=program, flags=["--max-slots", str(size.slots)]) as running:
            print(
                f"{size.clients} clients, {size.slots} slots, up to {size.queued:,} queued", file=sys.stderr
            )
            asyncio.run(under_load(size, running.places, running.owner, table))
    return table.finish()


if __name__ == "__main__":
    sys.exit(measured(work))
