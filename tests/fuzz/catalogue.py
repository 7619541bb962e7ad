"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.targets import events, files, stream, texts, tools

TARGETS = {
    target.name: target
    for target in (
        stream.TARGET, events.TARGET, tools.TARGET, texts.TEMPLATES, files.SKILLS, files.WORKFLOWS,
        texts.NAMES, files.CONFIG, files.GIT, texts.LIMITS, files.LOG,
    )
}  # fmt: skip
