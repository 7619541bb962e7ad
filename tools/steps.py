#!/usr/bin/env python3
"""Keeps the language of the features small and honest; exit 1 where something is wrong with it.

Every phrase is a word that readers have to learn, so there may be no more than `MOST_PHRASES` of them, and
one that is used once only is no language. Every feature explains itself, is listed in the reading order and
is run.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEATURES = ROOT / "features"
BINDINGS = ROOT / "tests" / "features"
MOST_PHRASES = 80
MOST_STEPS = 12
LEAST_PROSE = 120

sys.path.insert(0, str(ROOT))

from pytest_bdd.feature import get_features  # noqa: E402  # the root must be on the path first
from pytest_bdd.parser import Feature, ScenarioTemplate, Step  # noqa: E402
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry  # noqa: E402


@dataclass
class Findings:
    """What was counted, and what is wrong."""

    phrases: Counter[str] = field(default_factory=Counter[str])
    behaviours: Counter[str] = field(default_factory=Counter[str])
    scenarios: int = 0
    problems: list[str] = field(default_factory=list[str])


def defined() -> list[StepFunctionContext]:
    """All steps that are bound."""
    for path in sorted((BINDINGS / "steps").glob("*.py")):
        importlib.import_module(f"tests.features.steps.{path.stem}")
    return list(step_function_context_registry.values())


def behaviours() -> dict[str, re.Pattern[str]]:
    """What tasks can be said to do."""
    module = importlib.import_module("tests.support.pool_model")
    return {pattern: re.compile(pattern) for pattern in module.behaviours()}


def written(scenario: ScenarioTemplate) -> Iterator[Step]:
    """The steps of a scenario as its first example has them, without those of the background."""
    rows = [row for examples in scenario.examples for row in examples.as_contexts()]
    steps = scenario.render(rows[0] if rows else {}).steps
    yield from steps[len(scenario.all_background_steps) :]


def check_step(step: Step, where: str, contexts: list[StepFunctionContext], found: Findings) -> None:
    """One phrase has to fit, and only one."""
    fits = {
        context.parser.name
        for context in contexts
        if context.type in (None, step.type) and context.parser.is_matching(step.name)
    }
    if not fits:
        found.problems.append(f"{where}:{step.line_number}: no phrase fits: {step.name}")
    if len(fits) > 1:
        found.problems.append(f"{where}:{step.line_number}: several phrases fit: {', '.join(sorted(fits))}")
    found.phrases.update(fits)


def check_feature(feature: Feature, contexts: list[StepFunctionContext], found: Findings) -> None:
    """A feature has a title, prose, short scenarios, and steps that are bound."""
    where = str(Path(feature.filename).relative_to(ROOT))
    if len(" ".join(feature.description.split())) < LEAST_PROSE:
        found.problems.append(f"{where}: says too little about why the rule is there")
    background = list(feature.background.steps) if feature.background is not None else []
    known = behaviours()
    for step in background:
        check_step(step, where, contexts, found)
    for scenario in feature.scenarios.values():
        found.scenarios += 1
        steps = list(written(scenario))
        if len(steps) > MOST_STEPS:
            found.problems.append(f"{where}:{scenario.line_number}: {len(steps)} steps are too many to read")
        for step in steps:
            check_step(step, where, contexts, found)
    text = Path(feature.filename).read_text("utf-8")
    for name, pattern in known.items():
        found.behaviours[name] += len(pattern.findall(text))


def check_whole(features: list[Feature], contexts: list[StepFunctionContext], found: Findings) -> None:
    """What holds for all features together."""
    for name in sorted({context.parser.name for context in contexts}):
        if found.phrases[name] < 2:
            found.problems.append(f"used {'once' if found.phrases[name] else 'nowhere'}: {name}")
    for name, count in found.behaviours.items():
        if not count:
            found.problems.append(f"no task does this: {name}")
    if len(found.phrases) > MOST_PHRASES:
        found.problems.append(f"{len(found.phrases)} phrases are more than {MOST_PHRASES}")
    titles = Counter(feature.name for feature in features)
    found.problems += [
        f"several features are called: {title}" for title, count in titles.items() if count > 1
    ]
    order = (FEATURES / "README.md").read_text("utf-8")
    for feature in features:
        path = Path(feature.filename).relative_to(FEATURES)
        if f"({path})" not in order:
            found.problems.append(f"features/README.md does not list {path}")
        if not (BINDINGS / f"test_{path.parts[0]}.py").exists():
            found.problems.append(f"nothing runs features/{path.parts[0]}")
    listed = re.findall(r"\(([\w/]+\.feature)\)", order)
    found.problems += [
        f"features/README.md lists {path}" for path in listed if not (FEATURES / path).exists()
    ]


def main() -> int:
    """Check all features; the exit code."""
    contexts = defined()
    features = get_features([str(FEATURES)])
    found = Findings()
    for feature in features:
        check_feature(feature, contexts, found)
    check_whole(features, contexts, found)
    uses = sum(found.phrases.values())
    print("\n".join(found.problems) or "the features are in order")
    print(
        f"{len(features)} features, {found.scenarios} scenarios, {uses} steps, {len(found.phrases)} phrases, "
        f"{len(found.behaviours)} things that tasks do"
    )
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
