"""The command `claude-pool`. `serve` and plain looks are dispatched before a command line is built."""

from __future__ import annotations

import gc
import sys

SELDOM = 50_000
"""So many objects come before the collector looks: what a command imports stays anyhow, and to look through
it again and again takes a tenth of a short command."""


def main() -> int:
    """Run the command line of this process; the exit code."""
    words = sys.argv[1:]
    placing: dict[str, object] = {}
    while words and words[0].startswith(("--state-dir", "--working-dir")):
        flag, given, value = words.pop(0).partition("=")
        if not given and words:
            value = words.pop(0)
        placing[flag[2:].replace("-", "_")] = value
    if words[:1] == ["serve"] and not {"--help", "-h"} & set(words):
        from .serve import main as serve

        return serve(words[1:], placing)
    gc.set_threshold(SELDOM, 20, 20)
    from .plain import plain_call

    if call := plain_call(words, placing):
        return call()
    from .app import run

    return run()
