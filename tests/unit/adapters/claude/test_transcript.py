"""Transcripts: every line on disk, with its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from claude_pool.adapters.claude.transcript import TranscriptFile, open_between


def test_the_evidence_is_of_the_bytes_in_the_file(tmp_path: Path) -> None:
    transcript = TranscriptFile(tmp_path / "t.jsonl", fresh=True)
    for line in (b"{}", b"", b"\xff\x00" * 10, b"x" * 1_000_000):
        transcript.append(line)
    transcript.sync()
    transcript.close()
    content = transcript.path.read_bytes()
    evidence = transcript.evidence()
    assert (evidence.length, evidence.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_line_is_in_the_file_once_it_was_appended(tmp_path: Path) -> None:
    transcript = TranscriptFile(tmp_path / "t.jsonl", fresh=True)
    transcript.append(b"line")
    assert transcript.path.read_bytes() == b"line\n"
    transcript.close()


@pytest.mark.parametrize(("fresh", "content"), [(True, b"new\n"), (False, b"old\nnew\n")])
def test_a_fresh_transcript_begins_empty_and_another_goes_on(
    tmp_path: Path, fresh: bool, content: bytes
) -> None:
    (tmp_path / "t.jsonl").write_bytes(b"old\n")
    transcript = TranscriptFile(tmp_path / "t.jsonl", fresh=fresh)
    transcript.append(b"new")
    transcript.close()
    transcript.close()
    assert transcript.path.read_bytes() == content


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    TranscriptFile(tmp_path / "t.jsonl", fresh=True).close()
    assert (tmp_path / "t.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "t.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        TranscriptFile(tmp_path / "t.jsonl", fresh=True)
    assert (tmp_path / "victim").read_text() == "untouched"


def test_a_full_disk_is_an_error_at_the_line_that_no_longer_fits() -> None:
    transcript = TranscriptFile(Path("/dev/full"), fresh=False)
    with pytest.raises(OSError, match="No space left"):
        transcript.append(b"line")
    transcript.close()


@pytest.mark.parametrize(("size", "moved"), [(8 * 2**20, False), (8 * 2**20 + 1, True)])
def test_the_lines_between_turns_go_on_until_they_are_too_many(
    tmp_path: Path, size: int, moved: bool
) -> None:
    path = tmp_path / "slot-0.jsonl"
    path.write_bytes(b"x" * size)
    open_between(path).close()
    assert (tmp_path / "slot-0.old").exists() is moved
    assert path.stat().st_size == (0 if moved else size)
