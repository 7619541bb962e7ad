"""`run --embedded`: an owner that lives as long as the command that needs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from ..calling import START_SECONDS, Link, Unavailable, connect, greeting
from ..client import Client
from ..config.options import BY_NAME
from ..config.settings import Settings
from ..handover import begin_log, open_log, why_it_ended
from ..places import prepare

COMMAND = (sys.executable, "-P", "-m", "claude_pool.adapters.cli", "serve", "--embedded")

_RETRY_SECONDS = 0.01


@contextmanager
def embedded(settings: Settings) -> Generator[Client]:
    """A session with an owner whose standard input is a pipe of ours, so that it cannot outlive us.

    On leaving, what still runs is interrupted, and the owner has ended.

    Raises:
        Unavailable: another owner is at work, or this one ended at its start.
    """
    places = settings.places
    prepare(places)
    logged, log = begin_log(places), open_log(places)
    with (
        open(log, "wb") as sink,
        subprocess.Popen(
            (*COMMAND, *(_as_flag(name, value) for name, value in settings.layers.explicit.items())),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=sink, start_new_session=True,
        ) as owner,
        Client(_link(settings, owner, logged)) as client,
    ):  # fmt: skip
        client.initialize()
        yield client


def _link(settings: Settings, owner: subprocess.Popen[bytes], logged: int) -> Link:
    """The connection to `owner`, and to no other."""
    deadline = time.monotonic() + START_SECONDS
    hello = greeting("shell", toolsets="all", working_dir=settings.places.work_tree)
    while time.monotonic() < deadline:
        if (code := owner.poll()) is not None:
            raise why_it_ended(settings.places, logged, code)
        link = connect(settings.places, hello)
        if link is not None and link.welcome.get("pid") == owner.pid:
            return link
        if link is not None:
            link.socket.close()
        time.sleep(_RETRY_SECONDS)
    raise Unavailable("internal", f"The owner did not answer within {START_SECONDS:g} seconds.")


def _as_flag(name: str, value: object) -> str:
    text = ",".join(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else str(value)
    return f"{BY_NAME[name].flag}={text}"
