"""Placeholders in the prompts of chain steps: which there are, and filling them in one single pass.

`{previous_output}` is the output of the steps that a step needs, `{steps.NAME.output}` that of one step,
`{steps.NAME.VAR}` one of its `output_vars`; a recovery prompt also knows `{error}`. Other braces are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PREVIOUS = "previous_output"
ERROR = "error"

_PLACE = re.compile(r"\{(previous_output|error|steps\.[^{}\s]{1,200})\}")
_NEARLY = re.compile(r"\{\s*((?:previous|prev|step|steps)(?:[._][^{}\n]{0,300})?)\s*\}")


def placeholders(template: str) -> tuple[str, ...]:
    """The names of all placeholders in `template`, each once, in the order of their first use."""
    return tuple(dict.fromkeys(place[1] for place in _PLACE.finditer(template)))


def near_misses(template: str) -> tuple[str, ...]:
    """What stands in braces and looks like a placeholder that was written wrongly."""
    found = (near for near in _NEARLY.finditer(template) if not _PLACE.fullmatch(near[0]))
    return tuple(dict.fromkeys(near[1] for near in found))


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each placeholder that has a value replaced by it.

    One pass: a value that holds a placeholder stays as it is. A placeholder without a value stays too.
    """
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), template)
