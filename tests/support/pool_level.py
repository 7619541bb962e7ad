"""The ways to a pool that one and the same scenario may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from claude_pool.adapters.client import Client
from claude_pool.adapters.places import Places

View = dict[str, Any]


class Level(Protocol):
    """A pool at work, reached in one way. Tools, arguments and views are those of the published interface.

    A refused call raises an exception with `code` and `message`.
    """

    def call(self, tool: str, arguments: Mapping[str, object]) -> View:
        """Call a tool and wait for its answer."""
        ...

    def call_and_leave(
        self, tool: str, arguments: Mapping[str, object], once: Callable[[], bool], what: str
    ) -> None:
        """Call a tool, and go away without its answer as soon as `once` holds; `what` says what that is."""
        ...

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until `happened`; `what` says in a failure what did not happen."""
        ...

    def settle(self) -> None:
        """Wait until nothing is on its way but what runs."""
        ...

    def transcript(self, task_id: str) -> str:
        """What a task's latest attempt has printed so far."""
        ...

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        ...

    def set_clock(self, milliseconds: int) -> None:
        """Have somebody set the wall clock forward (or back, where negative)."""
        ...

    def connect(self, toolsets: str) -> Client:
        """A connection that speaks the protocol's own lines."""
        ...

    def replayed_status(self) -> View:
        """The status that the log alone gives."""
        ...

    def costs(self, by: str) -> View:
        """Who spent what."""
        ...

    def places(self) -> Places:
        """Where its log is, which lies in a file."""
        ...

    def check_log(self) -> list[str]:
        """What is wrong with the log, which lies in a file."""
        ...

    def restart(self, how: str) -> None:
        """End the pool's owner (`finish`, `now`, or by a `crash`) and have another one take over."""
        ...

    def close(self) -> None:
        """End everything."""
        ...
