"""A conversation and its file, so that another process can resume or fork it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def new_id() -> str:
    """A random id in the form of a UUID; cheaper than importing `uuid`."""
    digits = bytearray(os.urandom(16))
    digits[6], digits[8] = digits[6] & 0x0F | 0x40, digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Conversations:
    """All conversations of a home."""

    def __init__(self, environment: Mapping[str, str], cwd: str, persistent: bool = True) -> None:
        """`cwd` names the folder that new ones are kept in; without persistence none is kept."""
        home = environment.get("HOME", "/")
        self.root = Path(environment.get("CLAUDE_CONFIG_DIR", f"{home}/.claude"))
        self._folder = self.root / "projects" / re.sub(r"[^A-Za-z0-9]", "-", cwd)
        self._persistent = persistent

    def exists(self, session: str) -> bool:
        """Whether a conversation has a file."""
        return self._found(session) is not None

    def _found(self, session: str) -> Path | None:
        own = self._folder / f"{session}.jsonl"
        if own.is_file():
            return own
        return next(iter((self.root / "projects").glob(f"*/{session}.jsonl")), None)

    def load(self, session: str) -> Conversation:
        """The conversation of an id.

        Raises:
            FileNotFoundError: there is none.
        """
        path = self._found(session)
        if path is None:
            raise FileNotFoundError(session)
        conversation = Conversation(session, path if self._persistent else None)
        for line in path.read_text("utf-8").splitlines():
            conversation.replay(json.loads(line))
        return conversation

    def new(self, session: str) -> Conversation:
        """A conversation without any prompt; it has a file from its first prompt on."""
        return Conversation(session, self._folder / f"{session}.jsonl" if self._persistent else None)

    def fork(self, origin: Conversation, session: str) -> Conversation:
        """A new conversation with the past of another."""
        branch = self.new(session)
        for record in origin.records:
            branch.record(record)
        return branch


class Conversation:
    """One conversation: its prompts, the ids of its messages, its system prompt and its account."""

    def __init__(self, session: str, path: Path | None) -> None:
        """`path` None keeps it in memory only."""
        self.session = session
        self.prompts: list[str] = []
        self.message_ids: set[str] = set()
        self.system = ""
        self.account: dict[str, Any] = {}
        self.records: list[dict[str, Any]] = []
        self._path = path

    def replay(self, record: dict[str, Any]) -> None:
        """Take over one record of a file."""
        self.records.append(record)
        kind = record["type"]
        if kind == "user":
            self.prompts.append(record["text"])
            self.message_ids.update(record["uuids"])
        elif kind == "prompt_snapshot":
            self.system = record["text"]
        elif kind == "cost-state":
            self.account = record["account"]

    def record(self, record: dict[str, Any]) -> None:
        """Add a record, on disk as well."""
        self.replay(record)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as file:
                file.write(json.dumps(record) + "\n")
