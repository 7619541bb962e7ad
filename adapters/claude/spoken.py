"""What the model has said in a turn so far."""

from __future__ import annotations

from .stream import Message, objects, part, text

TAIL_CHARACTERS = 4096
_BREAK = "\n\n"


class Spoken:
    """The last characters of the texts of a turn: the model's own, without those of its subagents.

    A piece of a text counts once, whether it comes in pieces or, where the CLI sends none, as a whole. A
    message whose stream breaks off and is asked for again counts from its new beginning.
    """

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._before = ""
        self._now = ""
        self._streamed = ""

    @property
    def tail(self) -> str:
        """The last characters, at most `TAIL_CHARACTERS`."""
        return _joined(self._before, self._now)

    def take(self, message: Message) -> bool:
        """Learn from one message of the slot; whether anything was said with it."""
        if message.get("parent_tool_use_id") is not None:
            return False
        match text(message, "type"):
            case "stream_event":
                return self._take_event(part(message, "event"))
            case "assistant" if not text(message, "error"):
                return self._take_whole(part(message, "message"))
            case _:
                return False

    def _take_event(self, event: Message) -> bool:
        match text(event, "type"):
            case "message_start":
                self._streamed, self._now = text(part(event, "message"), "id"), ""
            case "message_stop":
                self._before, self._now = self.tail, ""
            case "content_block_start" if self._now and text(part(event, "content_block"), "type") == "text":
                self._now += _BREAK
            case "content_block_delta" if said := text(part(event, "delta"), "text"):
                self._now = (self._now + said)[-TAIL_CHARACTERS:]
                return True
            case _:
                pass
        return False

    def _take_whole(self, message: Message) -> bool:
        if text(message, "id") == self._streamed:
            return False
        texts = (text(block, "text") for block in objects(message, "content"))
        said = _BREAK.join(each for each in texts if each)
        self._before = _joined(self._before, said)
        return bool(said)


def _joined(before: str, after: str) -> str:
    return (before + (_BREAK if before and after else "") + after)[-TAIL_CHARACTERS:]
