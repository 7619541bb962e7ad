"""The owner: the one process that holds a pool's log and slots, and answers on its socket.

Started detached, with its settings as one JSON document on standard input. Ways in are connections to a
unix socket (each begins with a greeting, see `calling`) or, embedded, the standard streams. It ends
when told, when idle for long enough, or when its log refuses what must be recorded.
"""

from .process import embedded
from .settings import pool_settings

__all__ = ["embedded", "pool_settings"]
