"""What a pool's log says, read in this process: cheaper than asking the command again and again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader

from tests.support.commands import Shell
from tests.support.waiting import until_sync


@contextmanager
def reading(shell: Shell) -> Generator[LogReader]:
    """The log of the shell's pool."""
    reader = LogReader(Places(str(shell.state), "", "", ""), "0")
    try:
        yield reader
    finally:
        reader.close()


def state_of(shell: Shell, task_id: str) -> str:
    """The state of a task."""
    with reading(shell) as log:
        return str(log.task(task_id)["state"])


def until_state(shell: Shell, task_id: str, state: str, seconds: float = 20.0) -> None:
    """Wait until a task is in a state."""
    until_sync(lambda: state_of(shell, task_id) == state, seconds)


def facts(shell: Shell, name: str) -> int:
    """How many events of this name there are."""
    with reading(shell) as log:
        return sum(name == each.event.NAME for each in log.events())
