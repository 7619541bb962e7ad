"""What a process is told of its directory beside its options: the project's own text, with a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from claude_pool.domain import task
from claude_pool.domain.world import World


class ProjectTexts:
    """The texts of the directories that tasks run in, read anew whenever policies are about to choose."""

    def __init__(self, read: Callable[[str], str | None], extra: Callable[[], str]) -> None:
        """`read` gives a directory's text; `extra` tells what holds for all of them (account, flags)."""
        self._read = read
        self._extra = extra
        self._texts: dict[str, str | None] = {}

    def text(self, directory: str) -> str | None:
        """The text that the last `digests` saw for `directory`, read now where it has not been seen."""
        if directory not in self._texts:
            self._texts[directory] = self._read(directory)
        return self._texts[directory]

    def digests(self, world: World) -> Mapping[str, str]:
        """Read the texts of all directories in use; their digests, which are part of a launch key."""
        directories = {world.open_pool().settings.working_dir}
        for _, _, task_id in world.pending[:_LOOKED_AT]:
            state = world.tasks[task_id]
            if isinstance(state, task.Pending) and state.job.spec.options.working_dir is not None:
                directories.add(state.job.spec.options.working_dir)
        for slot in world.slots.values():
            if slot.card.options.working_dir is not None:
                directories.add(slot.card.options.working_dir)
        self._texts = {directory: self._read(directory) for directory in directories}
        return {directory: self._digest(text) for directory, text in self._texts.items()}

    def _digest(self, text: str | None) -> str:
        return hashlib.sha256(f"{self._extra()}\0{text or ''}".encode("utf-8", "replace")).hexdigest()[:16]


_LOOKED_AT = 64
"""So many of the pending tasks are looked at; no pass starts more than a slot each."""
