"""`claude-pool serve`, the way that starts at once: nothing heavy is imported before the owner is asked."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from claude_pool.domain.errors import PoolError

from ..config.argv import parse
from ..config.layers import TOOLSETS_VARIABLE
from ..config.settings import Settings, settle
from ..config.values import read_toolsets
from ..handover import greeting, reach, refusal
from ..relay import Relay


def main(arguments: Sequence[str], placing: Mapping[str, object] | None = None) -> int:
    """Serve a coordinator over standard input and output; the exit code.

    `arguments` are the flags of `serve`; `placing` holds those given before the verb.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A coordinator gives its servers half a second; nothing here needs an orderly end.
        signal.signal(number, _leave)
    try:
        served = parse(arguments)
        settings = settle({**(placing or {}), **served.flags}, os.environ)
        asked = served.toolsets or os.environ.get(TOOLSETS_VARIABLE)
        toolsets = read_toolsets(asked or "default", "--toolsets" if served.toolsets else TOOLSETS_VARIABLE)
    except PoolError as error:
        return _report(refusal(error), 2)
    if settings.embedded:
        return _embedded(settings, toolsets)
    hello = greeting(
        "relay",
        toolsets=toolsets,
        explicit=settings.layers.explicit,
        environment=settings.environment,
        working_dir=settings.places.work_tree,
    )
    relay = Relay(lambda: reach(settings.places, hello, settings.document()))
    if problem := relay.open():
        if problem.startswith("[invalid_argument]"):
            return _report(problem, 2)
        _report(problem, 3)
    return relay.run()


def _embedded(settings: Settings, toolsets: str) -> int:
    from ..owner import embedded

    return embedded(settings.document(), toolsets)


def _report(problem: str, code: int) -> int:
    sys.stderr.write(problem + "\n")
    return code


def _leave(number: int, frame: object) -> None:  # noqa: ARG001  # the signature of a signal handler
    os._exit(0)
