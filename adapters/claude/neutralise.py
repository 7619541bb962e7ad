"""Prompts as plain text: nothing in them is executed or attached by the CLI on its own.

At the start of a prompt the CLI takes `/name` for a command (`/clear` would empty the conversation and
report success). Anywhere in it older CLIs take `@path` at the start of a word for a file to attach; newer
ones are told not to by an environment variable. The text the model reads stays what the author wrote, but
for a space before the first character or a zero-width space before an `@`.
"""

from __future__ import annotations

import re

_ZERO_WIDTH_SPACE = "\u200b"
# The CLI attaches at the start of the text, after white space (to it, a byte order mark is some) and after
# the marks of Chinese and Japanese that no space follows.
_BOUNDARY = r"(?<![^\s\ufeff\u3002\u3001\uff1f\uff01])"
_MENTION = re.compile(_BOUNDARY + r"@(?=\S)")
# Behind the end of a part of a text anything may come to stand.
_MENTION_IN_PART = re.compile(_BOUNDARY + r"@(?!\s)")


def neutralise(text: str) -> str:
    """Untrusted text (an earlier step's output, a message, an argument) made fit to stand in a prompt.

    One pass, and idempotent: what was neutralised once stays as it is.
    """
    return shield_prompt(_MENTION.sub(_ZERO_WIDTH_SPACE + "@", text))


def without_mentions(part: str) -> str:
    """Untrusted text made fit to be a part of a prompt: it attaches no file, whatever stands behind it."""
    return _MENTION_IN_PART.sub(_ZERO_WIDTH_SPACE + "@", part)


def shield_prompt(prompt: str) -> str:
    """A whole prompt, trusted or not, that the CLI hands to the model rather than executes."""
    return " " + prompt if prompt.startswith("/") else prompt
