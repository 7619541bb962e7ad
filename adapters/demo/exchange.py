"""One model call and its answer, whole or in pieces, with everything that its step wants to go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .directives import Step, Usage
from .http import Connection, Disconnected
from .sse import Message, error_body, fault_message

_UNTIL_POLL_SECONDS = 0.01


@dataclass
class Call:
    """One model call that the API received, counted from 1, and what was served for it.

    `at` is seconds since the epoch. `end` is `open` until the call is over, then `complete`, `failed` (an
    HTTP error), `broken` (cut, or an error inside the stream) or `aborted` (the client went away).
    `served` are the tokens to be billed for what was sent: nothing for a failed call, the whole input and
    the output streamed so far for a broken or an aborted one.
    """

    number: int
    at: float
    model: str
    prompt: str
    step: int
    stream: bool
    status: int = 0
    end: str = "open"
    served: Usage = field(default_factory=Usage)


class Exchange:
    """One model call being answered. Keeps `call` true to what has been sent at every moment.

    An end is recorded before the last bytes go out, so that whoever has read them finds it recorded.
    """

    def __init__(
        self, connection: Connection, call: Call, step: Step, text: str, record: Callable[[Call], None]
    ) -> None:
        """`text` is what the step says to this call; `record` is told once how the call ended."""
        self._connection = connection
        self._call = call
        self._step = step
        self._record = record
        self._message = Message(f"msg_{call.number:08d}", call.model, step, text)
        self._headers = {"request-id": f"req_{call.number:08d}"}

    async def run(self) -> None:
        """Answer, or fail as the step says.

        Raises:
            Disconnected: the client went away before the end.
        """
        if self._step.delay_ms:
            await self._while_connected(asyncio.sleep(self._step.delay_ms / 1000))
        fault = self._step.fault.kind if self._step.fault else ""
        if fault == "hang":
            await self._while_connected(asyncio.Event().wait())
        elif fault == "status":
            await self._fail()
        elif fault == "html":
            self._end("failed", 200)
            page = b"<!doctype html><title>Sign in to the network</title>"
            await self._connection.answer(200, page, "text/html", self._headers)
        elif self._call.stream:
            await self._answer_in_pieces()
        else:
            await self._answer_whole()

    def _end(self, end: str, status: int) -> None:
        self._call.end, self._call.status = end, status
        self._record(self._call)

    async def _fail(self) -> None:
        fault = self._step.fault
        assert fault is not None
        headers = dict(self._headers)
        if fault.retry_after is not None:
            headers["retry-after"] = fault.retry_after
        if fault.resets is not None:
            headers |= usage_limit_headers(fault.resets)
        if fault.no_retry:
            headers["x-should-retry"] = "false"
        self._end("failed", fault.status)
        message = fault_message(fault, self._call.model)
        await self._connection.answer_json(fault.status, error_body(fault.status, message), headers)

    async def _answer_whole(self) -> None:
        """Answer in one JSON body. A fault in the middle of a stream has no meaning here but the break."""
        if self._step.until:
            await self._while_connected(_exists(Path(self._step.until)))
        fault = self._step.fault.kind if self._step.fault else ""
        if fault == "stall":
            await self._while_connected(asyncio.Event().wait())
        elif fault == "cut":
            self._end("broken", 0)
            self._connection.break_off()
            raise Disconnected
        elif fault == "error":
            self._end("failed", 529)
            await self._connection.answer_json(529, error_body(529, "Overloaded"), self._headers)
            return
        self._call.served = self._step.usage
        self._end("complete", 200)
        await self._connection.answer_json(200, self._message.whole(), self._headers)

    async def _answer_in_pieces(self) -> None:
        self._call.status = 200
        await self._connection.begin_stream(self._headers)
        self._call.served = self._message.served(0)
        await self._while_connected(self._pieces())

    async def _pieces(self) -> None:
        fault = self._step.fault
        sent = 0
        for event in self._message.events():
            if fault is not None and sent >= fault.after and event.name not in _BEFORE_PIECES:
                await self._break(fault.kind)
                return
            if event.piece and sent and self._step.pace_ms:
                await asyncio.sleep(self._step.pace_ms / 1000)
            if event.name == "message_stop":
                self._call.served = self._step.usage
                self._end("complete", 200)
                # a client that acts on the last word must not find itself within the answer still
                await self._connection.end_stream(event.encode())
                return
            await self._connection.write_chunk(event.encode())
            if event.piece:
                sent += 1
                self._call.served = self._message.served(sent)
                if sent == 1 and self._step.until:
                    await _exists(Path(self._step.until))

    async def _break(self, kind: str) -> None:
        if kind == "stall":
            await asyncio.Event().wait()
        self._end("broken", 200)
        if kind == "cut":
            self._connection.break_off()
            raise Disconnected
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        await self._connection.end_stream(f"event: error\ndata: {json.dumps(error)}\n\n".encode())

    async def _while_connected(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something slow unless the client goes away meanwhile.

        Raises:
            Disconnected: it went away.
        """
        working = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._connection.gone())
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Disconnected
            working.result()
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)


def usage_limit_headers(resets: int) -> dict[str, str]:
    """What the API says of an account whose use is up until `resets` (seconds since 1970)."""
    return {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(resets),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }


_BEFORE_PIECES = ("message_start", "ping", "content_block_start")


async def _exists(path: Path) -> None:
    while not path.exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(_UNTIL_POLL_SECONDS)
