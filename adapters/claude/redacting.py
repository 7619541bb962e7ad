"""Lines of a CLI without the values of credentials, before anything else looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec

from ..redaction import Secrets
from .stream import Message, parse, part, text

_DELTA = b'"content_block_delta"'
_PIECE = b'{"type":"stream_event","event":{"type":"content_block_delta","index":'
_END = b'"}}'
_SAYS = (b'"stream_event"', b'"assistant"', b'"result"')
_FIELDS = ("text", "partial_json", "thinking")


@dataclass(frozen=True, slots=True)
class _Held:
    """The end of a piece of a block, which may begin a value; `block` says of which."""

    block: tuple[object, object, str]
    message: Message
    end: str


class Redacting:
    """Cleans the lines of one process.

    A value that comes in pieces is found too: an end of a piece that may begin one comes with the next piece
    of its block, or as a piece of its own when the block is over.
    """

    def __init__(self, secrets: Secrets) -> None:
        """`secrets` may learn of more meanwhile."""
        self._secrets = secrets
        self._held: _Held | None = None
        self._inputs: dict[str, Message] = {}

    def feed(self, line: bytes) -> list[bytes]:
        """What to take for `line`: as a rule one line."""
        if not self._secrets.any:
            return [line]
        if line.startswith(_PIECE) and self._held is None and not self._may_end_inside(line):
            return [self._secrets.clean_line(line)]
        if _DELTA in line and (pieces := self._piece(line)) is not None:
            return pieces
        clean = self._secrets.clean_line(line)
        if clean is not line:
            self._remember(line)
        if self._held is not None and any(word in line for word in _SAYS):
            return [*self._let_go(), clean]
        return [clean]

    def input_of(self, request_id: str) -> Message | None:
        """The input that the CLI asked leave for with this request, where it is not as it was told; once."""
        return self._inputs.pop(request_id, None)

    def _may_end_inside(self, line: bytes) -> bool:
        """A quick look at a piece as the CLI writes it: most need no closer one."""
        at = line.find(_END)
        end = line[max(at - 3, 0) : at]
        return at < 0 or not end.isascii() or b"\\" in end or self._secrets.may_end_inside(end)

    def _piece(self, line: bytes) -> list[bytes] | None:
        message = parse(line) or {}
        event = part(message, "event")
        delta = part(event, "delta")
        name = next((each for each in _FIELDS if each in delta), None)
        if name is None:
            return None
        block = (message.get("parent_tool_use_id"), event.get("index"), name)
        before = [] if self._held is None or self._held.block == block else self._let_go()
        said = text(delta, name)
        given = said if self._held is None else self._held.end + said
        told, held = self._secrets.split(given)
        self._held = _Held(block, message, held) if held else None
        if told == said:
            return [*before, self._secrets.clean_line(line)]
        return [*before, self._secrets.clean_line(_with(message, name, told))]

    def _let_go(self) -> list[bytes]:
        held, self._held = self._held, None
        return [] if held is None else [_with(held.message, held.block[2], held.end)]

    def _remember(self, line: bytes) -> None:
        message = parse(line) or {}
        request = part(message, "request")
        if text(request, "subtype") == "can_use_tool":
            self._inputs[text(message, "request_id")] = part(request, "input")


def _with(message: Message, name: str, said: str) -> bytes:
    """The line of a piece that says `said` instead."""
    event = cast("dict[str, Any]", message["event"])
    return msgspec.json.encode({**message, "event": {**event, "delta": {**event["delta"], name: said}}})
