"""The two CLIs that must agree: the fake, and the real one against the scripted API."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.cli_process import CliProcess, running_cli
from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.real_cli import bundled_cli, cli_environment

BYPASS = ("--permission-mode=bypassPermissions",)


def nanodollars(dollars: float) -> int:
    """A cost that can be compared exactly."""
    return round(dollars * 1e9)


@dataclass
class Bench:
    """Starts one kind of CLI, always in the same home and folder."""

    program: Path
    environment: dict[str, str]
    folder: Path
    stack: ExitStack

    def start(self, *flags: str, **variables: str | None) -> CliProcess:
        """A CLI with haiku, no settings and no retries; a variable that is None is left out."""
        environment = {
            **self.environment,
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
            **variables,
        }
        given = {name: value for name, value in environment.items() if value is not None}
        usual = ["--setting-sources=", "--strict-mcp-config"]
        if not any(flag.startswith("--model=") for flag in flags):
            usual.append("--model=haiku")
        return self.stack.enter_context(running_cli(self.program, given, self.folder, [*usual, *flags]))


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Bench]:
    """Either CLI."""
    with ExitStack() as stack:
        if request.param == "fake":
            yield Bench(fake_cli(tmp_path), fake_environment(tmp_path), tmp_path, stack)
        else:
            api = stack.enter_context(running_api())
            yield Bench(bundled_cli(), cli_environment(tmp_path, api.url), tmp_path, stack)
