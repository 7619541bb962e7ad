"""What handlers are given of the connection that they serve: the lifespan's result."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.server.session import ServerSession

from .connection import Connection


@dataclass(eq=False)
class Serving:
    """A connection being served. `session` is set once a client of the older protocol has initialised."""

    connection: Connection
    session: ServerSession | None = None
