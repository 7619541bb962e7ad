"""Tells connected clients that a list has changed, in both eras of the protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types import NotificationParams

from .serving import Serving

_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError)


class ListChanges:
    """Clients of 2026-07-28 subscribe to a bus; older ones are sent a notification on their session."""

    def __init__(self) -> None:
        """Nobody is connected yet."""
        self._bus = InMemorySubscriptionBus()
        self._connected: dict[Serving, None] = {}
        self.listen = ListenHandler(self._bus)

    @property
    def connected(self) -> tuple[Serving, ...]:
        """The older clients that have initialised, in that order."""
        return tuple(self._connected)

    def attach(self, server: Server[Serving]) -> None:
        """Take note of the older clients of `server`, once they have initialised."""
        server.add_notification_handler("notifications/initialized", NotificationParams, self._initialized)

    async def _initialized(
        self, ctx: ServerRequestContext[Serving, Any], _params: NotificationParams
    ) -> None:
        ctx.lifespan_context.session = ctx.session
        self._connected[ctx.lifespan_context] = None

    def forget(self, serving: Serving) -> None:
        """The connection has ended."""
        self._connected.pop(serving, None)

    async def tools_changed(self) -> None:
        """Have every client ask for the tools again."""
        await self._tell(ToolsListChanged(), ServerSession.send_tool_list_changed)

    async def prompts_changed(self) -> None:
        """Have every client ask for the prompts again."""
        await self._tell(PromptsListChanged(), ServerSession.send_prompt_list_changed)

    async def _tell(self, event: ServerEvent, send: Callable[[ServerSession], Awaitable[None]]) -> None:
        await self._bus.publish(event)
        for serving in self.connected:
            if serving.session is not None:
                # One that is just going away is not told, and holds up nobody.
                with contextlib.suppress(*_GONE):
                    await send(serving.session)
