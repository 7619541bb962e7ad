"""Who wants to know of appends."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool.domain.ports import Head


class Wakes:
    """The registrations behind `EventLog.on_append`."""

    def __init__(self) -> None:
        """Begin without any."""
        self._calls: dict[object, Callable[[Head], None]] = {}

    def add(self, wake: Callable[[Head], None]) -> Callable[[], None]:
        """Register `wake`; the result takes it back, and may be called more than once."""
        key = object()
        self._calls[key] = wake

        def take_back() -> None:
            self._calls.pop(key, None)

        return take_back

    def ring(self, head: Head) -> None:
        """Call them all, in the order of registration. None of them may raise."""
        for wake in tuple(self._calls.values()):
            wake(head)
