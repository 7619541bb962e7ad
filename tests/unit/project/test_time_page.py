"""The page about time names every option of time as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.config.amounts import plain
from claude_pool.adapters.config.options import OPTIONS, Option
from claude_pool.domain.errors import CODES

PAGE = (Path(__file__).parents[3] / "docs" / "time.md").read_text("utf-8")
SECONDS = [option for option in OPTIONS if option.kind == "seconds" and option.name != "idle_exit"]


@pytest.mark.parametrize("option", SECONDS, ids=lambda option: option.name)
def test_a_deadline_is_told_with_its_default_and_range(option: Option) -> None:
    row = next(line for line in PAGE.splitlines() if f"`{option.flag}`" in line)
    default = "none" if option.default is None else f"{option.default:g}"
    assert option.range is not None
    least = f"{'0 or ' if option.range.zero else ''}{plain(option.range.least)}"
    assert f"| {default} | {least} to {plain(option.range.most)} |" in row


def test_every_code_of_time_is_told() -> None:
    assert [code for code in CODES if code.startswith("timed_out_") and PAGE.count(f"`{code}`") < 2] == []
