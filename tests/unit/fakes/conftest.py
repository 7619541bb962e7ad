"""The two CLIs that must agree: the fake, and the real one against the scripted API."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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


@dataclass
class Warm:
    """Lends processes that are started once for all tests of a module, each time with a new conversation.

    For what a turn says and costs, which no earlier turn of the same process changes.
    """

    bench: Bench
    running: dict[tuple[str, ...], CliProcess] = field(default_factory=dict[tuple[str, ...], CliProcess])

    @property
    def folder(self) -> Path:
        """Where the processes run."""
        return self.bench.folder

    def start(self, *flags: str) -> CliProcess:
        """A process with these flags that has said nothing yet."""
        if flags in self.running:
            self.running[flags].begin_again()
        else:
            self.running[flags] = self.bench.start(*flags)
        return self.running[flags]


BOTH = ["fake", pytest.param("real", marks=pytest.mark.real)]


@pytest.fixture(params=BOTH)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Bench]:
    """Either CLI."""
    with opened(request.param, tmp_path) as either:
        yield either


@pytest.fixture(scope="module", params=BOTH)
def warm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Warm]:
    """Either CLI, already at work."""
    with opened(request.param, tmp_path_factory.mktemp("warm")) as either:
        yield Warm(either)


@contextmanager
def opened(kind: str, folder: Path) -> Generator[Bench]:
    """The fake CLI, or the real one with a scripted API."""
    with ExitStack() as stack:
        if kind == "fake":
            yield Bench(fake_cli(folder), fake_environment(folder), folder, stack)
        else:
            api = stack.enter_context(running_api())
            yield Bench(bundled_cli(), cli_environment(folder, api.url), folder, stack)
