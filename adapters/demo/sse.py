"""The bodies of the Messages API: a message whole, as server-sent events, and its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .directives import Fault, Step, Usage, output_served, pieces

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_MESSAGES = {
    400: "messages: the request is not valid",
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "model: {model}",
    413: "Request exceeds the maximum size",
    429: "Number of request tokens has exceeded your per-minute rate limit",
    500: "Internal server error",
    529: "Overloaded",
}

_VARIANTS = {
    "credit": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
    "upgrade or purchase credits.",
    "too-long": "prompt is too long: 1200000 tokens > 1000000 maximum",
}


def error_body(status: int, message: str, request_id: str = "req_scripted") -> dict[str, Any]:
    """The API's JSON for an HTTP error."""
    kind = ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def fault_message(fault: Fault, model: str) -> str:
    """The text of a scripted HTTP error: its own, its variant's, or the usual one of its status."""
    usual = _MESSAGES.get(fault.status, "scripted error").format(model=model)
    return fault.message or _VARIANTS.get(fault.variant, usual)


def usage_json(usage: Usage, output: int | None = None) -> dict[str, Any]:
    """The `usage` object of a message; `output` replaces its output tokens while it is still streaming."""
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output if output is None else output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "service_tier": "standard",
    }


@dataclass(frozen=True)
class Message:
    """One answer of the model, ready to be written whole or in pieces."""

    id: str
    model: str
    step: Step
    text: str

    @property
    def stop_reason(self) -> str:
        """Why the model stopped."""
        return self.step.stop or ("tool_use" if self.step.tools else "end_turn")

    def _tool_blocks(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{self.id.removeprefix('msg_')}{index}",
                "name": tool.name,
                "input": tool.input,
            }
            for index, tool in enumerate(self.step.tools)
        ]

    @property
    def says_text(self) -> bool:
        """Whether the message has a text block: a tool call says nothing unless it was told to."""
        return bool(self.text) and not (self.step.tools and self.step.says == "echo")

    def whole(self) -> dict[str, Any]:
        """The message as a response that is not streamed."""
        content: list[dict[str, Any]] = []
        if self.says_text:
            content.append({"type": "text", "text": self.text})
        return self._shell(content + self._tool_blocks(), self.stop_reason, usage_json(self.step.usage))

    def _shell(self, content: list[Any], stop: str | None, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    def events(self) -> Iterator[Event]:
        """The message as a stream of events; those that carry a piece of the answer say so."""
        yield Event("message_start", {"message": self._shell([], None, usage_json(self.step.usage, 1))})
        yield Event("ping", {})
        index = 0
        blocks = self._tool_blocks()
        texts = pieces(self.text, self.step.pieces) if self.says_text or self.step.pieces else []
        if texts:
            yield from self._block(index, {"type": "text", "text": ""}, "text_delta", "text", texts)
            index += 1
        for block in blocks:
            arguments = [json.dumps(block["input"])]
            start: dict[str, Any] = {**block, "input": {}}
            yield from self._block(index, start, "input_json_delta", "partial_json", arguments)
            index += 1
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        yield Event("message_delta", {"delta": delta, "usage": usage_json(self.step.usage)})
        yield Event("message_stop", {})

    def _block(
        self, index: int, start: dict[str, Any], delta: str, member: str, texts: list[str]
    ) -> Iterator[Event]:
        yield Event("content_block_start", {"index": index, "content_block": start})
        for text in texts:
            yield Event(
                "content_block_delta", {"index": index, "delta": {"type": delta, member: text}}, piece=True
            )
        yield Event("content_block_stop", {"index": index})

    def piece_count(self) -> int:
        """How many pieces the whole stream has."""
        return sum(event.piece for event in self.events())

    def served(self, sent: int) -> Usage:
        """The tokens served once `sent` pieces were written."""
        usage = self.step.usage
        output = output_served(usage.output, sent, self.piece_count())
        return Usage(usage.input, output, usage.cache_read, usage.cache_write, usage.cache_write_1h)


@dataclass(frozen=True)
class Event:
    """One server-sent event; `piece` marks the ones that pacing and faults count."""

    name: str
    fields: dict[str, Any]
    piece: bool = False

    def encode(self) -> bytes:
        """The event as it goes over the wire."""
        return f"event: {self.name}\ndata: {json.dumps({'type': self.name, **self.fields})}\n\n".encode()
