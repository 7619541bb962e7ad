"""Messages between the slots and the coordinator: sending, reading, and a question with its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from claude_pool.domain.inbox import Message, check_size, latest, readable
from claude_pool.domain.message_events import MessageAccepted
from claude_pool.domain.messaging import (
    COORDINATOR,
    BroadcastMessage,
    ReadMessages,
    SendMessage,
    inbox_of,
    receivers_of,
)
from claude_pool.domain.records import Recorded
from claude_pool.domain.values import Text, derived_id
from claude_pool.domain.world import POOL

from .message_block import Told
from .origins import Origin
from .service import Service
from .store.blobs import TextLost, Texts
from .system import System
from .texts import keep, whole
from .views import View, message_view

LOST = "(the text of this message is lost)"


@dataclass(eq=False)
class _Question:
    """A slot's question on its way: `asked` once it is on record, `answer` the id of what came after it."""

    slot_id: str
    message_id: str
    asked: bool = False
    answer: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Messages:
    """The verbs of messages. Addresses are `coordinator` and ids of slots. Errors are `PoolError`s."""

    def __init__(self, service: Service, texts: Texts, system: System) -> None:
        """Answers are seen as they are recorded."""
        self._service = service
        self._texts = texts
        self._system = system
        self._questions: list[_Question] = []
        service.on_facts(self._on_facts)

    async def send(self, sender: str, to: str, content: str, origin: Origin, key: str | None = None) -> View:
        """Have a message accepted; what is known of it. The same `key` gives the same message.

        Raises:
            NotFound, InvalidArgument, InboxFull, IdempotencyConflict: as their messages say.
        """
        message_id = self._new_id() if key is None else derived_id("msg", "send", key)
        await self._post(message_id, sender, to, content, origin, "message")
        message = receivers_of(self._service.world, message_id)[to]
        return message_view(to, message)

    async def broadcast(self, sender: str, content: str, origin: Origin, key: str | None = None) -> View:
        """Have a message accepted by every other slot in service, or by none; who gets it.

        Raises:
            NotFound, InvalidArgument, InboxFull, IdempotencyConflict, WrongState: as their messages say.
        """
        message_id = self._new_id() if key is None else derived_id("msg", "broadcast", key)
        text = await self._kept(content)
        await self._service.handle(
            lambda: BroadcastMessage(message_id, sender, text, self._system.now()), origin
        )
        return {
            "message_id": message_id,
            "from": sender,
            "to": list(receivers_of(self._service.world, message_id)),
        }

    async def read(self, owner: str, reader: str, origin: Origin) -> View:
        """The oldest messages that wait in an inbox, which are read now, and how many still wait.

        Raises:
            NotFound: there is no such inbox.
        """
        taken: tuple[Message, ...] = ()

        def take() -> ReadMessages:
            nonlocal taken
            taken = readable(inbox_of(self._service.world, owner))
            return ReadMessages(owner, reader, self._system.now())

        await self._service.handle(take, origin)
        return {
            "messages": [await self._shown(owner, message, "read") for message in taken],
            "waiting": len(inbox_of(self._service.world, owner).waiting),
        }

    async def peek(self, owner: str) -> View:
        """The latest messages of an inbox with their states, oldest first, and how many wait.

        Raises:
            NotFound: there is no such inbox.
        """
        inbox = inbox_of(self._service.world, owner)
        return {
            "messages": [await self._shown(owner, message, message.state) for message in latest(inbox)],
            "waiting": len(inbox.waiting),
        }

    async def ask(self, slot_id: str, question: str, wait_seconds: float, origin: Origin) -> str | None:
        """Put a slot's question to the coordinator and wait for what it writes to the slot next.

        None where nothing came within `wait_seconds`; a later answer waits in the slot's inbox.

        Raises:
            InvalidArgument, InboxFull: the question was not accepted.
        """
        asked = _Question(slot_id, self._new_id())
        self._questions.append(asked)
        try:
            await self._post(asked.message_id, slot_id, COORDINATOR, question, origin, "question")
            async with asyncio.timeout(wait_seconds):
                answer = await asked.answer
        except TimeoutError:
            return None
        finally:
            self._questions.remove(asked)
        message = inbox_of(self._service.world, slot_id).find(answer)
        await self._service.handle(
            lambda: ReadMessages(slot_id, slot_id, self._system.now(), only=answer), origin
        )
        return None if message is None else (await self._told(message)).content

    async def tell(self, messages: Iterable[Message]) -> list[Told]:
        """The messages as a prompt shows them."""
        return [await self._told(message) for message in messages]

    def _new_id(self) -> str:
        return self._system.new_id("msg")

    async def _post(
        self, message_id: str, sender: str, to: str, content: str, origin: Origin, kind: str
    ) -> None:
        text = await self._kept(content)
        await self._service.handle(
            lambda: SendMessage(message_id, sender, to, text, self._system.now(), kind), origin
        )

    async def _kept(self, content: str) -> Text:
        check_size(len(content.encode("utf-8", "replace")))
        return await keep(self._service, self._texts, content, "content")

    async def _told(self, message: Message) -> Told:
        try:
            content = await whole(self._service, self._texts, message.content)
        except TextLost:
            content = LOST
        return Told(message.sender, message.at, content)

    async def _shown(self, owner: str, message: Message, state: str) -> View:
        content = (await self._told(message)).content
        return {**message_view(owner, message, content), "state": state}

    def _on_facts(self, recorded: tuple[Recorded, ...]) -> None:
        for each in recorded if self._questions else ():
            match each.event:
                case MessageAccepted(message_id) if each.stream == POOL:
                    for question in self._questions:
                        question.asked = question.asked or question.message_id == message_id
                case MessageAccepted(message_id, sender) if sender == COORDINATOR:
                    self._answer(each.stream, message_id)
                case _:
                    pass

    def _answer(self, slot_id: str, message_id: str) -> None:
        """The question that waits longest is the one that is answered."""
        for question in self._questions:
            if question.slot_id == slot_id and question.asked and not question.answer.done():
                question.answer.set_result(message_id)
                return
