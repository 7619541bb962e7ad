"""The runner calls steps and does not await them, so an asynchronous one would pass without having run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FEATURE = """
Feature: Guard
  Scenario: A step that is never awaited
    Given a step that cannot hold
"""
STEPS = """
from pytest_bdd import given, scenarios

scenarios("guard.feature")

@given("a step that cannot hold")
async def _() -> None:
    assert False
"""
GUARD = "from tests.support.pool_steps import forbid_async_steps as pytest_bdd_before_step_call\n"


def outcome(folder: Path, conftest: str) -> str:
    """What pytest says of the feature above, with warnings left alone."""
    (folder / "guard.feature").write_text(FEATURE, "utf-8")
    (folder / "test_guard.py").write_text(STEPS, "utf-8")
    (folder / "conftest.py").write_text(conftest, "utf-8")
    plugins = ("-p", "pytest_bdd.plugin", "-p", "no:cacheprovider")
    words = (sys.executable, "-m", "pytest", *plugins, "--rootdir", str(folder), str(folder))
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return ran.stdout


def test_the_runner_alone_would_let_an_asynchronous_step_pass(tmp_path: Path) -> None:
    assert "1 passed" in outcome(tmp_path, "")


def test_the_guard_refuses_an_asynchronous_step(tmp_path: Path) -> None:
    said = outcome(tmp_path, GUARD)
    assert "1 failed" in said
    assert "steps are called, not awaited" in said
