"""Toolset messages: what slots and the coordinator write to one another."""

from __future__ import annotations

from typing import Annotated, Any

from claude_pool.domain.inbox import MESSAGE_BYTES
from claude_pool.domain.messaging import COORDINATOR
from pydantic import Field

from ..views import View
from .arguments import Arguments
from .fields import Line
from .schemas import result_schema
from .tool import Call, Tool

Content = Annotated[str, Field(min_length=1, max_length=MESSAGE_BYTES)]


class BroadcastArguments(Arguments):
    """What to say to all, and who says it."""

    sender: Line = Field(alias="from", description="coordinator, or a slot's id.")
    content: Content = Field(description=f"Text of at most {MESSAGE_BYTES} bytes.")
    idempotency_key: Line | None = Field(default=None, description="The same key sends it once.")


class SendArguments(BroadcastArguments):
    """What to say to whom."""

    to: Line = Field(description="coordinator, or a slot's id.")


class InboxArguments(Arguments):
    """Names an inbox."""

    slot_id: Line = Field(description="A slot's id, or coordinator.")


async def _send(call: Call, given: SendArguments) -> View:
    return await call.application.messages.send(
        given.sender, given.to, given.content, call.origin, given.idempotency_key
    )


async def _broadcast(call: Call, given: BroadcastArguments) -> View:
    return await call.application.messages.broadcast(
        given.sender, given.content, call.origin, given.idempotency_key
    )


async def _read(call: Call, given: InboxArguments) -> View:
    return await call.application.messages.read(given.slot_id, COORDINATOR, call.origin)


async def _peek(call: Call, given: InboxArguments) -> View:
    return await call.application.messages.peek(given.slot_id)


_LIST = result_schema("messages", "waiting", messages="array", waiting="integer")

MESSAGE_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_send_message",
        "messages",
        "Leave a message in an inbox. A slot is shown what waits for it at the head of its next task, or "
        "reads it with its own tool before; the coordinator's is read with pool_read_messages. An inbox "
        "holds 100 messages and 64 KB; a full one refuses.",
        SendArguments,
        result_schema("message_id", "state", message_id="string", state="string"),
        _send,
    ),
    Tool(
        "pool_broadcast",
        "messages",
        "Leave a message with every slot in service but its sender; with all of them or, if one is full, "
        "with none.",
        BroadcastArguments,
        result_schema("message_id", "to", message_id="string", to="array"),
        _broadcast,
    ),
    Tool(
        "pool_read_messages",
        "messages",
        "Take the oldest messages that wait in an inbox: they count as read, and no prompt will show them. "
        "waiting says how many are left. kind question marks what a slot waits to hear of: answer it with "
        "pool_send_message.",
        InboxArguments,
        _LIST,
        _read,
    ),
    Tool(
        "pool_peek_messages",
        "messages",
        "Look at the latest messages of an inbox, each with its state: waiting, delivered with a prompt, or "
        "read.",
        InboxArguments,
        _LIST,
        _peek,
        reads=True,
    ),
)
