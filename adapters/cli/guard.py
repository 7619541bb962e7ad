"""How a verb ends: with an exit code, and for every error one line on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from claude_pool.domain.errors import PoolError

from ..calling import NoOwner, Unavailable
from ..client import ToolError
from . import exits, output
from .tool_names import in_words_of_the_shell


def guarded(work: Callable[[], int | None]) -> int:
    """What `work` returns as an exit code; an error becomes one line on standard error and its code."""
    try:
        code = work() or exits.DONE
        sys.stdout.flush()
        return code
    except NoOwner as error:
        refused(error.code, error.message)
        return exits.REFUSED
    except (ToolError, Unavailable, PoolError) as error:
        return refused(error.code, error.message)
    except TimeoutError:
        return refused("internal", "The pool's owner does not answer. `claude-pool doctor` may say why.")
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.FAILED
    except Exception as error:
        return refused("internal", f"{type(error).__name__}: {error}. Please report this.")


def refused(code: str, message: str) -> int:
    """Say a refusal; its exit code."""
    output.note(f"[{code}] {in_words_of_the_shell(' '.join(message.split()))}")
    return exits.of_error(code)
