"""The texts of events. Short ones stand in the event itself; only for long ones the log's thread is asked."""

from __future__ import annotations

from claude_pool.domain.values import INLINE_TEXT_BYTES, Text

from .service import Service
from .store.blobs import Texts, described


async def keep(service: Service, texts: Texts, text: str) -> Text:
    """What an event holds for `text`, which is durable on return where it lies in a file.

    Raises:
        StoreFull, StoreError: it could not be kept.
    """
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
