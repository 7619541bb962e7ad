"""A feature as a page: its prose, its scenarios, and what they came to when they last ran."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .markdown import Page, render

LEVELS = {"service": "stand-in CLI", "real": "real CLI", "cli": "installed command"}
"""What a scenario ran on, as the manual calls it."""
TITLE = re.compile(r"^\s*(Feature|Background|Scenario Outline|Scenario|Examples):\s*(.*)$")
STEP = re.compile(r"^(\s*)(Given|When|Then|And|But)\b(.*)$")


@dataclass(frozen=True)
class Results:
    """What became of scenarios: by feature, scenario and level, and when (None: nothing is known)."""

    at: int | None
    found: Mapping[tuple[str, str, str], tuple[str, float]]

    @classmethod
    def read(cls, path: Path | None) -> Results:
        """The results that a run of the features left."""
        if path is None:
            return cls(None, {})
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        rows = content["scenarios"]
        return cls(
            content["at"],
            {
                (row["feature"], row["scenario"], row["level"]): (row["outcome"], row["seconds"])
                for row in rows
            },
        )

    @property
    def when(self) -> str:
        """When they ran, for a person."""
        return "never" if self.at is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.at))

    def badge(self, feature: str, scenario: str, level: str) -> str:
        """What a scenario came to on one level."""
        outcome, seconds = self.found.get((feature, scenario, level), ("not run", 0.0))
        kind = outcome.replace(" ", "-")
        took = f", {seconds:.1f} s" if seconds else ""
        return f'<span class="badge {kind}">{escape(outcome)} on {LEVELS[level]}{took}</span>'

    def summary(self, feature: str, scenarios: Mapping[str, list[str]]) -> str:
        """What all scenarios of a feature came to, in one word."""
        all_of = [
            self.found.get((feature, name, level), ("not run", 0.0))[0]
            for name, on in scenarios.items()
            for level in on
        ]
        for outcome in ("failed", "not run", "passed"):
            if outcome in all_of:
                return outcome
        return "not run"


def scenarios(text: str) -> dict[str, list[str]]:
    """The scenarios of a feature, each with the levels that it runs on."""
    found: dict[str, list[str]] = {}
    tags: list[str] = []
    for line in text.splitlines():
        if line.strip().startswith("@"):
            tags += re.findall(r"@(\w+)", line)
        elif (title := TITLE.match(line)) and title[1].startswith("Scenario"):
            found[title[2].strip()] = ["service", *(level for level in ("real", "cli") if level in tags)]
            tags = []
    return found


def page(path: str, name: str, text: str, results: Results) -> Page:
    """The page of the feature `name` (`tasks/running.feature`)."""
    title, prose, blocks = _parts(text)
    known = scenarios(text)
    made = render(path, f"# {title}\n\n{prose}", lambda _: None, lambda _: "")
    passed = results.summary(name, known)
    parts = [
        made.body,
        f'<p class="note">Last run: {results.when} '
        f'<span class="badge {passed.replace(" ", "-")}">{passed}</span></p>',
    ]
    for kind, heading, lines in blocks:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") or kind.lower()
        made.headings.append((2, heading or kind, anchor))
        parts.append(f'<section class="scenario"><h2 id="{anchor}">{escape(heading or kind)}</h2>')
        if heading in known:
            parts.append(
                "<p>" + " ".join(results.badge(name, heading, level) for level in known[heading]) + "</p>"
            )
        parts.append(f'<pre tabindex="0" class="steps">{"".join(_steps(lines))}</pre></section>')
    made.body = "\n".join(parts)
    return made


def _parts(text: str) -> tuple[str, str, list[tuple[str, str, list[str]]]]:
    title, prose = "", list[str]()
    blocks: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        head = TITLE.match(line)
        if head and head[1] == "Feature":
            title = head[2]
        elif head and head[1] != "Examples":
            blocks.append((head[1], head[2].strip(), []))
        elif line.strip().startswith("@"):
            continue
        elif blocks:
            blocks[-1][2].append(line)
        else:
            prose.append(line.strip())
    return title, "\n".join(prose).strip(), blocks


def _steps(lines: list[str]) -> Iterator[str]:
    text = "\n".join(lines).strip("\n")
    for line in text.splitlines():
        line = line.removeprefix("    ")
        step = STEP.match(line)
        if step:
            yield f"{step[1]}<b>{step[2]}</b>{escape(step[3])}\n"
        else:
            yield escape(line) + "\n"
