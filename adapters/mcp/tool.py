"""A tool: what is told of it, how its arguments are read, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from mcp_types import Tool as Definition
from mcp_types import ToolAnnotations

from ..application import Application
from ..origins import Origin
from ..views import View
from .arguments import Arguments
from .schemas import Schema, arguments_schema

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool works with: the pool's verbs, and who asks."""

    application: Application
    origin: Origin
    highest_mode: str
    working_dir: str | None = None


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One entry of the table of tools.

    `reads` says that it changes nothing at all; `destroys` that it ends or removes something;
    `repeats` that a second call with the same arguments changes nothing more; `works` that it has a
    model work, whose tools reach beyond the pool.
    """

    name: str
    toolset: str
    description: str
    arguments: type[A]
    result: Schema
    run: Callable[[Call, A], Awaitable[View]]
    reads: bool = False
    destroys: bool = False
    repeats: bool = False
    works: bool = False

    @cached_property
    def definition(self) -> Definition:
        """The tool as `tools/list` shows it; hints that only repeat the protocol's defaults are left out."""
        return Definition(
            name=self.name,
            description=self.description,
            input_schema=arguments_schema(self.arguments),
            output_schema=self.result,
            annotations=ToolAnnotations(
                read_only_hint=True if self.reads else None,
                destructive_hint=None if self.reads else self.destroys,
                idempotent_hint=True if self.repeats and not self.reads else None,
                open_world_hint=None if self.works else False,
            ),
        )
