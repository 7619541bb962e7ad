"""Keeps what became of each scenario, for the site: `pytest tests/features --feature-results FILE`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

SCENARIO = "scenario"
"""The property of a test that names its feature, scenario and level."""

_found: dict[tuple[str, str, str], dict[str, Any]] = {}


def remember(item: pytest.Item, root: Path, level: str) -> None:
    """Let the reports of a scenario's test say which scenario it is; anything else is left alone."""
    from pytest_bdd.scenario import scenario_wrapper_template_registry

    template = scenario_wrapper_template_registry.get(getattr(item, "function", remember))
    if template is not None:
        where = str(Path(template.feature.filename).relative_to(root / "features"))
        item.user_properties.append((SCENARIO, [where, template.name, level]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a scenario ended; one of several examples that failed makes it failed."""
    told: Any = dict(report.user_properties).get(SCENARIO)
    if told is None or (report.when != "call" and report.outcome == "passed"):
        return
    where, name, level = told
    row = _found.setdefault(
        (where, name, level),
        {"feature": where, "scenario": name, "level": level, "outcome": "passed", "seconds": 0.0},
    )
    row["seconds"] = round(row["seconds"] + report.duration, 3)
    if report.outcome != "passed":
        row["outcome"] = report.outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file, in the one process that hears of all tests."""
    name = session.config.getoption("--feature-results")
    if name and not hasattr(session.config, "workerinput"):
        rows = sorted(_found.values(), key=lambda row: (row["feature"], row["scenario"], row["level"]))
        content = {"at": int(time.time()), "scenarios": rows}
        Path(name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
