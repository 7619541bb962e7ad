"""Options and markers of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long` also runs the campaigns that take minutes."""
    parser.addoption("--long", action="store_true", help="also run tests marked slow: campaigns of minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked `slow`, unless `--long` asks for it."""
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="a campaign of minutes: runs with --long")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
