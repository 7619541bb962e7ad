"""A driver on a CLI, real or fake, with everything that a test asks about it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from claude_pool.adapters.claude.driver import ClaudeDriver, DriverSettings
from claude_pool.adapters.claude.locate import inspect
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.claude.slot_terms import SlotLimits
from claude_pool.adapters.demo.directives import Usage
from claude_pool.adapters.demo.scripted_api import ScriptedApi
from claude_pool.domain.ports import Launch, ProcessEnd, Turn, TurnReport
from claude_pool.domain.prices import Served, microdollars
from claude_pool.domain.values import Outcome

from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.waiting import until

SLOT = "slot-0"


@dataclass(frozen=True)
class Call:
    """One model call: the model, the prompt it answered, and what was served for it."""

    model: str
    prompt: str
    served: Usage


@dataclass
class Bench:
    """One slot under a driver. Attempts are numbered; `exits` and `strays` hold what the driver told.

    A turn asks for what the last launch had, where a test does not say otherwise.
    """

    driver: ClaudeDriver
    settings: DriverSettings
    cwd: Path
    calls: Callable[[], list[Call]]
    exits: list[ProcessEnd] = field(default_factory=list[ProcessEnd])
    strays: list[Outcome] = field(default_factory=list[Outcome])
    launched: Turn = Turn("", "", "")
    attempts: int = 0
    launches: int = 0

    async def launch(
        self,
        *,
        session: str | None = None,
        resume: str | None = None,
        fork: bool = False,
        model: str | None = "haiku",
        effort: str | None = None,
        permission_mode: str | None = "default",
        append_system_prompt: str | None = None,
        json_schema: str | None = None,
        max_turns: int | None = None,
        allowed_tools: tuple[str, ...] = (),
    ) -> int:
        """Launch the slot; the CLI's pid."""
        self.launches += 1
        self.launched = Turn("", "", "", model, effort, permission_mode)
        launched = await self.driver.launch(
            Launch(
                slot_id=SLOT,
                number=self.launches,
                session=session or str(uuid4()),
                cwd=str(self.cwd),
                resume=resume,
                fork=fork,
                model=model,
                effort=effort,
                permission_mode=permission_mode,
                append_system_prompt=append_system_prompt,
                json_schema=json_schema,
                max_turns=max_turns,
                allowed_tools=allowed_tools,
            )
        )
        return launched.pid

    async def run(
        self,
        prompt: str,
        *,
        model: str | None = None,
        effort: str | None = None,
        permission_mode: str | None = None,
        budget: int | None = None,
        margin: int = 0,
        on_spend: Callable[[str, int], None] = lambda _attempt, _metered: None,
        first_output_ms: int = 20_000,
        silence_ms: int = 20_000,
        tool_silence_ms: int = 60_000,
        asks: bool = False,
    ) -> TurnReport:
        """Run one turn to its end."""
        turn = Turn(
            attempt=self.next_attempt(),
            session="",
            prompt=prompt,
            model=model or self.launched.model,
            effort=effort or self.launched.effort,
            permission_mode=permission_mode or self.launched.permission_mode,
            budget=budget,
            margin=margin,
            first_output_ms=first_output_ms,
            silence_ms=silence_ms,
            tool_silence_ms=tool_silence_ms,
            asks=asks,
        )
        return await self.driver.run(SLOT, turn, on_spend)

    def next_attempt(self) -> str:
        """The id of the attempt that the next `run` makes."""
        self.attempts += 1
        return f"task-{self.attempts}.1"

    @property
    def attempt(self) -> str:
        """The id of the attempt that runs, or ran last."""
        return f"task-{self.attempts}.1"

    async def run_and_interrupt(self, prompt: str, when: Callable[[], bool] | None = None) -> TurnReport:
        """Run a turn and interrupt it: `when` something is so, else as soon as tokens are served."""
        served = asyncio.Event()
        turn = asyncio.create_task(
            self.run(prompt, budget=1, on_spend=lambda _attempt, _metered: served.set())
        )
        async with asyncio.timeout(20):
            await served.wait()
        if when is not None:
            await until(when)
        await self.driver.interrupt(SLOT, self.attempt)
        return await turn

    def printed(self) -> list[dict[str, Any]]:
        """The lines that the slot printed for the attempt that ran last."""
        path = self.settings.transcripts_dir / f"{self.attempt}.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def bill(self, first: int = 0) -> int:
        """What the calls from index `first` on cost by the price list, in microdollars."""
        prices = price_list()
        return microdollars(sum(prices.cost(call.model, _served(call)) for call in self.calls()[first:]))


@asynccontextmanager
async def fake_bench(
    folder: Path, persona: str = "normal", limits: SlotLimits | None = None
) -> AsyncGenerator[Bench]:
    """A driver on the fake CLI, in `folder`, closed at the end."""
    calls = folder / "calls.jsonl"
    program = fake_cli(folder, persona, calls=calls)
    environment = fake_environment(folder / "home")
    async with _bench(folder, str(program), environment, lambda: _read_calls(calls), limits) as bench:
        yield bench


@asynccontextmanager
async def real_bench(folder: Path, limits: SlotLimits | None = None) -> AsyncGenerator[Bench]:
    """A driver on the real CLI against a scripted API, in `folder`, closed at the end.

    `CLAUDE_POOL_TEST_CLAUDE` names another CLI than the bundled one, to see what it makes of the contract.
    """
    program = os.environ.get("CLAUDE_POOL_TEST_CLAUDE") or str(bundled_cli())
    async with ScriptedApi() as api:
        environment = cli_environment(folder / "home", api.url)

        def calls() -> list[Call]:
            return [Call(call.model, call.prompt, call.served) for call in api.calls]

        async with _bench(folder, program, environment, calls, limits) as bench:
            yield bench


@asynccontextmanager
async def _bench(
    folder: Path,
    program: str,
    environment: Mapping[str, str],
    calls: Callable[[], list[Call]],
    limits: SlotLimits | None,
) -> AsyncGenerator[Bench]:
    cwd, transcripts = folder / "work", folder / "transcripts"
    cwd.mkdir()
    with TemporaryDirectory(prefix="cp-") as runtime:  # short, because sockets lie in it
        settings = DriverSettings(
            cli=inspect(program, environment),
            pool=f"test-{uuid4()}",
            environ=environment,
            runtime_dir=Path(runtime),
            transcripts_dir=transcripts,
            prices=price_list(),
            limits=limits or SlotLimits(),
        )
        driver = ClaudeDriver(settings)
        bench = Bench(driver, settings, cwd, calls)
        driver.on_exit(lambda _slot, end: bench.exits.append(end))
        driver.on_stray(lambda _slot, outcome: bench.strays.append(outcome))
        try:
            yield bench
        finally:
            await driver.close()


def _served(call: Call) -> Served:
    served = call.served
    return Served(served.input, served.output, served.cache_read, served.cache_write, served.cache_write_1h)


def _read_calls(path: Path) -> list[Call]:
    """The calls in a file that holds each of them twice: when it arrived and when it ended."""
    calls: dict[tuple[int, float], Call] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        calls[row["number"], row["at"]] = Call(row["model"], row["prompt"], Usage(**row["served"]))
    return list(calls.values())
