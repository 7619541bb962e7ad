"""Writes skills to files: whole or not at all, inside the folders that are meant, through no link."""

from __future__ import annotations

import contextlib
import os
import secrets

from claude_pool.domain.errors import InvalidArgument, WrongState
from claude_pool.domain.skills import is_skill_name

from .folders import directory
from .loader import FILE


def target_folder(
    wanted: str | None, default: str | None, project: str | None, allowed: tuple[str, ...]
) -> str:
    """The folder of skills that a caller means: `wanted`, which counts from `project`, or `default`.

    Raises:
        InvalidArgument: it leads out of the `allowed` folders, or there is none.
    """
    folder = default if wanted is None else wanted
    if folder is None:
        raise InvalidArgument(argument="dir", problem="this pool has no folder of skills; say one")
    if "\0" in folder:
        raise InvalidArgument(argument="dir", problem="holds a NUL character")
    real = os.path.realpath(os.path.join(project or "/", folder))
    if not any(_inside(real, os.path.realpath(each)) for each in allowed):
        raise InvalidArgument(
            argument="dir", problem="it leads out of the project; say a folder below it, or leave it out"
        )
    return real


def write_file(folder: str, name: str, text: str, replace: bool) -> tuple[str, bool]:
    """Write `folder`/`name`/SKILL.md; its path, and whether it took the place of another.

    Raises:
        InvalidArgument: the name is none, or the file cannot be written.
        WrongState: there is one and `replace` is False.
    """
    if not is_skill_name(name):
        raise InvalidArgument(argument="name", problem="use 1 to 64 of a-z, 0-9, _ and -, no sign first")
    path = os.path.join(folder, name, FILE)
    try:
        os.makedirs(folder, exist_ok=True)
        with directory(os.path.realpath(folder)) as top:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=top)
            with directory(name, top) as place:
                there = _exists(place)
                if there and not replace:
                    raise WrongState(
                        subject=path, state="there", problem="it would be overwritten; remove it"
                    )
                _write(place, text)
    except OSError as error:
        raise InvalidArgument(argument="dir", problem=f"{path}: {error.strerror or error}") from None
    return path, there


def _exists(place: int) -> bool:
    try:
        os.stat(FILE, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write(place: int, text: str) -> None:
    draft = f".{FILE}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(draft, flags, 0o644, dir_fd=place), "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, FILE, src_dir_fd=place, dst_dir_fd=place)
        os.fsync(place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=place)
        raise


def _inside(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
