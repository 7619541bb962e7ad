"""What every conversation is shown from its next prompt on, by key."""

from __future__ import annotations

from claude_pool.domain import pool
from claude_pool.domain.errors import NotFound

from .origins import CALLER, Origin
from .service import Service
from .views import View


class SharedContext:
    """The verbs of the shared context. Errors are `PoolError`s."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def set(self, key: str, value: str, origin: Origin = CALLER) -> View:
        """Show a value to every conversation from its next prompt on."""
        await self._service.handle(pool.SetContext(key, value), origin)
        return {"key": key, "value": value, "version": self._service.world.open_pool().context_version}

    def get(self, key: str) -> View:
        """One value of the shared context.

        Raises:
            NotFound: there is no such key.
        """
        context = self._service.world.open_pool().context
        if key not in context:
            raise NotFound(kind="context value", id=key, hint="context_list shows what is there.")
        return {"key": key, "value": context[key]}

    async def delete(self, key: str, origin: Origin = CALLER) -> View:
        """Remove a value from the shared context."""
        await self._service.handle(pool.DeleteContext(key), origin)
        return {"key": key, "deleted": True}

    def list(self) -> View:
        """All values of the shared context, by key."""
        at = self._service.world.open_pool()
        return {"values": dict(sorted(at.context.items())), "version": at.context_version}
