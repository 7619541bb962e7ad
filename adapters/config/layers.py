"""Lays flags, variables and the two files over the defaults, and remembers what came from where."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

from claude_pool.domain.errors import InvalidArgument

from .options import BY_NAME, HIGHEST_PROJECT_MODE, INTERNAL_VARIABLES, MODES, OPTIONS, Option
from .values import closest, read

TOOLSETS_VARIABLE = "CLAUDE_POOL_TOOLSETS"

_LARGEST_FILE = 1 << 20


class Layers(NamedTuple):
    """What holds for each option, and why.

    `sources` says of each option `flag --slots`, `environment CLAUDE_POOL_SLOTS`, `user file PATH`,
    `project file PATH` or `default`. `explicit` holds what a flag or a variable set.
    """

    values: dict[str, object]
    sources: dict[str, str]
    explicit: dict[str, object]


class Files(NamedTuple):
    """The two files that may set options. Either may be None or missing."""

    user: str | None = None
    project: str | None = None


def user_file(environ: Mapping[str, str]) -> str:
    """The user's own file: `$XDG_CONFIG_HOME/claude-pool/config.toml`, by default below `~/.config`."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(
        base if base.startswith("/") else os.path.join(home(environ), ".config"), "claude-pool", "config.toml"
    )


def home(environ: Mapping[str, str]) -> str:
    """The home directory of the user."""
    return environ.get("HOME") or os.path.expanduser("~")


def combine(flags: Mapping[str, object], environ: Mapping[str, str], files: Files, base: str) -> Layers:
    """What holds: a flag over a variable, over the user's file, over the project's file, over the default.

    `flags` maps names of options to what was given; relative paths in flags and variables count from
    `base`, those in a file from its folder. Ranges are checked by `model.PoolOptions`.

    Raises:
        InvalidArgument: an unknown key or variable, a value of the wrong kind, a file that cannot be
            read, or a key that a project's file may not set.
    """
    given = {"flag": _flags(flags, environ, base), "environment": _variables(environ, base)}
    given["user"] = _file(files.user, environ)
    trusted = _first("allow_project_keys", given.values())
    allowed = frozenset(cast("tuple[str, ...]", trusted or ()))
    for name in allowed:
        if name not in BY_NAME:
            raise InvalidArgument(
                argument="allow_project_keys", problem=f"unknown key {name!r}{closest(name, BY_NAME)}"
            )
    given["project"] = _file(files.project, environ)
    for name, value in given["project"].items():
        _refuse_untrusted(cast("str", files.project), BY_NAME[name], value, allowed, user_file(environ))
    return _lay(given, files)


def _lay(given: Mapping[str, Mapping[str, object]], files: Files) -> Layers:
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        origin = next((origin for origin, layer in given.items() if option.name in layer), None)
        values[option.name] = given[origin][option.name] if origin else option.default
        sources[option.name] = {
            "flag": f"flag {option.flag}",
            "environment": f"environment {option.variable}",
            "user": f"user file {files.user}",
            "project": f"project file {files.project}",
            None: "default",
        }[origin]
    return Layers(values, sources, {**given["environment"], **given["flag"]})


def _first(name: str, layers: Iterable[Mapping[str, object]]) -> object:
    return next((layer[name] for layer in layers if name in layer), None)


def _flags(flags: Mapping[str, object], environ: Mapping[str, str], base: str) -> dict[str, object]:
    return {
        name: read(BY_NAME[name], raw, BY_NAME[name].flag, base, home(environ))
        for name, raw in flags.items()
        if raw is not None
    }


def _variables(environ: Mapping[str, str], base: str) -> dict[str, object]:
    known = {option.variable: option for option in OPTIONS}
    found: dict[str, object] = {}
    for variable, raw in environ.items():
        if not variable.startswith("CLAUDE_POOL_") or variable in (*INTERNAL_VARIABLES, TOOLSETS_VARIABLE):
            continue
        if variable not in known:
            raise InvalidArgument(
                argument=variable, problem=f"the pool has no such variable{closest(variable, known)}"
            )
        if raw:
            found[known[variable].name] = read(known[variable], raw, variable, base, home(environ))
    return found


def _file(path: str | None, environ: Mapping[str, str]) -> dict[str, object]:
    """The table `[pool]` of a file; nothing where there is no file."""
    tables = _load(path) if path else {}
    for name in tables:
        if name != "pool":
            raise InvalidArgument(
                argument=f"{path}", problem=f"unknown table or key {name!r}; options stand in [pool]"
            )
    pool = tables.get("pool", {})
    if not isinstance(pool, dict):
        raise InvalidArgument(argument=f"{path}", problem="pool is not a table; write [pool]")
    found: dict[str, object] = {}
    for name, raw in cast("dict[str, object]", pool).items():
        where = f"{path} [pool] {name}"
        if name not in BY_NAME:
            raise InvalidArgument(argument=where, problem=f"unknown key{closest(name, BY_NAME)}")
        found[name] = read(BY_NAME[name], raw, where, os.path.dirname(cast("str", path)), home(environ))
    return found


def _load(path: str) -> dict[str, object]:
    try:
        # Opened without waiting and looked at first: a pipe in the place of the file must not hang us.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > _LARGEST_FILE:
                raise InvalidArgument(argument=path, problem="is not a regular file of at most 1 MiB")
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidArgument(argument=path, problem=error.strerror or str(error)) from None
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(argument=path, problem=f"is not valid TOML: {error}") from None


def _refuse_untrusted(file: str, option: Option, value: object, allowed: frozenset[str], user: str) -> None:
    """Raise where the project's file sets what only the user may."""
    if option.name in allowed:
        return
    if option.trusted:
        problem = "a project's file may not set this"
    elif option.kind == "mode" and MODES.index(cast("str", value)) > MODES.index(HIGHEST_PROJECT_MODE):
        problem = f"a project's file may not go above {HIGHEST_PROJECT_MODE}"
    elif option.kind == "path" and not _inside(cast("str", value), os.path.dirname(file)):
        problem = "a path in a project's file may not lead out of the project"
    else:
        return
    hint = f'allow it with allow_project_keys = ["{option.name}"] under [pool] in {user}'
    raise InvalidArgument(argument=f"{file} [pool] {option.name}", problem=f"{problem}; {hint}")


def _inside(path: str, folder: str) -> bool:
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath((real, root)) == root
