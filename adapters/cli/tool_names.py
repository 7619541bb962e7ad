"""The verbs of the shell in the place of the tools that messages name: who reads them here has no tools."""

from __future__ import annotations

import re

VERBS = {
    "pool_list_questions": "questions",
    "pool_list_tasks": "tasks",
    "pool_resume": "resume",
    "pool_skill_list": "skills list",
    "pool_status": "slots",
    "pool_submit": "submit",
    "pool_submit_chain": "chain submit",
}
"""Each tool that a message may tell people to turn to, with the verb that does the same."""

_TOOL = re.compile(r"\bpool_[a-z_]+\b")


def in_words_of_the_shell(message: str) -> str:
    """`message` with verbs for tools; a tool that has none stays."""
    return _TOOL.sub(
        lambda found: f"`claude-pool {VERBS[found[0]]}`" if found[0] in VERBS else found[0], message
    )
