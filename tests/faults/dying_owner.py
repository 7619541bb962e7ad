"""Real owners that kill themselves at a chosen append, forked from one process that has imported everything.

`python -m tests.faults.dying_owner` reads orders from standard input, one JSON object a line: `document` is
what an owner reads, `environment` all that it sees, `output` the file that it prints to. `kill` (or null)
is a list of the phase, the number of the append of this owner (1, 2, …), and the client's ledger. The answer
to an order is the pid of its owner.

The owner is what the product starts. Watched is one method of the library under the log, from outside:

    before          the rows are in, their transaction is not committed
    after           the transaction is committed, nobody knows of it yet
    acknowledged    the caller of a command has its answer; effects of other facts have begun
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from claude_pool.adapters.handover import OWNER_COMMAND
from claude_pool.adapters.mcp import mounting
from claude_pool.adapters.owner import process
from claude_pool.adapters.store.recorder import ChainRecorder
from claude_pool.adapters.store.sqlite import SqliteEventLog
from claude_pool.domain.records import Actor, Meta

from tests.support.waiting import until_sync

BEFORE, AFTER, ACKNOWLEDGED = "before", "after", "acknowledged"
PHASES = (BEFORE, AFTER, ACKNOWLEDGED)

ANSWER_SECONDS = 3.0
"""So long a caller may take to get its answer, before its owner dies all the same."""

EFFECT_SECONDS = 0.03
"""So long effects have to begin."""

_LOADED = (process, mounting)
"""What an owner imports, and what it imports on a thread of its own: here it is there already."""


class Trap:
    """Kills this process around its append number `count`."""

    def __init__(self, phase: str, count: int, ledger: Path) -> None:
        """`ledger` has two lines for each call of the client that was answered, one for an open call.

        Beside it appears, with the suffix `.dead`, an empty file when the trap has killed its owner.
        """
        self._phase = phase
        self._count = count
        self._ledger = ledger
        self._tombstone = ledger.with_suffix(".dead")
        self._appends = 0
        self._client = False
        self._sprung = False

    def set(self) -> None:
        """Watch the log's appends from now on."""
        append, insert = SqliteEventLog.append, ChainRecorder.insert_events

        def watched_append(log: SqliteEventLog, facts: Any, expected: Any, meta: Meta) -> Any:
            self._client = meta.actor in (Actor.COORDINATOR, Actor.SHELL)
            return append(log, facts, expected, meta)

        def watched_insert(
            recorder: ChainRecorder, events: Any, *, within: Callable[..., None] | None = None, **more: Any
        ) -> Any:
            if self._sprung:
                threading.Event().wait()

            def watched_within(cursor: Any, rows: Any) -> None:
                if within is not None:
                    within(cursor, rows)
                self._appends += 1
                self._die_in(BEFORE)

            positions = insert(recorder, events, within=watched_within, **more)
            self._die_in(AFTER)
            if self._phase == ACKNOWLEDGED and self._appends == self._count:
                self._spring()
            return positions

        SqliteEventLog.append = watched_append  # type: ignore[method-assign]
        ChainRecorder.insert_events = watched_insert  # type: ignore[method-assign]

    def _die_in(self, phase: str) -> None:
        if self._phase == phase and self._appends == self._count:
            self._die()

    def _spring(self) -> None:
        """Die soon. What follows from a client's command may be recorded until then; nothing else is."""
        self._sprung = not self._client
        dying = (
            threading.Thread(target=self._once_answered)
            if self._client
            else threading.Timer(EFFECT_SECONDS, self._die)
        )
        dying.daemon = True
        dying.start()

    def _once_answered(self) -> None:
        with suppress(TimeoutError):
            until_sync(lambda: self._ledger.read_bytes().count(b"\n") % 2 == 0, ANSWER_SECONDS, step=0.001)
        self._die()

    def _die(self) -> None:
        self._tombstone.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _be_owner(order: dict[str, Any]) -> NoReturn:
    """Go on as the owner that is asked for, as if just started."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir("/")
        settings = os.memfd_create("settings")
        os.write(settings, json.dumps(order["document"]).encode())
        os.lseek(settings, 0, os.SEEK_SET)
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for ours, standard in ((settings, 0), (output, 1), (output, 2)):
            os.dup2(ours, standard)
        os.close(settings)
        os.close(output)
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  # it lives as long as the process
        if order["kill"] is not None:
            phase, count, ledger = order["kill"]
            Trap(phase, count, Path(ledger)).set()
        runpy.run_module(OWNER_COMMAND[-1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Start owners until standard input ends."""
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system collects them; whoever waits has a pidfd
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be_owner(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
