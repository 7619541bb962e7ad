"""What a terminal sends when keys are pressed, as names."""

from __future__ import annotations

import codecs
import re

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[@-~])")
_NAMES = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
    "1~": "home", "7~": "home", "4~": "end", "8~": "end", "5~": "pageup", "6~": "pagedown",
}  # fmt: skip
_CONTROLS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", " ": "space"}


class Keys:
    """Turns bytes of a terminal into keys: characters, or names like `left`; others are passed over."""

    def __init__(self) -> None:
        """Nothing was pressed."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, data: bytes) -> list[str]:
        """The keys in what arrived; an escape with nothing behind it is the key itself."""
        text, found = self._decoder.decode(data), list[str]()
        while text:
            if sequence := _SEQUENCE.match(text):
                name = _NAMES.get(re.sub(r"^.[\[O]|[0-9]+(;[0-9]+)+(?=[A-Z])", "", sequence[0]))
                found += [] if name is None else [name]
                text = text[sequence.end() :]
                continue
            if text[0] == "\x1b":
                found.append("escape")
            elif text[0] in _CONTROLS:
                found.append(_CONTROLS[text[0]])
            elif text[0].isprintable():
                found.append(text[0])
            text = text[1:]
        return found
