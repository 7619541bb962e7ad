"""Tells of a loop that is blocked, from a thread beside it: meanwhile nobody is answered."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager

BLOCKED_SECONDS = 5.0
GRACE_SECONDS = 0.5
"""What a process that was stopped as a whole, and goes on, has left to answer in."""
EVERY_SECONDS = 5.0

_log = logging.getLogger(__name__)


@contextmanager
def watching(blocked: float = BLOCKED_SECONDS, every: float = EVERY_SECONDS) -> Generator[None]:
    """Look every `every` seconds whether the running loop answers within `blocked`; log where it is if not,
    and how long it was away once it is back. Must be entered on the loop's own thread.
    """
    loop, thread, over = asyncio.get_running_loop(), threading.get_ident(), threading.Event()

    def watch() -> None:
        while not over.wait(every):
            if not _answers(loop, thread, blocked, over):
                return

    watcher = threading.Thread(target=watch, name="watchdog", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()


def _answers(loop: asyncio.AbstractEventLoop, thread: int, blocked: float, over: threading.Event) -> bool:
    """Whether the loop answers, sooner or later, before it is `over`."""
    answered, began = threading.Event(), time.monotonic()
    try:
        loop.call_soon_threadsafe(answered.set)
    except RuntimeError:  # it is closed
        return False
    if answered.wait(blocked) or answered.wait(GRACE_SECONDS):
        return True
    _log.warning("the loop has been blocked for %.1f s, at %s", time.monotonic() - began, _place(thread))
    while not answered.wait(blocked):
        if over.is_set():
            return False
    _log.warning("the loop goes on; it was blocked for %.1f s", time.monotonic() - began)
    return True


def _place(thread: int) -> str:
    """Where a thread is: its innermost calls, the last one first."""
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]
    calls = traceback.extract_stack(frame)[-3:] if frame is not None else []
    return ", called from ".join(f"{each.name} ({each.filename}:{each.lineno})" for each in reversed(calls))
