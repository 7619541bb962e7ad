"""How a turn or a process is ended that does not end by itself: ever less kindly, each time for a moment."""

from __future__ import annotations

from .controls import Controls
from .outcome import limit_failure
from .process import SlotProcess, first_of
from .slot_server import SlotServer
from .turn import RunningTurn

_RUNG_SECONDS = 2.0
_REJECTED_SECONDS = 2.0


def over(running: RunningTurn, process: SlotProcess) -> bool:
    """Whether nothing more comes of a turn."""
    return running.done.done() or process.ended.done()


class Ladder:
    """The ladder of one process: a request, a signal to the turn, a signal to the process, and its death."""

    def __init__(self, process: SlotProcess, controls: Controls, server: SlotServer) -> None:
        """`server` is the slot's own tools: a turn that ends calls none any more."""
        self._process = process
        self._controls = controls
        self._server = server

    async def end_turn(self, running: RunningTurn) -> None:
        """Ask for the turn's end ever less kindly until it is there; at most 8 s."""
        self._server.cancel()
        if not running.sent:
            running.end(None)
        for act in (self._ask, self._signal, self._terminate):
            if over(running, self._process):
                return
            act(running)
            await first_of(running.done, self._process.ended, timeout=_RUNG_SECONDS)
        if not over(running, self._process):
            running.spent = True
            await self._process.kill()

    async def end_rejected(self, running: RunningTurn) -> None:
        """End a turn whose call was not let through: the CLI may wait for hours without saying so."""
        await first_of(running.done, self._process.ended, timeout=_REJECTED_SECONDS)
        running.waiting = False
        if running.rejected is not None and not over(running, self._process) and not running.stopping:
            running.stopping = True
            running.fail(limit_failure(running.rejected, "The provider's limit is reached."))
            await self.end_turn(running)

    async def end_process(self, exit_seconds: float) -> None:
        """Let the process exit by itself within so long, or after a signal; it may live on after that."""
        process = self._process
        for act, seconds in ((process.close_stdin, exit_seconds), (process.terminate, _RUNG_SECONDS)):
            if not process.ended.done():
                act()
                await first_of(process.ended, timeout=seconds)

    def _ask(self, _running: RunningTurn) -> None:
        self._controls.send("interrupt")

    def _signal(self, running: RunningTurn) -> None:
        running.spent = True
        self._process.interrupt()

    def _terminate(self, _running: RunningTurn) -> None:
        self._process.close_stdin()
        self._process.terminate()
