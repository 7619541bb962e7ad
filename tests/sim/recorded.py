"""Runs of the simulation as a log would have them, with who caused each append."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from claude_pool.adapters.whatif.owner import Entry, Owner
from claude_pool.adapters.whatif.record import Append
from claude_pool.domain.coordination import Command
from claude_pool.domain.pool_events import OwnerStopped
from claude_pool.domain.records import Actor, Fact

from .simulation import Simulation


class RecordedRun(Simulation):
    """A run in which only some kinds of faults strike; `appends` is what it leaves."""

    def __init__(self, seed: int, kinds: Collection[str] = ()) -> None:
        """`kinds` may strike where the seed has them."""
        super().__init__(seed)
        self.faults.rates = {kind: rate for kind, rate in self.faults.rates.items() if kind in kinds}
        self.appends: list[Append] = []
        self._telling = False

    def begin(self) -> Owner | None:
        """See `Simulation.begin`; what the owner is told by slots is marked so."""
        known = self.owner
        owner = super().begin()
        if owner is not None and owner is not known:
            told = owner.tell

            def tell(command: Command) -> list[Entry]:
                self._telling = True
                try:
                    return told(command)
                finally:
                    self._telling = False

            owner.tell = tell  # type: ignore[method-assign]
        return owner

    def _written(self, facts: Sequence[Fact], now: int) -> None:
        super()._written(facts, now)
        self.appends.append(Append(now, self._actor(facts), tuple(facts)))

    def _actor(self, facts: Sequence[Fact]) -> Actor:
        if self.log.recovering or isinstance(facts[0].event, OwnerStopped):
            return Actor.RECOVERY
        if self.owner is not None and self.owner.reacting:
            return Actor.POLICY
        return Actor.SLOT if self._telling else Actor.COORDINATOR
