"""The pool's prompts: one for each skill, rendered by the same function that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from ..skills.library import Library
from ..skills.loader import Registered

WHOLE = "arguments"
"""The one argument of a prompt whose skill declares none, but has room for some."""


class Prompts:
    """All prompts of one pool."""

    def __init__(self, library: Library) -> None:
        """`library` has the skills."""
        self._library = library

    async def listed(self) -> list[Prompt]:
        """One prompt for each skill, by name."""
        await asyncio.to_thread(self._library.refresh)
        return [_prompt(each) for each in self._library.all().values()]

    async def get(self, name: str, arguments: Mapping[str, str]) -> GetPromptResult:
        """A skill as the text that `pool_skill_run` would hand to a slot.

        Raises:
            NotFound: there is no such skill. InvalidArgument: the arguments are not what it takes.
        """
        rendered = await self._library.render(name, arguments)
        message = PromptMessage(role="user", content=TextContent(type="text", text=rendered.prompt))
        return GetPromptResult(description=self._library.get(name).skill.description, messages=[message])


def _prompt(registered: Registered) -> Prompt:
    skill = registered.skill
    arguments = [
        PromptArgument(name=each.name, description=each.description or None, required=each.required)
        for each in skill.arguments
    ]
    if not arguments and (skill.argument_hint is not None or "$" in skill.prompt):
        arguments = [PromptArgument(name=WHOLE, description=skill.argument_hint, required=False)]
    return Prompt(name=skill.name, description=skill.description, arguments=arguments)
