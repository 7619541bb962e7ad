"""The rows of docs/faults.md are true: every test in them exists, and no fault of a list is left out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tools import faults
else:  # the tools are programs, on nobody's path
    PLACE = Path(__file__).resolve().parents[3] / "tools" / "faults.py"
    spec = importlib.util.spec_from_file_location("tools.faults", PLACE)
    faults = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = faults
    spec.loader.exec_module(faults)


def test_every_row_is_complete_and_names_tests_that_exist() -> None:
    assert faults.problems() == []


@pytest.mark.parametrize(
    ("test", "there"),
    [
        ("tests/unit/project/test_faults.py::test_a_list_of_names_is_spread", True),
        ("tests/unit/project/test_faults.py::test_that_nobody_wrote", False),
        ("tests/unit/project/nowhere.py::test_that_nobody_wrote", False),
        ("features/tasks/running.feature::a scenario that nobody wrote", False),
        ("tools/faults.py", True),
    ],
)
def test_a_test_is_looked_for_by_its_name(test: str, there: bool) -> None:
    assert faults.exists(test) is there


def test_a_list_of_names_is_spread() -> None:
    assert faults.spread("X08-X10 Y3") == ("X08", "X09", "X10", "Y3")
