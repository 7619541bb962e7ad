"""What goes into a case, what is taken out, and how it becomes a state directory again."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from claude_pool.adapters.cases.archive import packed, read_case
from claude_pool.adapters.cases.case import Case, CaseDamaged
from claude_pool.adapters.cases.exporting import gather
from claude_pool.adapters.cases.importing import ORIGIN, unpack
from claude_pool.adapters.cases.rerunning import rerun_case
from claude_pool.adapters.check import check_log
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import At, LogReader
from claude_pool.adapters.redaction import Secrets
from claude_pool.domain.errors import InvalidArgument, LogBroken, NotFound, PoolError, StoreUnreadable

LOG = Path(__file__).parents[3] / "golden" / "logs" / "0.2.0"
EVENTS = 281


@pytest.fixture
def kept(tmp_path: Path) -> Places:
    """A copy of a kept log."""
    shutil.copytree(LOG, tmp_path / "state")
    return Places(str(tmp_path / "state"), "", "", "")


def at(position: int, argument: str = "--from") -> At:
    """A position that was given."""
    return At(position, None, argument)


def exported(
    places: Places, subject: str | None = None, first: At | None = None, last: At | None = None,
    secrets: Secrets | None = None,
) -> Case:  # fmt: skip
    """A case as a reader of its file has it."""
    return read_case("case.zip", packed(gather(places, subject, first, last, secrets or Secrets(), print)))


def subject_of(places: Places, kind: str) -> str:
    """A task with several attempts, or a chain, of the kept log."""
    with closing(LogReader(places, "0")) as reader:
        if kind == "chain":
            return next(each.chain_id for each in reader.chain_cards())
        return next(each.task_id for each in reader.task_cards() if each.attempts > 1)


def test_a_case_of_everything_has_everything(kept: Places) -> None:
    case = exported(kept, first=at(1))
    assert (case.asked.first, case.asked.last, len(case.rows)) == (1, EVENTS, EVENTS)
    assert sorted(case.transcripts) == sorted(
        path.stem for path in Path(kept.transcripts).glob("task-*.jsonl")
    )
    assert sorted(case.blobs) == sorted(path.name for path in Path(kept.blobs).iterdir())
    assert not case.missing


@pytest.mark.parametrize("kind", ["task", "chain"])
def test_a_case_of_a_subject_goes_from_its_first_event_to_its_last(kept: Places, kind: str) -> None:
    subject = subject_of(kept, kind)
    with closing(LogReader(kept, "0")) as reader:
        events = list(reader.events())
    own = [r.position for r in events if r.stream == subject]
    case = exported(kept, subject)
    assert case.asked.subject == subject
    assert case.asked.first <= own[0]
    assert case.asked.last >= own[-1]
    assert 0 < len(case.transcripts) < len(list(Path(kept.transcripts).glob("task-*.jsonl")))
    assert bytes(case.rows[-1][5]) == events[case.asked.last - 1].hash


def test_a_range_is_widened_to_whole_appends(kept: Places) -> None:
    with closing(LogReader(kept, "0")) as reader:
        events = list(reader.events())
    inside = next(
        r.position
        for before, r, after in zip(events, events[1:], events[2:], strict=False)
        if before.meta.command_id == r.meta.command_id == after.meta.command_id
    )
    case = exported(kept, first=at(inside), last=at(inside, "--to"))
    assert case.asked.first < inside < case.asked.last


def test_a_time_is_as_good_as_a_position(kept: Places) -> None:
    with closing(LogReader(kept, "0")) as reader:
        events = list(reader.events())
    moment = events[99].meta.recorded_at
    case = exported(kept, first=At(None, moment, "--from"), last=At(None, moment, "--to"))
    assert {events[n - 1].meta.recorded_at for n in (case.asked.first, case.asked.last)} == {moment}
    assert exported(kept, first=At(None, 5, "--from")).asked.first == 1


@pytest.mark.parametrize(
    ("subject", "first", "last", "error"),
    [
        (None, None, None, InvalidArgument),
        ("slot-0", None, None, InvalidArgument),
        ("msg-aaaaaaaaaaaaaaaa", None, None, InvalidArgument),
        ("nonsense", None, None, InvalidArgument),
        ("task-aaaaaaaaaaaaaaaa", None, None, NotFound),
        ("chain-aaaaaaaaaaaaaaaa", None, None, NotFound),
        ("task-aaaaaaaaaaaaaaaa", at(1), None, InvalidArgument),
        (None, at(EVENTS + 1), None, InvalidArgument),
        (None, at(0), None, InvalidArgument),
        (None, at(1), at(EVENTS + 1, "--to"), InvalidArgument),
        (None, at(200), at(100, "--to"), InvalidArgument),
    ],
)
def test_what_is_no_task_chain_or_range_is_refused(
    kept: Places, subject: str | None, first: At | None, last: At | None, error: type[PoolError]
) -> None:
    with pytest.raises(error):
        gather(kept, subject, first, last, Secrets(), print)


def test_no_log_makes_no_case(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable):
        gather(Places(str(tmp_path), "", "", ""), None, at(1), None, Secrets(), print)


def test_a_damaged_log_makes_no_case(kept: Places) -> None:
    log = Path(kept.log)
    log.write_bytes(log.read_bytes().replace(b"a task that succeeds", b"a task that SUCCEEDS"))
    with pytest.raises(LogBroken):
        gather(kept, None, at(1), None, Secrets(), print)


def test_a_lost_transcript_is_named_and_its_attempt_ends_as_it_was_recorded(kept: Places) -> None:
    lost = next(Path(kept.transcripts).glob("task-*.jsonl"))
    lost.unlink()
    case = exported(kept, first=at(1))
    assert case.missing == (f"transcripts/{lost.name}",)
    assert rerun_case(case).same


# without credentials


def hidden(*words: str) -> Secrets:
    """What is to be taken out."""
    secrets = Secrets()
    for word in words:
        secrets.hide(word)
    return secrets


def test_a_word_is_taken_out_everywhere_and_what_named_it_is_amended(kept: Places) -> None:
    case = exported(kept, first=at(1), secrets=hidden("long", "succeeds"))
    assert case.redacted
    everything = [row[4] for row in case.rows] + [*case.transcripts.values(), *case.blobs.values()]
    assert not any(b"long long" in each or b"succeeds" in each for each in everything)
    assert any(b"[redacted:word]" in each for each in case.blobs.values())
    state = Path(kept.state_dir).parent / "imported"
    unpack(case, "case.zip", str(state))
    assert check_log(Places(str(state), "", "", "")) == []
    assert json.loads((state / ORIGIN).read_text())["redacted"]


def test_the_value_of_a_credential_is_taken_out(kept: Places) -> None:
    found = exported(kept, first=at(1), secrets=Secrets({"MY_API_KEY": "a task that is cancelled"}))
    assert any(b"[redacted:MY_API_KEY]" in row[4] for row in found.rows)
    assert not any(b"a task that is cancelled" in row[4] for row in found.rows)


def test_a_redacted_case_is_played_like_any_other(kept: Places) -> None:
    found = rerun_case(exported(kept, first=at(1), secrets=hidden("succeeds")))
    assert found.same, found.text


def test_where_there_is_nothing_to_take_out_the_hashes_are_the_originals(kept: Places) -> None:
    case = exported(kept, first=at(1), secrets=hidden("not to be found anywhere"))
    assert not case.redacted
    with closing(LogReader(kept, "0")) as reader:
        assert [row[5] for row in case.rows] == [r.hash for r in reader.events()]


# as a state directory again


def test_an_imported_case_is_a_whole_log(kept: Places, tmp_path: Path) -> None:
    head = unpack(exported(kept, first=at(1)), "case.zip", str(tmp_path / "imported"))
    imported = Places(str(tmp_path / "imported"), "", "", "")
    assert check_log(imported) == []
    with closing(LogReader(kept, "0")) as ours, closing(LogReader(imported, "0")) as theirs:
        assert theirs.status() == ours.status()
        assert theirs.tasks() == ours.tasks()
        assert head.position == EVENTS


@pytest.mark.parametrize("last", [40, 150])
def test_a_slice_is_a_log_that_ends_there(kept: Places, tmp_path: Path, last: int) -> None:
    case = exported(kept, first=at(1), last=at(last, "--to"))
    unpack(case, "case.zip", str(tmp_path / "imported"))
    assert check_log(Places(str(tmp_path / "imported"), "", "", "")) == []


def test_nothing_is_imported_over_something(kept: Places, tmp_path: Path) -> None:
    case = exported(kept, first=at(1))
    for state in (kept.state_dir, str(tmp_path / "no" / "such"), kept.log):
        with pytest.raises(InvalidArgument):
            unpack(case, "case.zip", state)
    (tmp_path / "empty").mkdir()
    unpack(case, "case.zip", str(tmp_path / "empty"))


def test_events_that_nobody_can_read_leave_nothing_behind(kept: Places, tmp_path: Path) -> None:
    case = exported(kept, first=at(1))
    position, stream, version, topic, _, digest = case.rows[0]
    broken = Case(case.program, case.asked, ((position, stream, version, topic, b"{}", digest),))
    with pytest.raises((LogBroken, CaseDamaged)):
        unpack(broken, "case.zip", str(tmp_path / "imported"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]
