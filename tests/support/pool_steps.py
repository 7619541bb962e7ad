"""What the runner of features must not let pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def forbid_async_steps(step_func: Callable[..., object]) -> None:
    """Refuse a step that would only make a coroutine: the runner would take that for success.

    Raises:
        TypeError: the step is asynchronous.
    """
    if inspect.iscoroutinefunction(step_func) or inspect.isasyncgenfunction(step_func):
        raise TypeError(f"{step_func.__name__} is asynchronous; steps are called, not awaited")
