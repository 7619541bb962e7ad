"""Printing the model's messages: the raw events, and an assistant's line for every block."""

from __future__ import annotations

import json
from typing import Any

from claude_pool.adapters.demo.sse import Event

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.wire import Line


class Printer:
    """Prints the messages of one turn."""

    def __init__(self, cli: Cli, uuids: tuple[str, ...]) -> None:
        """`uuids` are the ids of the prompts that the turn answers."""
        self._cli = cli
        self._uuids = uuids
        self._marked = False
        self._message: Line = {}
        self._blocks: list[Line] = []

    def show(self, event: Event) -> None:
        """Print one event of a stream, and the assistant's line where a block is whole."""
        self.assemble(event)
        if self._cli.options.on("include-partial-messages"):
            body = {"type": event.name, **event.fields}
            more = self._ids() if event.name == "message_start" and not self._marked else {}
            self._cli.wire.emit(lines.stream_event(self._cli.session, body, str(self._message["id"]), **more))

    def assemble(self, event: Event) -> None:
        """Put blocks together; print the assistant's line for each."""
        if event.name == "message_start":
            self._message = event.fields["message"]
            self._blocks = []
        elif event.name == "content_block_start":
            self._blocks.append({**event.fields["content_block"]})
        elif event.name == "content_block_delta":
            delta, block = event.fields["delta"], self._blocks[-1]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            else:
                block["input"] = json.loads(delta["partial_json"])
        elif event.name == "content_block_stop":
            self.print_block()

    def print_block(self, **more: Any) -> None:
        """Print the last block, as far as it has come."""
        message = {**self._message, "content": [self._blocks[-1]], "context_management": None}
        request = f"req_{self._message['id']}"
        self._cli.wire.emit(lines.assistant(self._cli.session, message, request, **more, **self.mark()))

    def mark(self) -> Line:
        """The ids of the prompts, for the first assistant's line of the turn only."""
        if self._marked:
            return {}
        self._marked = True
        return self._ids()

    def _ids(self) -> Line:
        if not self._uuids or self._cli.old:
            return {}
        return {"user_message_uuid": self._uuids[-1], "user_message_uuids": list(self._uuids)}

    def tool_ids(self) -> list[str]:
        """The ids of the tool calls in the last message."""
        return [str(block["id"]) for block in self._blocks if block["type"] == "tool_use"]
