"""Texts of any length, on disk and in memory."""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from claude_pool.adapters.store import blobs
from claude_pool.adapters.store.blobs import DAY_MS, BlobStore, MemoryBlobs, TextLost, Texts
from claude_pool.domain.errors import LogBroken, StoreFull, StoreUnreadable
from claude_pool.domain.values import INLINE_TEXT_BYTES, Text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = 1_700_000_000_000
NOTHING: frozenset[str] = frozenset()
LONG = "An answer. " * 1000


@pytest.fixture(params=["folder", "memory"])
def texts(request: pytest.FixtureRequest, tmp_path: Path) -> Texts:
    return BlobStore(tmp_path / "blobs") if request.param == "folder" else MemoryBlobs()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(text=st.one_of(st.text(), st.text(min_size=1).map(lambda part: part * 3000)))
def test_any_text_comes_back(texts: Texts, text: str) -> None:
    assert texts.get(texts.put(text)) == text


@pytest.mark.parametrize("letter", ["x", "é", "☃", "😀"])
def test_the_limit_counts_bytes(texts: Texts, letter: str) -> None:
    size = len(letter.encode())
    fits = letter * (INLINE_TEXT_BYTES // size)

    assert texts.put(fits) == Text(inline=fits, size=len(fits.encode()))
    assert texts.put(fits + letter).inline is None


def test_a_long_text_is_named_by_its_hash_and_shows_its_beginning(texts: Texts) -> None:
    assert texts.put(LONG) == Text(
        blob=sha256(LONG.encode()).hexdigest(), size=len(LONG), head=LONG[: blobs.HEAD_CHARACTERS]
    )


@pytest.mark.parametrize("length", [10, 5000])
def test_half_a_surrogate_pair_is_replaced(texts: Texts, length: int) -> None:
    kept = texts.put("\udc00" + "x" * length + "\ud83d\ude00\ud800")

    assert texts.get(kept) == "\ufffd" + "x" * length + "😀\ufffd"
    assert kept.size == len(texts.get(kept).encode())


def test_a_text_that_is_not_there_is_lost(texts: Texts) -> None:
    with pytest.raises(TextLost, match="missing") as loss:
        texts.get(Text(blob="0" * 64, size=5000))

    assert isinstance(loss.value, LogBroken)


def test_a_text_of_nothing_is_empty(texts: Texts) -> None:
    assert texts.get(Text()) == ""


def test_what_an_event_names_is_never_swept(texts: Texts) -> None:
    kept = texts.put(LONG)
    assert kept.blob is not None

    assert texts.sweep({kept.blob}, 0, now_ms=2**50) == 0
    assert texts.get(kept) == LONG


def test_files_are_for_their_user_only(root: Path) -> None:
    kept = BlobStore(root).put(LONG)

    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / str(kept.blob)).stat().st_mode) == 0o600


def test_a_text_is_durable_before_it_has_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        is_folder = os.path.samestat(os.fstat(descriptor), os.stat(root))
        steps.append("sync folder" if is_folder else "sync file")
        real_fsync(descriptor)

    def rename(old: str, new: Path) -> None:
        steps.append("rename")
        real_rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)

    BlobStore(root).put(LONG)

    assert steps == ["sync file", "rename", "sync folder"]


def test_a_damaged_text_is_lost_and_mended_by_the_same_text(root: Path) -> None:
    store = BlobStore(root)
    kept = store.put(LONG)
    path = root / str(kept.blob)
    path.write_text(LONG.replace("An", "No"))

    with pytest.raises(TextLost, match="damaged"):
        store.get(kept)
    store.put(LONG)

    assert store.get(kept) == LONG


@pytest.mark.parametrize("name", ["../secret", "", "A" * 64, "0" * 63 + "\n", "0" * 65])
def test_only_a_hash_names_a_file(root: Path, name: str) -> None:
    (root.parent / "secret").write_text("secret")

    with pytest.raises(TextLost, match="names no file"):
        BlobStore(root).get(Text(blob=name, size=6))


def test_garbage_goes_when_it_is_old(root: Path) -> None:
    store = BlobStore(root)
    old, young = store.put("old" * 1000), store.put("young" * 1000)
    (root / ".unfinished-abc").write_text("half")
    (root / "notes.txt").write_text("not ours")
    age(root / str(old.blob), DAY_MS + 1000)
    age(root / ".unfinished-abc", DAY_MS + 1000)
    age(root / "notes.txt", DAY_MS + 1000)

    assert store.sweep(NOTHING, DAY_MS, now_ms=NOW) == 2
    assert sorted(entry.name for entry in root.iterdir()) == sorted([str(young.blob), "notes.txt"])


def age(path: Path, by_ms: int) -> None:
    at = (NOW - by_ms) * 1_000_000
    os.utime(path, ns=(at, at))


def test_a_text_that_is_put_again_is_young_again(root: Path) -> None:
    store = BlobStore(root)
    kept = store.put(LONG)
    age(root / str(kept.blob), DAY_MS + 1000)
    store.put(LONG)

    assert store.sweep(NOTHING, DAY_MS, now_ms=NOW) == 0


def test_there_is_nothing_to_sweep_before_the_first_text(root: Path) -> None:
    assert BlobStore(root).sweep(NOTHING, DAY_MS, NOW) == 0


@pytest.mark.parametrize(
    ("code", "expected"),
    [(errno.ENOSPC, StoreFull), (errno.EROFS, StoreUnreadable)],
    ids=["full", "read-only"],
)
def test_a_refused_write_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[Exception]
) -> None:
    def refuse(_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(expected):
            BlobStore(root).put(LONG)

    assert list(root.iterdir()) == []
