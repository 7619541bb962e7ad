"""Scenes on a slot driver, and what its turns said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from claude_pool.domain.ports import TurnReport
from claude_pool.domain.values import End

from tests.unit.adapters.claude.bench import Bench, fake_bench, real_bench

Scene = Callable[[Bench], Awaitable[None]]
Play = Callable[[Scene], None]
Opener = Callable[[Path], AbstractAsyncContextManager[Bench]]
OPENERS: dict[str, Opener] = {"fake": fake_bench, "real": real_bench}
SLOW_ANSWER = "[[reply: one two three four five six seven eight]] [[slow: 1s x 60]]"


def play_on(opener: Opener, folder: Path, scene: Scene) -> None:
    """Run a scene on the driver that `opener` makes in `folder`."""

    async def show() -> None:
        async with opener(folder) as bench:
            await scene(bench)

    asyncio.run(show())


def output(report: TurnReport) -> str:
    """The text of a turn that must have succeeded."""
    assert report.outcome.end is End.SUCCEEDED, report.outcome
    return report.outcome.output.inline or ""


def recalled(report: TurnReport) -> list[str]:
    """The earlier prompts of the conversation, as a `[[recall]]` answers them."""
    prompts: list[str] = json.loads(output(report))
    return prompts
