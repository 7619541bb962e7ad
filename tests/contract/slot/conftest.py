"""A slot driver to play scenes on: what it promises holds of the real CLI and of the fake one alike."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.slot_scenes import OPENERS, Play, Scene, play_on
from tests.unit.adapters.claude.bench import SLOT


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene on a driver of its own."""
    opener = OPENERS[request.param]
    return lambda scene: play_on(opener, tmp_path, scene)


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.real)])
def again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Play]:
    """Runs scenes on a slot that is launched once for all of them; each begins with a new conversation in an
    empty folder."""
    opened = OPENERS[request.param](tmp_path_factory.mktemp("slot"))
    with asyncio.Runner() as runner:
        bench = runner.run(opened.__aenter__())
        try:
            runner.run(bench.launch())

            async def show(scene: Scene) -> None:
                await bench.driver.clear(SLOT)
                for left in bench.cwd.iterdir():
                    left.unlink()
                await scene(bench)

            yield lambda scene: runner.run(show(scene))
        finally:
            runner.run(opened.__aexit__(None, None, None))
