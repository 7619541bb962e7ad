"""How often a slot's process may end by itself: how long it rests after that, when it is given up, and when
it is tried again.

A process that ends by itself, or does not come up, is a failure. Three of them within a minute, or five in a
row however far apart, put the slot out of service. After a cool-down it has a trial: one launch and one
attempt, which one more failure ends at once.
Pure functions of a value that the slot's aggregate holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from .copies import replace

INTENSITY = 3
"""So many failures within `PERIOD_MS` put a slot out of service (Erlang/OTP's intensity)."""
PERIOD_MS = 60_000
MOST_IN_A_ROW = 5
"""So many failures in a row do so too, however slowly they follow each other."""
FIRST_REST_MS = 1_000
LONGEST_REST_MS = 60_000
FIRST_COOL_DOWN_MS = 60_000
LONGEST_COOL_DOWN_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Health:
    """How a slot's processes have done.

    `failures` are the times (ms) of the last failure and of those less than a minute before it; `in_a_row`
    counts them since a process last came through an attempt, and `quarantines` how often the slot was put
    out of service since then. `on_trial`: one more failure does so at once.
    """

    failures: tuple[int, ...] = ()
    in_a_row: int = 0
    quarantines: int = 0
    on_trial: bool = False

    @property
    def ailing(self) -> bool:
        """Whether no process has come through an attempt since the last failure."""
        return self.in_a_row > 0 or self.quarantines > 0

    @property
    def rests_until(self) -> int | None:
        """When (ms) the next process may be started; None: at once. Before a trial it has cooled down."""
        rest = 0 if self.on_trial else rest_after(self.in_a_row)
        return self.failures[-1] + rest if rest and self.failures else None


WELL = Health()


def rest_after(in_a_row: int) -> int:
    """How long (ms) a slot rests after so many failures in a row: not after a single one, which is an
    accident, then 1, 2, 4 … 60 s."""
    return min(FIRST_REST_MS << min(in_a_row - 2, 16), LONGEST_REST_MS) if in_a_row > 1 else 0


def cool_down(quarantines: int) -> int:
    """How long (ms) a slot stays out of service that was put out of it so often before."""
    return min(FIRST_COOL_DOWN_MS << min(quarantines, 16), LONGEST_COOL_DOWN_MS)


def is_over(until: int | None, longest: int, now: int) -> bool:
    """Whether a wait of `longest` at most is over. One that ends later was recorded by a wrong clock."""
    return until is None or not now < until <= now + longest


def after_failure(health: Health, at: int) -> Health:
    """The record once a process has ended by itself, or did not come up."""
    return replace(health, failures=(*_recent(health.failures, at), at), in_a_row=health.in_a_row + 1)


def is_too_much(health: Health, at: int) -> bool:
    """Whether a failure at `at` puts the slot out of service."""
    after = after_failure(health, at)
    return health.on_trial or len(after.failures) >= INTENSITY or after.in_a_row >= MOST_IN_A_ROW


def quarantined(health: Health) -> Health:
    """The record of a slot that is put out of service."""
    return replace(health, quarantines=health.quarantines + 1, on_trial=False)


def tried(health: Health) -> Health:
    """The record of a slot that gets its trial."""
    return replace(health, on_trial=True)


def mended(health: Health) -> Health:
    """The record once a process came through an attempt. The failures of the last minute still count."""
    return Health(failures=health.failures)


def _recent(failures: tuple[int, ...], now: int) -> tuple[int, ...]:
    return tuple(at for at in failures if now - at < PERIOD_MS)
