"""The pool's money: its limits and what they leave, and what the queue will cost."""

from __future__ import annotations

import asyncio

from claude_pool.domain import ledger
from claude_pool.domain.errors import InvalidArgument

from .budgets import KEEP, Limit, budget_view, limits_for
from .forecast import brief_view, foreseen, still
from .origins import CALLER, Origin
from .service import Service
from .store.index import Index
from .system import System
from .views import View


class Money:
    """The verbs of the budget and the forecast. Errors are `PoolError`s."""

    def __init__(self, service: Service, index: Index, system: System) -> None:
        """`index` knows what tasks have cost so far."""
        self._service = service
        self._index = index
        self._system = system

    async def budget(
        self,
        limit: Limit = KEEP,
        reset: bool = False,
        origin: Origin = CALLER,
        soft: Limit = KEEP,
        scope: str = ledger.WHOLE,
    ) -> View:
        """Show the budget, after counting its spend anew or changing the limits (microdollars) of a scope.

        Raises:
            InvalidArgument: no such scope, or the soft limit would be above the hard one.
        """
        changes = (limit, soft) != (KEEP, KEEP)

        def change() -> ledger.MoneyCommand:
            limits = limits_for(self._service.world.open_pool().budget, scope, limit, soft)
            return ledger.ResetBudget(limits if changes else None) if reset else limits

        change()  # a scope that there is not is refused also by a look
        if reset and scope != ledger.WHOLE:
            raise InvalidArgument(argument="scope", problem="a reset is of all accounts together")
        if reset or changes:
            await self._service.handle(change, origin)
        return self.budget_now()

    def budget_now(self) -> View:
        """The budget."""
        return budget_view(self._service.world, self._system.now())

    async def forecast(self) -> View:
        """When the present queue will be done and what it will cost, in short."""
        now, world = self._system.now(), still(self._service.world)
        samples = await self._service.on_log(self._index.samples)
        found = await asyncio.to_thread(foreseen, world, samples, now, owned=True, beside_others=True)
        return brief_view(found)
