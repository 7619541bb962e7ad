"""A slot's process that is played: it says recorded lines, and ends as it was recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
from claude_pool.domain.ports import ProcessEnd
from claude_pool.domain.values import Outcome

from ..claude.process import SlotProcess, Spawn
from ..claude.stream import parse, part, text

_EXITED = re.compile(r"The CLI exited with code (\d+) before a result came\.(?: It said: (.*))?", re.DOTALL)
_WHEN = r" (?:before a result came\.(?: It said: (.*))?|at the end of the turn, .*)"
_KILLED = re.compile(r"The CLI was ended by signal (\d+)(?: \([^)]*\))?" + _WHEN, re.DOTALL)
_GONE = re.compile("The CLI disappeared" + _WHEN, re.DOTALL)
_NORMALLY = "The CLI exited normally without a result."


class PlayedProcess(SlotProcess):
    """A process that only says what it is fed. It answers what it is asked for at once."""

    def __init__(self, spawn: Spawn, on_line: Callable[[bytes], None], *told: Any) -> None:
        """`begin` gives it the lines of a turn."""
        super().__init__(spawn, on_line, *told)
        self.prompted = asyncio.Event()
        self.version = ""
        self.cleared_to = ""
        self._say = on_line
        self._script: list[bytes] = []

    def begin(self, lines: list[bytes]) -> None:
        """These are the lines of the next turn."""
        self._script = lines
        self.prompted.clear()

    @property
    def sent(self) -> bool:
        """Whether it has got the turn's prompt."""
        return self.prompted.is_set()

    @property
    def left(self) -> int:
        """So many lines of the turn have not been said yet."""
        return len(self._script)

    def feed(self) -> bytes:
        """Say the next line of the turn; the line."""
        line = self._script.pop(0)
        self._say(line)
        return line

    def end(self, end: ProcessEnd) -> None:
        """The process is gone."""
        if not self.ended.done():
            self.ended.set_result(end)

    async def start(self, seconds: float) -> None:
        """It runs."""

    def write(self, line: bytes) -> None:
        """Answer requests and `/clear`; a prompt is answered by what is fed."""
        message = parse(line) or {}
        if text(message, "type") == "control_request":
            self._answer(text(message, "request_id"), text(part(message, "request"), "subtype"))
        elif text(message, "type") == "user":
            if text(part(message, "message"), "content") == "/clear":
                uuid = text(message, "uuid")
                self._soon({"type": "result", "session_id": self.cleared_to, "user_message_uuid": uuid})
            else:
                self.prompted.set()

    def _answer(self, request_id: str, subtype: str) -> None:
        if self.sent and self._script:
            return  # what it says to an interruption is among its lines
        while any(_is_response(line) for line in self._script):
            response = part(parse(self._script[0]) or {}, "response")
            if _is_response(self._script[0]) and text(response, "request_id") == request_id:
                line = self._script.pop(0)
                asyncio.get_running_loop().call_soon(self._say, line)
                return
            if _is_response(self._script[0]):
                break  # an answer to something else
            self.feed()
        body = {"claude_code_version": self.version} if subtype == "initialize" else {}
        response = {"subtype": "success", "request_id": request_id, "response": body}
        self._soon({"type": "control_response", "response": response})

    def _soon(self, message: object) -> None:
        asyncio.get_running_loop().call_soon(self._say, msgspec.json.encode(message))

    def watch(self) -> None:
        """Nothing of it can be counted."""

    def close_stdin(self) -> None:
        """It is ended by `end` and `kill` alone."""

    def interrupt(self) -> None:
        """See `close_stdin`."""

    def terminate(self) -> None:
        """See `close_stdin`."""

    async def sweep_orphans(self) -> None:
        """It started nothing."""

    async def kill(self) -> ProcessEnd:
        """It is gone."""
        self.end(ProcessEnd(None, 0, self.expected))
        return self.ended.result()


def ended_by_itself(outcome: Outcome) -> ProcessEnd | None:
    """How the process of an attempt ended by itself, as the words of `judge` tell; None: it did not."""
    said = outcome.message or ""
    if said == _NORMALLY:
        return ProcessEnd(0, 0, expected=False)
    if outcome.code == "session_not_found":
        return ProcessEnd(1, 0, expected=False, message=said)
    if found := _EXITED.fullmatch(said):
        return ProcessEnd(int(found[1]), 0, expected=False, message=found[2] or "")
    if found := _KILLED.fullmatch(said):
        return ProcessEnd(-int(found[1]), 0, expected=False, message=found[2] or "")
    if found := _GONE.fullmatch(said):
        return ProcessEnd(None, 0, expected=False, message=found[1] or "")
    return None


def _is_response(line: bytes) -> bool:
    return text(parse(line) or {}, "type") == "control_response"
