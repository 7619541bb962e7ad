"""A scripted Messages API on 127.0.0.1.

It answers `POST /v1/messages` (streamed or whole) and `/v1/messages/count_tokens` well enough for the
Claude Code CLI, and anything else with 404. What it answers is decided by the last real prompt of the
request: by the rules of a `Script`, else by the directives in the prompt (the language is described in
`directives`), else it echoes the prompt. A bad directive is answered with status 400 that names it.

In an event loop: `async with ScriptedApi(Script()) as api:`. In synchronous code: `with running_api() as
api:` hosts it in a thread. As a process: `python -m claude_pool.adapters.demo.scripted_api --port 0
--calls FILE` prints the URL and then serves until it is ended; every call is appended to FILE as one
JSON line when it arrives and another one, with the same `number`, when it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

from .directives import DirectiveError, Fault, Step, Usage
from .exchange import Call, Exchange
from .http import Connection, Disconnected, Request
from .script import Script, is_object, read_ask
from .sse import error_body

__all__ = ["Call", "ScriptedApi", "running_api"]


class ScriptedApi:
    """The server. `calls` lists the model calls in the order of their arrival.

    Where `key` is set, calls with another API key are refused with status 401. Where `bodies` is a list, the
    body of every request is appended to it, whatever was asked.
    """

    def __init__(
        self, script: Script | None = None, *, port: int = 0, calls_file: Path | None = None
    ) -> None:
        """`port` 0 takes a free one; `calls_file` is appended to."""
        self.script = script or Script()
        self.key: str | None = None
        self.bodies: list[bytes] | None = None
        self.calls: list[Call] = []
        self.count_tokens_calls = 0
        self._port = port
        self._calls_file = calls_file
        self._changed = threading.Condition()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens, for `ANTHROPIC_BASE_URL`. Only after `start`."""
        return f"http://127.0.0.1:{self._port}"

    def usage_by_model(self) -> dict[str, Usage]:
        """The tokens served so far, by model."""
        totals: dict[str, Usage] = {}
        for call in self.calls:
            totals[call.model] = totals.get(call.model, Usage()) + call.served
        return totals

    def wait_for_calls(self, count: int, seconds: float = 10) -> list[Call]:
        """Wait, from another thread than the server's, until `count` calls have arrived; all of them.

        Raises:
            TimeoutError: they have not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.calls) >= count, seconds):
                raise TimeoutError(f"{len(self.calls)} of {count} calls arrived within {seconds} s")
        return list(self.calls)

    def wait_until_closed(self, number: int, seconds: float = 10) -> Call:
        """Wait, from another thread than the server's, until a call is over.

        Raises:
            TimeoutError: it is not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_over(number), seconds):
                raise TimeoutError(f"call {number} is not over after {seconds} s")
        return self.calls[number - 1]

    def _is_over(self, number: int) -> bool:
        return len(self.calls) >= number and self.calls[number - 1].end != "open"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=64 * 2**20)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every open connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Connection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            while (request := await connection.request()) is not None:
                if self.bodies is not None:
                    self.bodies.append(request.body)
                await self._route(connection, request)
        except Disconnected:
            pass
        finally:
            connection.close()

    async def _route(self, connection: Connection, request: Request) -> None:
        body = _json_object(request.body)
        if request.method == "POST" and request.path == "/v1/messages" and body is not None:
            known = self.key in (None, request.headers.get("x-api-key"))
            await self._messages(connection, body, known)
        elif request.method == "POST" and request.path == "/v1/messages/count_tokens":
            self.count_tokens_calls += 1
            await connection.answer_json(200, {"input_tokens": max(1, len(request.body) // 4)})
        elif request.method == "POST" and request.path == "/v1/messages":
            await connection.answer_json(400, error_body(400, "the body is not a JSON object"))
        else:
            await connection.answer_json(404, error_body(404, f"there is no {request.method} {request.path}"))

    async def _messages(self, connection: Connection, body: dict[str, Any], known: bool) -> None:
        ask = read_ask(body)
        call = Call(len(self.calls) + 1, time.time(), ask.model, ask.prompt, ask.step, ask.stream)
        self.calls.append(call)
        self._record(call)
        try:
            step = _bounded(self.script.decide(ask), body.get("max_tokens"))
            if not known:
                step = replace(step, fault=Fault("status", status=401))
            answer = self.script.answer(ask, step)
            await Exchange(connection, call, step, answer, self._record).run()
        except DirectiveError as error:
            call.status, call.end = 400, "failed"
            self._record(call)
            await connection.answer_json(400, error_body(400, f"scripted API: {error}"))
        except (Disconnected, asyncio.CancelledError):
            if call.end == "open":
                call.end = "aborted"
                self._record(call)
            raise

    def _record(self, call: Call) -> None:
        with self._changed:
            self._changed.notify_all()
        if self._calls_file is not None:
            with self._calls_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(call)) + "\n")


def _bounded(step: Step, most: object) -> Step:
    """The step with no more output than the request allows."""
    if not isinstance(most, int) or step.usage.output <= most:
        return step
    return replace(step, usage=replace(step.usage, output=max(0, most)))


def _json_object(body: bytes) -> dict[str, Any] | None:
    with suppress(ValueError):
        value = json.loads(body)
        return value if is_object(value) else None
    return None


@contextmanager
def running_api(script: Script | None = None, *, calls_file: Path | None = None) -> Generator[ScriptedApi]:
    """A scripted API that runs in a thread of its own while the context lasts."""
    api = ScriptedApi(script, calls_file=calls_file)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        async with api:
            started.set()
            await stopping.wait()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="scripted-api")
    thread.start()
    try:
        if not started.wait(10):
            raise RuntimeError("the scripted API did not start within 10 s")
        yield api
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def main(arguments: list[str] | None = None) -> None:
    """Serve until ended; the first line on stdout is the URL."""
    parser = argparse.ArgumentParser(description="A scripted Messages API on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--calls", type=Path, default=None, help="append every call to this file, as JSON lines"
    )
    options = parser.parse_args(arguments)

    async def serve() -> None:
        async with ScriptedApi(port=options.port, calls_file=options.calls) as api:
            sys.stdout.write(api.url + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
