"""Options and markers of the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.support.feature_results import pytest_runtest_logreport, pytest_sessionfinish

__all__ = ["pytest_runtest_logreport", "pytest_sessionfinish"]

DOMAIN_TESTS = Path(__file__).parent / "unit" / "domain"

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # how fast a busy machine draws examples says nothing about what is tested


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long` also runs the campaigns of minutes; `--feature-results` keeps what scenarios came to."""
    parser.addoption("--long", action="store_true", help="also run tests marked slow: campaigns of minutes")
    parser.addoption("--feature-results", help="keep what becomes of scenarios here, for tools/site")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked `slow`, unless `--long` asks for it; trace only the tests of the domain.

    All of the domain is covered by its own tests, without those that draw their examples: what is covered
    must not hang on a draw. Tracing makes whatever else uses it three times as slow, so `tools/check` runs
    what is marked `no_cover` apart.
    """
    for item in items:
        drawn = is_hypothesis_test(getattr(item, "obj", None))
        if drawn or not item.path.is_relative_to(DOMAIN_TESTS):
            item.add_marker(pytest.mark.no_cover)
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="a campaign of minutes: runs with --long")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
