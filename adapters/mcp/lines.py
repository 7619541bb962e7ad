"""Serves one connection that speaks newline-delimited JSON-RPC over a pair of asyncio streams."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from typing import Any, cast

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import Server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

from ..redaction import Secrets
from .connection import CURRENT, Connection
from .server import initialization_options
from .serving import Serving
from .unicode import whole_characters

LINE_BYTES = 32 * 1024 * 1024
"""The limit for lines that the streams of a connection must be opened with."""

Incoming = SessionMessage | Exception

_LEAVE_SECONDS = 1.0
_LONGEST_NUMBER = 400  # digits; Python reads no more than 4,300
_GONE = (ConnectionError, anyio.BrokenResourceError, anyio.ClosedResourceError)

_log = logging.getLogger(__name__)


async def serve_lines(
    server: Server[Serving],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    connection: Connection,
    secrets: Secrets | None = None,
) -> None:
    """Serve until the peer is gone; its running calls are then cancelled. Closes `writer`.

    A fault of one connection ends that connection only. `reader` must have the limit `LINE_BYTES`; a
    longer line ends the connection. No answer holds one of `secrets`.
    """
    current = CURRENT.set(connection)
    try:
        await _serve(server, reader, writer, secrets or Secrets())
    except* _GONE:
        pass
    except* Exception:
        _log.exception("a connection failed")
    finally:
        CURRENT.reset(current)
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_LEAVE_SECONDS):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()  # a peer that does not read must not hold the connection open
    except (ConnectionError, NotImplementedError):
        pass  # pipes, unlike sockets, cannot be waited for


async def _serve(
    server: Server[Serving], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secrets: Secrets
) -> None:
    to_server, incoming = anyio.create_memory_object_stream[Incoming]()
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage]()
    async with anyio.create_task_group() as group:
        group.start_soon(_read, reader, to_server, outgoing.clone())
        group.start_soon(_write, from_server, writer, secrets)
        # Ends when `_read` has closed its side, and then closes `outgoing`, which ends `_write`.
        await server.run(incoming, outgoing, initialization_options(server))


async def _read(
    reader: asyncio.StreamReader,
    to_server: MemoryObjectSendStream[Incoming],
    outgoing: MemoryObjectSendStream[SessionMessage],
) -> None:
    async with to_server, outgoing:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                problem = f"A line is longer than {LINE_BYTES} bytes; the connection ends."
                await outgoing.send(SessionMessage(refused(None, PARSE_ERROR, problem)))
                return
            if not line:
                return
            match read_message(line) if line.strip() else None:
                case JSONRPCError() as refusal:
                    await outgoing.send(SessionMessage(refusal))
                case None:
                    pass
                case message:
                    await to_server.send(message)


async def _write(
    from_server: MemoryObjectReceiveStream[SessionMessage], writer: asyncio.StreamWriter, secrets: Secrets
) -> None:
    async with from_server:
        async for message in from_server:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
            writer.write(secrets.clean_line(line) + b"\n")
            await writer.drain()


def read_message(line: bytes) -> Incoming | JSONRPCError:
    """What a line says.

    Half a surrogate pair, which JavaScript writes where it cut a text in two, becomes U+FFFD. A request that
    still cannot be read is answered by the error that is returned, so that nobody waits for it; anything
    else is the exception that reading it raised.
    """
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValidationError as error:
        try:
            value: object = json.loads(line.decode("utf-8", "replace"), parse_int=_number)
            text = whole_characters(json.dumps(value, ensure_ascii=False))
        except (ValueError, RecursionError):
            return error
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
        except ValidationError:
            number = _request_id(value)
            return error if number is None else refused(number, INVALID_REQUEST, "This is no request.")


def refused(number: str | int | None, code: int, problem: str) -> JSONRPCError:
    """The answer to the request `number` that it could not be taken."""
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=problem))


def _number(digits: str) -> float:
    return int(digits) if len(digits) < _LONGEST_NUMBER else math.inf


def _request_id(value: object) -> str | int | None:
    if not isinstance(value, dict) or "method" not in value:
        return None
    number = cast("dict[str, Any]", value).get("id")
    return number if isinstance(number, str | int) and not isinstance(number, bool) else None
