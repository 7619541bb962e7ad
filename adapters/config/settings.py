"""A pool as one caller means it: its places, options and account. What a new owner is handed as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, cast

from claude_pool.domain.errors import WrongState

from ..places import Places, find
from .credentials import digests
from .layers import Files, Layers, combine, user_file

_NOT_COMPARED = (
    "state_dir", "working_dir", "embedded", "accept_rollback", "allow_project_keys", "on_disconnect",
)  # fmt: skip
"""Options that place a pool, or concern one start or one connection: two callers may differ in them."""


DEPTH_VARIABLE = "CLAUDE_POOL_DEPTH"
"""How slots and what they start are marked: a number, 1 in the slots of an outermost pool."""


class Settings(NamedTuple):
    """Places, options by layer, and digests of the variables that decide whose account slots use."""

    places: Places
    layers: Layers
    environment: dict[str, str]

    @property
    def embedded(self) -> bool:
        """Whether the caller wants to be the owner itself."""
        return self.layers.values["embedded"] is True

    def document(self) -> dict[str, object]:
        """The same as JSON values, for the standard input of a new owner. Holds no secret."""
        return {
            "places": self.places._asdict(),
            "options": self.layers.values,
            "sources": self.layers.sources,
            "explicit": self.layers.explicit,
            "environment_digest": self.environment,
            "idle_exit": self.layers.values["idle_exit"],
        }


def settle(flags: Mapping[str, object], environ: Mapping[str, str], base: str | None = None) -> Settings:
    """What the flags, variables and files amount to for a caller in `base` (default: here).

    The project's file is the one of the pool that flags, variables and the user's file lead to.

    Raises:
        InvalidArgument: an unknown key, a wrong value, or a working directory that is none.
    """
    base = base or os.getcwd()
    files = Files(user=user_file(environ))
    layers = combine(flags, environ, files, base)
    places = _place(layers, environ, base)
    if os.path.lexists(places.project_file):
        layers = combine(flags, environ, files._replace(project=places.project_file), base)
        places = places._replace(**_moved(layers, environ, base, places))
    return Settings(places, layers, digests(environ))


def pool_depth(environ: Mapping[str, str]) -> int:
    """In how many pools' slots this process runs; a mark that is no number counts as one."""
    mark = environ.get(DEPTH_VARIABLE, "0").strip()
    return int(mark) if mark.isascii() and mark.isdigit() and len(mark) < 4 else 1


def refuse_inside(settings: Settings, environ: Mapping[str, str]) -> None:
    """Keep what a slot runs from using pools, which could go on without end.

    Raises:
        WrongState: this process runs in a slot, and the pools around it allow no further one.
    """
    depth = pool_depth(environ)
    if depth >= cast("int", settings.layers.values["max_depth"]):
        raise WrongState(
            subject="this process",
            state=f"in a slot of a pool ({DEPTH_VARIABLE}={depth})",
            problem="slots neither start nor use a pool, unless the outermost one was started with a "
            f"--max-depth above {depth}",
        )


def differences(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    explicit: Mapping[str, object],
    digested: Mapping[str, str],
) -> list[str]:
    """In what a caller's wishes differ from how an owner runs: names of options and variables, sorted.

    `options` and `environment` are the owner's effective values and digests; `explicit` and `digested`
    are what the caller's flags and variables set, and its own digests. All hold JSON values.
    """
    names = [
        name
        for name, value in explicit.items()
        if name not in _NOT_COMPARED and _plain(options.get(name)) != _plain(value)
    ]
    if digested:
        names += [name for name in {*environment, *digested} if environment.get(name) != digested.get(name)]
    return sorted(names)


def _place(layers: Layers, environ: Mapping[str, str], base: str) -> Places:
    working_dir = cast("str | None", layers.values["working_dir"])
    return find(environ, working_dir or base, cast("str | None", layers.values["state_dir"]))


def _moved(layers: Layers, environ: Mapping[str, str], base: str, places: Places) -> dict[str, str]:
    """The project's file cannot choose another project; where it is allowed to, it moves the state."""
    if layers.values["state_dir"] is None:
        return {}
    moved = find(environ, base, cast("str", layers.values["state_dir"]))
    return (
        {"state_dir": moved.state_dir, "socket": moved.socket} if moved.state_dir != places.state_dir else {}
    )


def _plain(value: object) -> object:
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
