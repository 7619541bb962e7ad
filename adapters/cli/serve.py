"""`claude-pool serve`, the way that starts at once: nothing heavy is imported before the owner is asked."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from claude_pool.domain.errors import PoolError

from ..calling import Link, greeting, refusal, remarks
from ..config.argv import parse
from ..config.layers import TOOLSETS_VARIABLE
from ..config.settings import Settings, refuse_inside, settle
from ..config.values import read_toolsets
from ..handover import reach
from ..relay import Relay


def main(arguments: Sequence[str], placing: Mapping[str, object] | None = None) -> int:
    """Serve a coordinator over standard input and output; the exit code.

    `arguments` are the flags of `serve`; `placing` holds those given before the verb.
    """
    try:
        served = parse(arguments)
    except PoolError as error:
        return _report(refusal(error), 2)
    return serve({**(placing or {}), **served.flags}, served.toolsets)


def serve(flags: Mapping[str, object], toolsets: str | None) -> int:
    """Serve with these pool options, by name; the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A coordinator gives its servers half a second; nothing here needs an orderly end.
        signal.signal(number, _leave)
    try:
        settings = settle(flags, os.environ)
        refuse_inside(settings, os.environ)
        asked = toolsets or os.environ.get(TOOLSETS_VARIABLE) or "default"
        chosen = read_toolsets(asked, "--toolsets" if toolsets else TOOLSETS_VARIABLE)
    except PoolError as error:
        return _report(refusal(error), 2)
    if settings.embedded:
        return _embedded(settings, chosen)
    hello = greeting(
        "relay",
        toolsets=chosen,
        explicit=settings.layers.explicit,
        environment=settings.environment,
        working_dir=settings.places.work_tree,
        on_disconnect=str(settings.layers.values["on_disconnect"]),
    )

    def reached() -> Link:
        link = reach(settings.places, hello, settings.document())
        for remark in remarks(link.welcome):
            sys.stderr.write(remark + "\n")
        return link

    relay = Relay(reached)
    if problem := relay.open():
        _report(problem, 3)
        if problem.startswith("[invalid_argument]"):
            return 2
    return relay.run()


def _embedded(settings: Settings, toolsets: str) -> int:
    from ..owner import embedded

    return embedded(settings.document(), toolsets)


def _report(problem: str, code: int) -> int:
    sys.stderr.write(problem + "\n")
    return code


def _leave(number: int, frame: object) -> None:  # noqa: ARG001  # the signature of a signal handler
    os._exit(0)
