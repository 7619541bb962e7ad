"""The texts of events. Short ones stand in the event itself; only for long ones the log's thread is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from claude_pool.domain.errors import StoreFull
from claude_pool.domain.values import INLINE_TEXT_BYTES, Text

from .service import Service
from .store.blobs import Texts, described

T = TypeVar("T")


async def keep(service: Service, texts: Texts, text: str, argument: str | None = None) -> Text:
    """What an event holds for `text`, which is durable on return where it lies in a file.

    With `argument` the text is a caller's, as it is; without, a slot's, kept without values of credentials.

    Raises:
        InvalidArgument: the caller's text holds such a value.
        StoreFull, StoreError: it could not be kept.
    """
    if argument is None:
        text = service.secrets.clean(text)
    else:
        service.secrets.refuse(argument, text)
    if len(text) <= INLINE_TEXT_BYTES:
        inline, _ = described(text)
        if inline.blob is None:
            return inline
    return await service.on_log(lambda: texts.put(text))


async def whole(service: Service, texts: Texts, text: Text) -> str:
    """All of a text.

    Raises:
        TextLost: its file is missing or damaged.
    """
    if text.blob is None:
        return text.inline or ""
    return await service.on_log(lambda: texts.get(text))


async def with_room(service: Service, work: Callable[[], Awaitable[T]]) -> T:
    """What `work` gives, which keeps texts; on a full disk in the room that is kept for the end."""
    try:
        return await work()
    except StoreFull as error:
        if not service.end_in_order(error):
            raise
        return await work()
