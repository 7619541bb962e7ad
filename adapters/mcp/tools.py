"""The table of all tools."""

from __future__ import annotations

from typing import Any

from .auto_tools import AUTO_TOOLS
from .chain_tools import CHAIN_TOOLS
from .context_tools import CONTEXT_TOOLS
from .debug_tools import DEBUG_TOOLS
from .message_tools import MESSAGE_TOOLS
from .pool_tools import POOL_TOOLS
from .question_tools import QUESTION_TOOLS
from .review_tools import REVIEW_TOOLS
from .run_tools import RUN_TOOLS
from .skill_tools import SKILL_TOOLS
from .slot_tools import SLOT_TOOLS
from .tool import Tool
from .workflow_tools import WORKFLOW_TOOLS

TOOLS: tuple[Tool[Any], ...] = (
    *RUN_TOOLS,
    *POOL_TOOLS,
    *CHAIN_TOOLS,
    *REVIEW_TOOLS,
    *QUESTION_TOOLS,
    *CONTEXT_TOOLS,
    *SLOT_TOOLS,
    *MESSAGE_TOOLS,
    *SKILL_TOOLS,
    *WORKFLOW_TOOLS,
    *AUTO_TOOLS,
    *DEBUG_TOOLS,
)
"""Every tool, in the order in which clients are told of them."""

BY_NAME = {tool.name: tool for tool in TOOLS}


def tools_of(toolsets: frozenset[str]) -> tuple[Tool[Any], ...]:
    """The tools of these toolsets."""
    return tuple(tool for tool in TOOLS if tool.toolset in toolsets)
