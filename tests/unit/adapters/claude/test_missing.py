"""An owner that found no CLI: its launches fail, and say so when one has come since."""

from __future__ import annotations

import asyncio

import pytest
from claude_pool.adapters.claude.missing import NoCliDriver
from claude_pool.domain.ports import Launch, SlotFailure

MISSING = SlotFailure("cli_missing", "There is no claude on the PATH.")


def launch_failure(driver: NoCliDriver) -> SlotFailure:
    """Why a launch comes to nothing."""
    with pytest.raises(SlotFailure) as failed:
        asyncio.run(driver.launch(Launch("slot-0", 1, "s1", "/")))
    return failed.value


def test_a_launch_says_what_is_missing_now() -> None:
    def search() -> object:
        raise MISSING

    failure = launch_failure(NoCliDriver(SlotFailure("cli_missing", "as it was"), search))
    assert (failure.code, failure.message) == ("cli_missing", "There is no claude on the PATH.")


def test_a_launch_says_how_to_use_a_cli_that_has_come_since() -> None:
    failure = launch_failure(NoCliDriver(MISSING, lambda: "/usr/bin/claude"))
    assert failure.code == "cli_missing"
    assert "claude-pool stop" in failure.message
