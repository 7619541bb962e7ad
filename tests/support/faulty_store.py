"""A disk whose n-th operation fails, once or from then on, under the log, the texts and the sidecar."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from claude_pool.adapters.store import reader

_LOG_THREADS = "event-log"


@dataclass
class Fault:
    """What goes wrong. The operation number `at` fails (0: none), with `sticky` every later one, too.

    `code` is what SQLite says of a statement, `number` what the system says of a file. With `late` the
    statement is carried out before it is said to have failed.
    """

    code: int
    number: int
    at: int = 0
    sticky: bool = False
    late: bool = False
    seen: int = 0
    struck: list[str] = field(default_factory=list[str])

    def strikes(self, what: str) -> bool:
        """Whether this operation fails."""
        self.seen += 1
        if self.seen == self.at or (self.sticky and 0 < self.at < self.seen):
            self.struck.append(what)
            return True
        return False

    def error(self) -> sqlite3.OperationalError:
        """SQLite's complaint."""
        error = sqlite3.OperationalError("a fault of this test")
        error.sqlite_errorcode = self.code
        error.sqlite_errorname = "SQLITE_TEST"
        return error


class _Cursor(sqlite3.Cursor):
    fault: Fault

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return self._struck(sql, lambda: super(_Cursor, self).execute(sql, *given))

    def executemany(self, sql: str, *given: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return self._struck(sql, lambda: super(_Cursor, self).executemany(sql, *given))

    def _struck(self, sql: str, act: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if not self.fault.strikes(sql):
            return act()
        if self.fault.late:
            act()
        raise self.fault.error()


@contextmanager
def faulty_store(patch: pytest.MonkeyPatch, fault: Fault) -> Generator[None]:
    """Inside, logs are opened on a disk that has `fault`."""

    class Cursor(_Cursor):
        pass

    Cursor.fault = fault

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any) -> Any:  # type: ignore[override]
            return super().cursor(Cursor)

        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:  # type: ignore[override]
            return self.cursor().execute(sql, *given)  # type: ignore[no-any-return]

    real = sqlite3.connect

    def connect(*given: Any, **more: Any) -> sqlite3.Connection:
        return real(*given, **more, factory=Connection)

    def failing(name: str) -> Callable[..., Any]:
        act = getattr(os, name)

        def call(*given: Any, **more: Any) -> Any:
            if threading.current_thread().name.startswith(_LOG_THREADS) and fault.strikes(name):
                raise OSError(fault.number, os.strerror(fault.number))
            return act(*given, **more)

        return call

    with patch.context() as patched:
        patched.setattr(reader.sqlite3, "connect", connect)
        for name in ("fsync", "rename", "pwrite", "utime"):
            patched.setattr(os, name, failing(name))
        yield
