"""What processes were told of their directories when a run was recorded: unknown, but told apart.

A launch key digests it together with options that the log knows. So two keys of the same options tell that
the surroundings changed in between; which of them were in force is all that policies need.
"""

from __future__ import annotations

from dataclasses import replace

from claude_pool.domain.claiming import pool_options
from claude_pool.domain.options import launch_key, resolve
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import LaunchStarted, SlotClaimed
from claude_pool.domain.values import Options
from claude_pool.domain.world import World


class RecordedSurroundings:
    """Digests by directory, made up: the first is empty, and another stands for each change."""

    def __init__(self) -> None:
        """Nothing was launched yet."""
        self.by_directory: dict[str, str] = {}
        self._keys: dict[tuple[str, str, str], str] = {}

    def note(self, fact: Fact, world: World) -> Fact:
        """Have in force what was in force when `fact` was decided in `world`; `fact` with a key of ours."""
        event = fact.event
        if not isinstance(event, (LaunchStarted, SlotClaimed)) or fact.stream not in world.slots:
            return fact
        card, base, given = world.slots[fact.stream].card, pool_options(world.open_pool()), Options()
        if isinstance(event, SlotClaimed):
            state = world.tasks.get(event.attempt.rpartition(".")[0])
            if state is None:
                return fact
            given = state.job.spec.options
        options = resolve(given, card.options, base).options
        directory = options.working_dir or ""
        plain = launch_key(options, card.identity, "")
        digest = self.by_directory[directory] = self._digest(directory, plain, event.key)
        return replace(fact, event=replace(event, key=launch_key(options, card.identity, digest)))

    def _digest(self, directory: str, plain: str, recorded: str) -> str:
        """The digest under which these options had this key; the present one where that is not known."""
        now = self.by_directory.get(directory, "")
        if self._keys.setdefault((directory, now, plain), recorded) == recorded:
            return now
        for (place, digest, options), key in self._keys.items():
            if (place, options, key) == (directory, plain, recorded):
                return digest
        new = f"surroundings {len(self._keys)}"
        self._keys[directory, new, plain] = recorded
        return new
