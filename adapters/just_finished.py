"""What left the live view last: callers ask for it at once, and shall not have to wait for the log."""

from __future__ import annotations

from claude_pool.domain import chain, task
from claude_pool.domain.chain_events import ChainCancelled, ChainCompleted, ChainFailed
from claude_pool.domain.records import Recorded
from claude_pool.domain.task_events import TaskCancelled, TaskCompleted, TaskFailed
from claude_pool.domain.world import World

FINISHING = (TaskCompleted, TaskFailed, TaskCancelled)
"""The facts with which a task leaves the live view."""

CHAIN_ENDS = (ChainCompleted, ChainFailed, ChainCancelled)
"""The facts with which a chain leaves the live view."""

KEPT = 500
"""So many tasks, and so many chains, are kept: as many as one fan-out can have."""


class JustFinished:
    """The tasks and chains that finished last, in their last state."""

    def __init__(self) -> None:
        self.tasks: dict[str, task.Known] = {}
        self.chains: dict[str, chain.Known] = {}

    def keep(self, world: World, recorded: Recorded) -> None:
        """Keep what `world` is about to let go with this event; any other event changes nothing."""
        event, stream = recorded.event, recorded.stream
        if isinstance(event, FINISHING):
            finished = task.evolve(world.tasks[stream], event)
            assert not isinstance(finished, task.Absent)
            self.tasks[stream] = finished
            if len(self.tasks) > KEPT:
                del self.tasks[next(iter(self.tasks))]
        elif isinstance(event, CHAIN_ENDS):
            ended = chain.evolve(world.chains.get(stream, chain.ABSENT), event)
            if not isinstance(ended, chain.Absent):  # one that ends in its first append was never live
                self.chains[stream] = ended
            if len(self.chains) > KEPT:
                del self.chains[next(iter(self.chains))]
