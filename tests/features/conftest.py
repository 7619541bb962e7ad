"""Scenarios: each through the service on the stand-in CLI; by tag on the real one and by the command too."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api

from tests.features.steps.chains import *  # noqa: F403
from tests.features.steps.context import *  # noqa: F403
from tests.features.steps.files import *  # noqa: F403
from tests.features.steps.log import *  # noqa: F403
from tests.features.steps.messages import *  # noqa: F403
from tests.features.steps.money import *  # noqa: F403
from tests.features.steps.pool import *  # noqa: F403  # step definitions are fixtures under made-up names
from tests.features.steps.protocol import *  # noqa: F403
from tests.features.steps.questions import *  # noqa: F403
from tests.features.steps.review import *  # noqa: F403
from tests.features.steps.slots import *  # noqa: F403
from tests.features.steps.tasks import *  # noqa: F403
from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.feature_results import remember
from tests.support.pool_command import CommandPool
from tests.support.pool_leftovers import processes_of
from tests.support.pool_level import Level
from tests.support.pool_loop import LoopThread
from tests.support.pool_plan import Plan
from tests.support.pool_scene import Scene
from tests.support.pool_service import ServicePool, SlotProgram
from tests.support.pool_steps import forbid_async_steps as pytest_bdd_before_step_call
from tests.support.real_cli import bundled_cli, cli_environment

__all__ = ["pytest_bdd_before_step_call"]

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("real", "cli")
"""Tags that make a scenario run another time, on another level."""

_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Know the mark that carries such a tag to `pytest_generate_tests`."""
    config.addinivalue_line("markers", "level(name): the scenario also runs on this level")


def pytest_bdd_apply_tag(tag: str, function: Callable[..., object]) -> bool | None:
    """Keep the level a mark of its own, so that `-m real` selects the runs on that level only."""
    if tag not in LEVELS:
        return None
    pytest.mark.level(tag)(function)
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a scenario for each of its levels."""
    if "_pytest_bdd_example" in metafunc.fixturenames:
        tagged = {mark.args[0] for mark in metafunc.definition.iter_markers("level")}
        levels = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in LEVELS if name in tagged]
        metafunc.parametrize("level", ["service", *levels], indirect=True)


@pytest.fixture(autouse=True)
def level(request: pytest.FixtureRequest) -> str:
    """The level of this run. All scenarios have one, so that `pytest_generate_tests` can give them more."""
    name: str = getattr(request, "param", "service")
    remember(request.node, ROOT, name)
    return name


@pytest.fixture(scope="session")
def pool_loop() -> Generator[LoopThread]:
    """The loop that all pools of the session run in, one after another."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def model_api() -> Generator[ScriptedApi]:
    """The model's side for the real CLI."""
    with running_api() as api:
        yield api


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder with a short path, for sockets. Fails where a process that was started for it is left."""
    path = Path(tempfile.mkdtemp(prefix="cp-", dir="/tmp"))
    (path / "home").mkdir()
    yield path
    left = processes_of(path)
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path, ignore_errors=True)
    assert not left, f"left behind: {left}"


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, level: str, folder: Path, pool_loop: LoopThread
) -> Generator[Scene]:
    """What the scenario plays in."""

    def open_pool(plan: Plan) -> Level:
        program = _program(request, level, folder, plan)
        if level == "cli":
            return CommandPool(folder, program, plan)
        return ServicePool(pool_loop, folder, program, plan)

    opened = Scene(folder, f"scene-{next(_numbers)}", open_pool)
    yield opened
    opened.close()


def _program(request: pytest.FixtureRequest, level: str, folder: Path, plan: Plan) -> SlotProgram:
    home = folder / "home"
    if level == "real":
        api: ScriptedApi = request.getfixturevalue("model_api")
        program = SlotProgram(bundled_cli(), cli_environment(home, api.url))
    else:
        program = SlotProgram(fake_cli(folder, plan.persona), fake_environment(home))
    return program if plan.cli else SlotProgram(folder / "no-such-cli", program.environment)
