"""A case as a file: a zip with a manifest that names and digests every member. The same case gives the same
bytes. What is read is trusted by nobody: nothing is unpacked to a path, and nothing is read beyond bounds.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from claude_pool.domain.errors import InvalidArgument, LogBroken

from ..store.chain import EMPTY, Row, chained, check_chain
from ..store.failures import refused
from .case import FORMAT, MOST_BYTES, MOST_MEMBERS, Asked, Case, CaseDamaged, CaseNewer, NoCase

MANIFEST, EVENTS = "manifest.json", "events.jsonl"

_MANIFEST_BYTES = 32 * 2**20
_MADE = (1980, 1, 1, 0, 0, 0)
_MEMBER = re.compile(r"transcripts/(task-[a-z2-7]{16}\.[0-9]{1,9})\.jsonl|blobs/([0-9a-f]{64})|events\.jsonl")
_UNREADABLE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
    UnicodeDecodeError, ValueError, OSError,
)  # fmt: skip
_HINT = "A case is what `claude-pool export` writes."


class _Member(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    sha256: str


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    first: int
    last: int
    subject: str | None = None


class _Manifest(msgspec.Struct):
    kind: str
    format: int
    program: str
    asked: _Asked
    members: dict[str, _Member]
    missing: list[str] = []
    redacted: bool = False


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    position: int
    stream: str
    version: int
    topic: str
    hash: str
    envelope: msgspec.Raw


_KIND = "claude-pool case"
_encode = msgspec.json.Encoder(order="deterministic").encode


def write_case(case: Case, path: str, *, force: bool = False) -> int:
    """Write a case to `path`, whole or not at all; its size in bytes.

    Raises:
        InvalidArgument: `path` exists, and not `force`; or it cannot be written.
        StoreFull, StoreError: there is no room for it.
    """
    if os.path.lexists(path) and not force:
        raise InvalidArgument(argument="--output", problem=f"{path} exists; --force replaces it")
    content = packed(case)
    partial = f"{path}.partial"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(partial)
        if isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError)):
            raise InvalidArgument(argument="--output", problem=f"{path}: {error.strerror}") from None
        raise refused(error, Path(path)) from error
    return len(content)


def packed(case: Case) -> bytes:
    """The bytes of a case, which depend on nothing but it."""
    members = {EVENTS: b"".join(_event_line(row) for row in case.rows)}
    members |= {f"transcripts/{name}.jsonl": case.transcripts[name] for name in sorted(case.transcripts)}
    members |= {f"blobs/{name}": case.blobs[name] for name in sorted(case.blobs)}
    asked = _Asked(case.asked.first, case.asked.last, case.asked.subject)
    digests = {name: _Member(len(content), sha256(content).hexdigest()) for name, content in members.items()}
    manifest = _Manifest(
        _KIND, FORMAT, case.program, asked, digests, list(case.missing), case.redacted
    )  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in ({MANIFEST: msgspec.json.format(_encode(manifest))} | members).items():
            info = zipfile.ZipInfo(name, _MADE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            info.create_system = 3
            archive.writestr(info, content, compresslevel=9)
    return file.getvalue()


def _event_line(row: Row) -> bytes:
    position, stream, version, topic, state, digest = row
    return _encode(_Event(position, stream, version, topic, digest.hex(), msgspec.Raw(state))) + b"\n"


def read_case(path: str, content: bytes | None = None) -> Case:
    """The case in the file at `path`, verified; or in `content`, which `path` is a name for.

    Raises:
        NoCase: there is none, or only a part of one. CaseNewer: a newer program made it.
        CaseDamaged: something in it is not what was written.
    """
    try:
        with zipfile.ZipFile(path if content is None else io.BytesIO(content)) as archive:
            manifest = _manifest(archive, path)
            contents = dict(_contents(archive, manifest, path))
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.strerror:
            raise NoCase(path=path, problem=error.strerror, hint=_HINT) from error
        said = str(error) or type(error).__name__
        raise NoCase(
            path=path, problem=f"it cannot be read ({said}); it may be cut off", hint=_HINT
        ) from error
    rows = _rows(contents[EVENTS], manifest, path)
    asked = Asked(manifest.asked.first, manifest.asked.last, manifest.asked.subject)
    if not 1 <= asked.first <= asked.last == len(rows):
        raise CaseDamaged(path=path, problem=f"it says that it holds {asked.first} to {asked.last}")
    transcripts = {m[1]: contents[name] for name in contents if (m := _MEMBER.fullmatch(name)) and m[1]}
    blobs = {m[2]: contents[name] for name in contents if (m := _MEMBER.fullmatch(name)) and m[2]}
    return Case(
        manifest.program, asked, rows, transcripts, blobs, tuple(manifest.missing), manifest.redacted
    )  # fmt: skip


def _manifest(archive: zipfile.ZipFile, path: str) -> _Manifest:
    names = archive.namelist()
    if MANIFEST not in names:
        raise NoCase(path=path, problem="it has no manifest", hint=_HINT)
    if len(names) > MOST_MEMBERS:
        raise NoCase(path=path, problem=f"it has {len(names)} files", hint=_HINT)
    if len(set(names)) < len(names):
        raise CaseDamaged(path=path, problem="it has a file twice")
    said = _bounded(archive, archive.getinfo(MANIFEST), _MANIFEST_BYTES, path)
    try:
        about: dict[str, Any] = msgspec.json.decode(said, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NoCase(path=path, problem="its manifest is none", hint=_HINT) from error
    if about.get("kind") != _KIND:
        raise NoCase(path=path, problem="its manifest is another program's", hint=_HINT)
    found = about.get("format")
    if isinstance(found, int) and not isinstance(found, bool) and found > FORMAT:
        raise CaseNewer(path=path, found=found, known=FORMAT)
    try:
        manifest = msgspec.convert(about, _Manifest)
    except msgspec.MsgspecError as error:
        raise CaseDamaged(path=path, problem=f"its manifest: {error}") from error
    if {*manifest.members, MANIFEST} != set(names):
        odd = sorted({*manifest.members, MANIFEST} ^ set(names))
        raise CaseDamaged(path=path, problem=f"its manifest and its files differ in {odd[0]!r}")
    return manifest


def _contents(archive: zipfile.ZipFile, manifest: _Manifest, path: str) -> Iterator[tuple[str, bytes]]:
    if EVENTS not in manifest.members:
        raise CaseDamaged(path=path, problem="it has no events")
    sizes = [member.size for member in manifest.members.values()]
    if min(sizes) < 0 or sum(sizes) > MOST_BYTES:
        raise NoCase(path=path, problem=f"it would take more than {MOST_BYTES} bytes", hint=_HINT)
    for name, member in manifest.members.items():
        known, info = _MEMBER.fullmatch(name), archive.getinfo(name)
        if known is None or stat.S_ISLNK(info.external_attr >> 16):
            raise CaseDamaged(path=path, problem=f"{name!r} belongs in no case")
        content = _bounded(archive, info, member.size, path)
        digest = sha256(content).hexdigest()
        if len(content) != member.size or digest != member.sha256 or known[2] not in (None, digest):
            raise CaseDamaged(path=path, problem=f"{name} is not what was written")
        yield name, content


def _bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, path: str) -> bytes:
    """A member of so many bytes at most, however little room it takes in the file."""
    with archive.open(info) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise CaseDamaged(path=path, problem=f"{info.filename} is longer than it says")
    return content


def _rows(lines: bytes, manifest: _Manifest, path: str) -> tuple[Row, ...]:
    decode = msgspec.json.Decoder(_Event).decode
    rows: list[Row] = []
    try:
        for line in lines.splitlines():
            event = decode(line)
            rows.append(
                (event.position, event.stream, event.version, event.topic, bytes(event.envelope),
                 bytes.fromhex(event.hash))
            )  # fmt: skip
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CaseDamaged(path=path, problem=f"event {len(rows) + 1}: {error}") from error
    if manifest.redacted:
        return tuple(chained([row[1:5] for row in rows], EMPTY))
    try:
        check_chain(rows, EMPTY, path)
    except LogBroken as error:
        raise CaseDamaged(
            path=path, problem=f"event {error.facts['position']}: {error.facts['problem']}"
        ) from error
    return tuple(rows)


def members_of(case: Case) -> Mapping[str, int]:
    """How much of what a case holds, for people."""
    return {"events": len(case.rows), "transcripts": len(case.transcripts), "texts": len(case.blobs)}
