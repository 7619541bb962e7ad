"""As much HTTP/1.1 as a loopback API needs: requests with bodies, keep-alive, whole and chunked answers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any


class Disconnected(Exception):
    """The client went away."""


@dataclass(frozen=True)
class Request:
    """One request: method, path without query, headers in lower case, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One client connection. Notices while it writes that the client has gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the two ends of an accepted connection."""
        self._reader = reader
        self._writer = writer

    async def request(self) -> Request | None:
        """The next request, or None where the client closed.

        Raises:
            Disconnected: the client went away in the middle of one.
        """
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:] if line)
            }
            return Request(method, target.partition("?")[0], headers, await self._body(headers))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise Disconnected from error
            return None
        except (ConnectionError, ValueError, asyncio.LimitOverrunError) as error:
            raise Disconnected from error

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        parts: list[bytes] = []
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readuntil(b"\r\n")
        return b"".join(parts)

    async def answer(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        """Write a whole answer."""
        self._head(
            status, {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        )
        self._writer.write(body)
        await self._drain()

    async def answer_json(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Write a whole answer in JSON."""
        await self.answer(status, json.dumps(body).encode(), "application/json", headers)

    async def begin_stream(self, headers: dict[str, str]) -> None:
        """Write the head of a stream of events."""
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers})
        await self._drain()

    async def write_chunk(self, part: bytes) -> None:
        """Write one chunk of a stream."""
        self._writer.write(_chunk(part))
        await self._drain()

    async def end_stream(self, part: bytes) -> None:
        """Write the last chunk of a stream, and in the same breath its end."""
        self._writer.write(_chunk(part) + _chunk(b""))
        await self._drain()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def _drain(self) -> None:
        try:
            if self._reader.at_eof():
                raise Disconnected
            await self._writer.drain()
        except ConnectionError as error:
            raise Disconnected from error

    async def gone(self) -> None:
        """Wait until the client has gone. The client must have nothing more to say on this connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return

    def break_off(self) -> None:
        """Drop the connection without any farewell."""
        self._writer.transport.abort()

    def close(self) -> None:
        """Close the connection once what was written is out."""
        self._writer.close()


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)
