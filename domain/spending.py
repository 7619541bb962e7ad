"""When to tell that a running turn has spent nearly all of its money, and when that it has spent all."""

from __future__ import annotations

from dataclasses import dataclass, replace

_NEARLY, _ALL = 1, 2


@dataclass(frozen=True, slots=True)
class SpendWatch:
    """The money of one turn, in microdollars, and how much of the bad news was told.

    `budget` is what is funded now (None: nothing is ever told), `margin` what of it should stay free for the
    next call. Told is at most twice for each value of the budget: when the cost and the margin first exceed
    the budget together, and when the cost reaches it.
    """

    budget: int | None
    margin: int = 0
    told: int = 0

    def see(self, metered: int) -> SpendWatch:
        """The watch after a look at the cost so far. It is another one where there is something to tell."""
        if self.budget is None:
            return self
        nearly = _NEARLY if metered + self.margin > self.budget else 0
        level = _ALL if metered >= self.budget else nearly
        return replace(self, told=level) if level > self.told else self

    def fund(self, budget: int) -> SpendWatch:
        """The watch with another budget, of which nothing was told yet."""
        return self if budget == self.budget else replace(self, budget=budget, told=0)
