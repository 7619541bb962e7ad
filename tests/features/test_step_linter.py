"""The linter of the features' language finds what it is there to find."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pytest_bdd.feature import get_features
from pytest_bdd.parser import Feature

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def linter() -> ModuleType:
    """`tools/steps.py`."""
    spec = importlib.util.spec_from_file_location("steps_linter", ROOT / "tools" / "steps.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def feature(folder: Path, text: str) -> Feature:
    """A feature in `features/` below `folder`."""
    (folder / "features").mkdir()
    (folder / "features" / "made_up.feature").write_text(text, "utf-8")
    [found] = get_features([str(folder / "features")])
    return found


def problems(linter: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> list[str]:
    """What the linter says of one feature."""
    monkeypatch.setattr(linter, "ROOT", folder)
    found = linter.Findings()
    linter.check_feature(feature(folder, text), linter.defined(), found)
    said: list[str] = found.problems
    return said


PROSE = "Why the rule is there, and what a reader may rely on. " * 4


def test_a_step_that_no_phrase_fits_is_found(
    linter: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = f"Feature: F\n\n  {PROSE}\n\n  Scenario: S\n    Given a pool of many slots\n"
    assert problems(linter, monkeypatch, tmp_path, text) == [
        "features/made_up.feature:6: no phrase fits: a pool of many slots"
    ]


def test_a_feature_without_prose_is_found(
    linter: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "Feature: F\n\n  Because.\n\n  Scenario: S\n    Given a pool of 2 slots\n"
    assert problems(linter, monkeypatch, tmp_path, text) == [
        "features/made_up.feature: says too little about why the rule is there"
    ]


def test_a_phrase_that_only_one_step_uses_is_found(linter: ModuleType) -> None:
    found = linter.Findings()
    found.phrases["the coordinator resumes the pool"] = 1
    linter.check_whole([], linter.defined(), found)
    assert "used once: the coordinator resumes the pool" in found.problems


def test_more_phrases_than_a_reader_may_have_to_learn_are_found(linter: ModuleType) -> None:
    found = linter.Findings()
    found.phrases.update(f"phrase {number}" for number in range(81))
    linter.check_whole([], linter.defined(), found)
    assert "81 phrases are more than 80" in found.problems
