"""A case is read as what a stranger sent: whatever is wrong with it has a name, and nothing is unpacked."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.cases import archive
from claude_pool.adapters.cases.archive import EVENTS, MANIFEST, packed, read_case, write_case
from claude_pool.adapters.cases.case import CaseDamaged, CaseNewer, NoCase
from claude_pool.domain.errors import InvalidArgument, PoolError

GOLDEN = Path(__file__).parents[3] / "golden" / "cases" / "long-answer.zip"
WHOLE = GOLDEN.read_bytes()

Members = dict[str, bytes]


def members() -> Members:
    """The files of a case."""
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archived:
        return {name: archived.read(name) for name in archived.namelist()}


def zipped(files: Members, *more: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip of `files` and `more`, which may repeat a name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in (*files.items(), *more):
            made.writestr(name, content)
    return target.getvalue()


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The case with another manifest."""
    files = members()
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    return zipped({**files, MANIFEST: json.dumps(manifest).encode()})


def with_member(name: str, content: bytes, info: zipfile.ZipInfo | None = None) -> bytes:
    """The case with one file more, which its manifest knows."""
    files = members()
    manifest = json.loads(files[MANIFEST])
    manifest["members"][name] = {"size": len(content), "sha256": sha256(content).hexdigest()}
    return zipped({**files, MANIFEST: json.dumps(manifest).encode()}, (info or name, content))


def with_events(lines: bytes) -> bytes:
    """The case with other events, which its manifest vouches for."""
    files = members()
    manifest = json.loads(files[MANIFEST])
    manifest["members"][EVENTS] = {"size": len(lines), "sha256": sha256(lines).hexdigest()}
    return zipped({**files, MANIFEST: json.dumps(manifest).encode(), EVENTS: lines})


def link() -> bytes:
    """The case with a symbolic link for a text."""
    target = b"/etc/passwd"
    info = zipfile.ZipInfo(f"blobs/{sha256(target).hexdigest()}")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return with_member(info.filename, target, info)


def without(name: str) -> bytes:
    """The case without a file that its manifest names."""
    files = members()
    return zipped({key: value for key, value in files.items() if key != name})


def lines() -> list[bytes]:
    """The events as they lie there."""
    return members()[EVENTS].splitlines(keepends=True)


def doubled() -> bytes:
    """The case with one file twice."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped(members(), (EVENTS, b""))


WRONG: dict[str, tuple[Callable[[], bytes], type[PoolError]]] = {
    "nothing": (lambda: b"", NoCase),
    "a text": (lambda: b"hello", NoCase),
    "cut off": (lambda: WHOLE[: len(WHOLE) // 2], NoCase),
    "the last byte missing": (lambda: WHOLE[:-1], NoCase),
    "another zip": (lambda: zipped({"a.txt": b"a"}), NoCase),
    "no JSON": (lambda: zipped({**members(), MANIFEST: b"{"}), NoCase),
    "deep JSON": (lambda: zipped({**members(), MANIFEST: b"[" * 100_000}), NoCase),
    "another kind": (lambda: altered(lambda m: m.update(kind="x")), NoCase),
    "newer": (lambda: altered(lambda m: m.update(format=2)), CaseNewer),
    "no format": (lambda: altered(lambda m: m.pop("format")), CaseDamaged),
    "no range": (lambda: altered(lambda m: m["asked"].update(last=10**9)), CaseDamaged),
    "a bomb that says so": (
        lambda: altered(lambda m: m["members"][EVENTS].update(size=2**40)), NoCase
    ),
    "a bomb that lies": (lambda: altered(lambda m: m["members"][EVENTS].update(size=10)), CaseDamaged),
    "a negative size": (lambda: altered(lambda m: m["members"][EVENTS].update(size=-1)), NoCase),
    "a wrong digest": (
        lambda: altered(lambda m: m["members"][EVENTS].update(sha256="0" * 64)), CaseDamaged
    ),
    "no events": (lambda: without(EVENTS), CaseDamaged),
    "a file twice": (doubled, CaseDamaged),
    "a file that nobody names": (lambda: zipped(members(), ("blobs/x", b"")), CaseDamaged),
    "a path upwards": (lambda: with_member("../../evil", b"x"), CaseDamaged),
    "an absolute path": (lambda: with_member("/tmp/evil", b"x"), CaseDamaged),
    "a text by another name": (lambda: with_member(f"blobs/{'0' * 64}", b"x"), CaseDamaged),
    "a link": (link, CaseDamaged),
    "an event missing": (lambda: with_events(b"".join(lines()[:3] + lines()[4:])), CaseDamaged),
    "an event altered": (
        lambda: with_events(b"".join(lines()).replace(b'"slot-0"', b'"slot-1"', 1)), CaseDamaged
    ),
    "an event that is none": (lambda: with_events(b"{}\n"), CaseDamaged),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_has_a_name_and_says_what_to_do(name: str) -> None:
    make, error = WRONG[name]
    with pytest.raises(error) as caught:
        read_case("sent.zip", make())
    assert caught.value.message.startswith("sent.zip ")
    assert "Nothing was written" in caught.value.message or "nothing was written" in caught.value.message


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1_000)
    with pytest.raises(NoCase, match="more than 1000 bytes"):
        read_case("sent.zip", WHOLE)
    monkeypatch.setattr(archive, "_MANIFEST_BYTES", 10)
    with pytest.raises(CaseDamaged, match=r"manifest.json is longer"):
        read_case("sent.zip", WHOLE)


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    with pytest.raises(NoCase, match="files"):
        read_case("sent.zip", WHOLE)


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    whole = read_case("sent.zip", WHOLE)
    for at in range(0, len(WHOLE), 37):
        flipped = bytearray(WHOLE)
        flipped[at] ^= 0x55
        try:
            read = read_case("sent.zip", bytes(flipped))
        except PoolError:
            continue
        assert (read.rows, read.transcripts, read.blobs) == (whole.rows, whole.transcripts, whole.blobs)


def test_a_file_that_is_not_there_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(NoCase, match="No such file"):
        read_case(str(tmp_path / "none.zip"))


def test_what_was_read_is_written_to_the_same_bytes(tmp_path: Path) -> None:
    case = read_case(str(GOLDEN))
    assert packed(case) == WHOLE
    target = tmp_path / "again.zip"
    write_case(case, str(target))
    assert target.read_bytes() == WHOLE
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    case, target = read_case(str(GOLDEN)), tmp_path / "case.zip"
    target.write_text("mine")
    with pytest.raises(InvalidArgument, match="--force replaces it"):
        write_case(case, str(target))
    assert target.read_text() == "mine"
    write_case(case, str(target), force=True)
    assert target.read_bytes() == WHOLE


@pytest.mark.parametrize("name", ["missing/case.zip", "."])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument):
        write_case(read_case(str(GOLDEN)), str(tmp_path / name), force=True)
