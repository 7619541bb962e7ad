"""The shapes of the lines that the CLI prints."""

from __future__ import annotations

import time
from typing import Any

from tests.fakes.fakecli.conversation import new_id
from tests.fakes.fakecli.wire import Line

CAPABILITIES = (
    "interrupt_receipt_v1",
    "interrupt_cancel_queued_v1",
    "interrupt_send_now_v1",
    "msg_lifecycle_v1",
    "request_marker_lists_v1",
)

_NO_USAGE: Line = {
    "output_tokens_details": {"thinking_tokens": 0},
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 0,
    "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    "service_tier": "standard",
    "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
    "inference_geo": "",
    "iterations": [],
    "speed": "standard",
    "fallback_credit": None,
}


def usage_line(usage: Line) -> Line:
    """The `usage` of a result, filled up with what is always there."""
    return {**_NO_USAGE, **usage}


def now() -> str:
    """The time as the CLI prints it."""
    seconds = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{int(seconds % 1 * 1000):03d}Z"


def assistant(session: str, message: Line, request: str, **more: Any) -> Line:
    """One content block of the model's message."""
    return {
        "type": "assistant",
        "message": message,
        "parent_tool_use_id": None,
        "session_id": session,
        "uuid": new_id(),
        "timestamp": now(),
        "request_id": request,
        **more,
    }


def synthetic(session: str, text: str, stop_reason: str, **more: Any) -> Line:
    """What the CLI says in the model's place."""
    message: Line = {
        "id": new_id(),
        "model": "<synthetic>",
        "role": "assistant",
        "stop_reason": stop_reason,
        "stop_sequence": "",
        "type": "message",
        "usage": {**_NO_USAGE, "service_tier": None},
        "content": [{"type": "text", "text": text}],
        "context_management": None,
    }
    line = assistant(session, message, "", **more)
    del line["request_id"]
    return line


def user(session: str, content: list[Line], **more: Any) -> Line:
    """A message in the user's place: a tool result, or what the CLI itself has to say."""
    return {
        "type": "user",
        "message": {"role": "user", "content": content},
        "parent_tool_use_id": None,
        "session_id": session,
        "uuid": new_id(),
        "timestamp": now(),
        **more,
    }


def stream_event(session: str, event: Line, message: str, **more: Any) -> Line:
    """A raw event of the API's stream."""
    return {
        "type": "stream_event",
        "event": event,
        "session_id": session,
        "parent_tool_use_id": None,
        "uuid": new_id(),
        "api_message_id": message,
        **more,
    }


def system(session: str, subtype: str, **more: Any) -> Line:
    """A system line."""
    return {"type": "system", "subtype": subtype, **more, "session_id": session, "uuid": new_id()}


def rate_limit(session: str, resets: int) -> Line:
    """What the account may use is used up until `resets` (seconds since 1970)."""
    info: Line = {
        "status": "rejected", "resetsAt": resets, "rateLimitType": "five_hour", "isUsingOverage": False,
    }  # fmt: skip
    return {"type": "rate_limit_event", "rate_limit_info": info, "uuid": new_id(), "session_id": session}


def lifecycle(session: str, command: str, state: str) -> Line:
    """What became of a prompt that had an id."""
    return {
        "type": "command_lifecycle",
        "command_uuid": command,
        "state": state,
        "uuid": new_id(),
        "session_id": session,
    }
