"""What a verb of the shell works with: the pool that is meant, its owner or its log, and the way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_pool.domain.errors import InvalidArgument, WrongState

from ..calling import VERSION, NoOwner, Unavailable, connect, greeting, remarks
from ..client import Client
from ..config.settings import Settings, refuse_inside, settle
from ..handover import reach
from . import output

if TYPE_CHECKING:
    from claude_pool.domain.prices import PriceList

    from ..store.reader import SqliteReader
    from .reading import Reader

View = dict[str, Any]


class Shell:
    """One call of the command line."""

    def __init__(self, flags: Mapping[str, object], json: bool) -> None:
        """`flags` are pool options that were given, by name; `json`: print results as JSON."""
        self.flags = flags
        self.json = json

    @cached_property
    def settings(self) -> Settings:
        """The pool that flags, variables and files mean.

        Raises:
            InvalidArgument: one of them is wrong.
        """
        return settle(self.flags, os.environ)

    @contextmanager
    def owner(self, *, start: bool = True, insist: bool = False, **more: Any) -> Generator[Client]:
        """A session with the owner, started if need be and `start` allows it.

        `insist`: what flags and variables set must agree with how the owner runs. `more` goes into the
        greeting.

        Raises:
            Unavailable: no owner can be started or reached. NoOwner: there is none, and none shall start.
            WrongState: this process runs in a slot.
        """
        refuse_inside(self.settings, os.environ)
        explicit = self.settings.layers.explicit if insist else {}
        hello = greeting(
            "shell", toolsets="all", explicit=explicit, working_dir=self.settings.places.work_tree, **more
        )
        if start:
            with output.progress("reaching the pool"):
                link = reach(self.settings.places, hello, self.settings.document())
        elif (found := connect(self.settings.places, hello)) is not None:
            link = found
        else:
            raise NoOwner(
                "wrong_state", f"The pool is not running (state: {self.settings.places.state_dir})."
            )
        for remark in remarks(link.welcome):
            output.note(remark)
        with Client(link) as client:
            if "stop" not in more:
                client.initialize()
            yield client

    def reader(self, at: str | None = None) -> Reader:
        """The pool's log, to be read; up to a position or time, if given.

        Raises:
            Unavailable: there is none yet. PoolError: it cannot be read, or does not reach there.
        """
        self.insist_on_a_log()
        from ..reading import LogReader
        from .periods import parse_at

        return LogReader(self.settings.places, VERSION, None if at is None else parse_at(at))

    def log(self) -> SqliteReader:
        """The pool's log itself, for whoever only reads its events.

        Raises:
            Unavailable: there is none yet. PoolError: it cannot be read.
        """
        self.insist_on_a_log()
        from ..store.reader import open_reader
        from ..store.registry import default_codec

        return open_reader(Path(self.settings.places.log), default_codec())

    def prices(self) -> PriceList:
        """The prices that hold here.

        Raises:
            InvalidArgument: the user's file of prices cannot be used.
        """
        from ..claude.price_file import price_list

        path = self.settings.layers.values["prices"]
        return price_list(None if path is None else str(path))

    def insist_on_a_log(self) -> None:
        """Raise `Unavailable` where there is no log yet."""
        log = self.settings.places.log
        if not os.path.exists(log):
            raise Unavailable(
                "store_unreadable",
                f"There is no pool here yet ({log}). `claude-pool run` or `claude-pool serve` starts one.",
            )

    def look(
        self, ask: Callable[[Client], View], read: Callable[[Reader], View], at: str | None = None
    ) -> View:
        """A view from the owner where one runs, else from the log; of how things were `at` a time, always."""
        if at is None and (view := self._asked(ask)) is not None:
            return view
        reader = self.reader(at)
        try:
            return read(reader)
        finally:
            reader.close()

    def _asked(self, ask: Callable[[Client], View]) -> View | None:
        """A view from the owner; None where none runs or none can be asked."""
        try:
            with self.owner(start=False) as client:
                return ask(client)
        except (NoOwner, WrongState):
            pass
        except Unavailable as error:
            output.note(f"{error.message} What follows is read from the log.")
        return None


def given_text(text: str) -> str:
    """`text`, or what standard input holds where it is `-`.

    Raises:
        InvalidArgument: standard input is not UTF-8.
    """
    if text != "-":
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidArgument(argument="standard input", problem="is not UTF-8 text") from None
