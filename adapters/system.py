"""The clock and the ids: what the core never makes for itself."""

from __future__ import annotations

import base64
import os
import time
import uuid
from typing import Protocol


class System(Protocol):
    """Time and fresh names."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...

    def new_id(self, kind: str) -> str:
        """A fresh id: `kind`, `-`, and 16 lower-case base32 characters."""
        ...


class RealSystem:
    """The machine's clock and randomness."""

    def now(self) -> int:
        """See `System.now`."""
        return time.time_ns() // 1_000_000

    def new_id(self, kind: str) -> str:
        """See `System.new_id`."""
        return f"{kind}-{base64.b32encode(os.urandom(10)).decode().lower()}"


def new_uuid() -> str:
    """A random UUID in lower case."""
    return str(uuid.uuid4())
