"""A case as a state directory of its own, which every verb that reads works on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.ports import Head

from ..places import Places
from ..store.copying import write_log
from ..store.failures import refused, sync_directory
from ..store.reader import open_reader
from ..store.registry import default_codec
from .case import Case, CaseDamaged

ORIGIN = "case.json"
"""The file in an imported state directory that says where it comes from."""


def unpack(case: Case, path: str, state_dir: str) -> Head:
    """Make the new state directory `state_dir` of the case that was read from `path`; the log's end.

    It appears whole or not at all. Its log has the hashes of the original, unless words were taken out. The
    file `case.json` in it tells where it comes from.

    Raises:
        InvalidArgument: `state_dir` has something in it, or cannot be made.
        CaseDamaged: the events are none. StoreFull, StoreError: there is no room.
    """
    target = Path(os.path.realpath(state_dir))
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise InvalidArgument(argument="--state-dir", problem=f"{target} exists; name a new directory")
    if not target.parent.is_dir():
        raise InvalidArgument(argument="--state-dir", problem=f"{target.parent} is not a directory")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.unfinished-", dir=target.parent))
    except OSError as error:
        raise refused(error, target) from error
    try:
        head = _filled(case, path, folder)
        if target.is_dir():
            target.rmdir()
        os.rename(folder, target)
        sync_directory(target.parent)
    except OSError as error:
        raise refused(error, target) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return head


def _filled(case: Case, path: str, folder: Path) -> Head:
    places = Places(str(folder), "", "", "")
    head = write_log(Path(places.log), case.rows, default_codec())
    with closing(open_reader(places.log, default_codec())) as log:
        for _ in log.read_events():  # an event that is none is found now, and not by whoever reads it
            pass
    if head.position != len(case.rows):
        raise CaseDamaged(path=path, problem="its events are not whole")
    _write_all(Path(places.blobs), case.blobs.items())
    _write_all(
        Path(places.transcripts), ((f"{name}.jsonl", content) for name, content in case.transcripts.items())
    )
    origin = {"case": os.path.abspath(path), "program": case.program, "redacted": case.redacted}
    asked = {"first": case.asked.first, "last": case.asked.last, "subject": case.asked.subject}
    _write_all(folder, [(ORIGIN, json.dumps({**origin, **asked}, indent=2).encode() + b"\n")])
    return head


def _write_all(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in files:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(folder / name, flags, 0o600), "wb") as file:
            file.write(content)
