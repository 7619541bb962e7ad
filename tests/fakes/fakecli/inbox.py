"""The prompts that wait, and the stop signal of the one that runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tests.fakes.fakecli.wire import Line

_COMMANDS = ("/clear", "/compact", "/context", "/cost", "/effort", "/model", "/usage")


@dataclass(frozen=True)
class Prompt:
    """One message of the user, or several that were merged; `origin` marks one that nobody here sent."""

    text: str
    uuids: tuple[str, ...] = ()
    origin: Line | None = None

    @property
    def command(self) -> str | None:
        """The local command that the prompt is, or None where it is for the model."""
        word = self.text.split(maxsplit=1)[0] if self.text.startswith("/") else ""
        return word if word in _COMMANDS else None


class Inbox:
    """Prompts in the order of their arrival. `stop` is set while the running turn is to be aborted."""

    def __init__(self) -> None:
        """Empty and open."""
        self.stop = threading.Event()
        self._waiting: list[Prompt] = []
        self._busy = False
        self._closed = False
        self._running = False
        self._changed = threading.Condition()

    @property
    def busy(self) -> bool:
        """Whether a prompt runs or waits."""
        return self._busy

    def put(self, prompt: Prompt) -> None:
        """Add one."""
        with self._changed:
            if not self._busy:
                self._busy = True
                self.stop.clear()
            self._waiting.append(prompt)
            self._changed.notify()

    def close(self) -> None:
        """There will be no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self) -> Prompt | None:
        """The next prompt, waiting for it; None once there will be no more. Ends the turn before it.

        What waited while a turn ran is merged into one prompt; what arrives at rest comes alone.
        """
        with self._changed:
            merge = self._running and bool(self._waiting)
            if self._running:
                self.stop.clear()
            if not self._waiting:
                self._busy = self._running = False
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._running = True
            return self._merged() if merge else self._waiting.pop(0)

    def _merged(self) -> Prompt:
        if self._waiting[0].command:
            return self._waiting.pop(0)
        taken = [self._waiting.pop(0)]
        while self._waiting and not self._waiting[0].command:
            taken.append(self._waiting.pop(0))
        texts = "\n".join(prompt.text for prompt in taken)
        return Prompt(texts, tuple(uuid for prompt in taken for uuid in prompt.uuids))

    def take_waiting(self) -> list[Prompt]:
        """All prompts for the model that wait, to be worked into the running turn."""
        with self._changed:
            taken = [prompt for prompt in self._waiting if not prompt.command]
            self._waiting = [prompt for prompt in self._waiting if prompt.command]
            return taken

    def interrupt(self, cancel_waiting: bool) -> tuple[list[str], list[str]]:
        """Abort the running turn, if any; the ids of prompts that still wait, and of cancelled ones."""
        with self._changed:
            waiting = [uuid for prompt in self._waiting for uuid in prompt.uuids]
            if self._busy:
                self.stop.set()
            if not cancel_waiting:
                return waiting, []
            self._waiting.clear()
            return [], waiting
