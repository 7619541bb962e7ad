"""Short texts stand in the event; long ones go through the log's thread to a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
from claude_pool.adapters.service import Service
from claude_pool.adapters.store.blobs import MemoryBlobs
from claude_pool.adapters.store.memory import MemoryEventLog
from claude_pool.adapters.store.registry import default_codec
from claude_pool.adapters.system import RealSystem
from claude_pool.adapters.texts import keep, whole
from claude_pool.domain.values import INLINE_TEXT_BYTES, Text

T = TypeVar("T")


class CountingService(Service):
    """Counts what is asked of the log's thread."""

    asked = 0

    async def on_log(self, work: Callable[[], T]) -> T:
        self.asked += 1
        return work()


def kept_and_read(text: str) -> tuple[Text, str, int]:
    async def both() -> tuple[Text, str, int]:
        service = CountingService(MemoryEventLog(default_codec()), RealSystem())
        texts = MemoryBlobs()
        kept = await keep(service, texts, text)
        return kept, await whole(service, texts, kept), service.asked

    return asyncio.run(both())


def test_a_short_text_is_kept_and_read_without_the_logs_thread() -> None:
    kept, read, asked = kept_and_read("short")
    assert (kept.inline, read, asked) == ("short", "short", 0)


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f600"])
def test_a_text_is_inline_up_to_its_bytes_not_its_characters(character: str) -> None:
    fits = INLINE_TEXT_BYTES // len(character.encode())
    assert kept_and_read(character * fits)[0].blob is None
    kept, read, asked = kept_and_read(character * (fits + 1))
    assert kept.blob is not None
    assert (read, asked) == (character * (fits + 1), 2)


def test_half_a_surrogate_pair_in_a_short_text_becomes_a_replacement_character() -> None:
    kept, read, _ = kept_and_read("a\ud800b")
    assert kept.inline == read == "a\ufffdb"
