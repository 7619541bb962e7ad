"""The options of a configuration as the log records them."""

from __future__ import annotations

from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Options

from ..config.amounts import milliseconds
from ..config.model import Effective
from ..config.servers import load_servers


def pool_settings(effective: Effective) -> Settings:
    """The options of a configuration, as the log records them.

    Raises:
        InvalidArgument: the MCP configuration cannot be read.
    """
    chosen = effective.options
    options = Options(
        model=chosen.model,
        effort=chosen.effort,
        system_prompt=chosen.system_prompt,
        permission_mode=chosen.permission_mode,
        allowed_tools=tuple(chosen.allowed_tools),
        disallowed_tools=tuple(chosen.disallowed_tools),
        mcp_servers=load_servers(chosen.mcp_config),
    )
    return Settings(
        slots=chosen.slots,
        min_slots=chosen.min_slots,
        max_slots=chosen.max_slots,
        options=options,
        session=chosen.session,
        task_budget=chosen.task_budget,
        task_timeout_ms=chosen.task_timeout_ms,
        queue_timeout_ms=chosen.queue_timeout_ms,
        first_output_ms=milliseconds(chosen.first_output_timeout),
        silence_ms=milliseconds(chosen.silence_timeout),
        tool_silence_ms=milliseconds(chosen.tool_silence_timeout),
        working_dir=chosen.working_dir or effective.places.work_tree,
        question_ms=milliseconds(chosen.question_seconds),
        worktree=chosen.worktree,
    )
