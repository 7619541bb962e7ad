"""Arguments of skills and workflows, and what a rendered skill makes of a task."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

from claude_pool.domain.skills import beneath
from pydantic import Field, WithJsonSchema

from ..requests import TaskRequest
from ..skills.library import RenderedSkill

Values = dict[str, str | int | float | bool]

SkillValues = Annotated[Values, Field(max_length=100), WithJsonSchema({"type": "object"})]
"""Arguments of a skill or workflow by name. They reach it as texts."""


def as_texts(values: Values) -> dict[str, str]:
    """Numbers and truth values as JSON writes them."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def with_skill(request: TaskRequest, rendered: RenderedSkill) -> TaskRequest:
    """The request with the skill's options below its own, and the skill's label."""
    return replace(request, options=beneath(rendered.options, request.options), skill=rendered.label)
