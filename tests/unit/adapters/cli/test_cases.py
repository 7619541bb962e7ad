"""`export`, `import` and `rerun` from a shell: what they print, and the codes they end with."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from claude_pool.adapters.cases.archive import read_case, write_case

from tests.support.one_process import Ended, run_each

GOLDEN = Path(__file__).parents[3] / "golden"
STATE = ("--state-dir", "state")

COMMANDS = (
    ("export", "--from", "1", *STATE, "-o", "all.zip"),
    ("export", "--from", "100", "--to", "200", *STATE, "-o", "part.zip", "--json"),
    ("export", "--from", "1", *STATE, "-o", "all.zip", "--json"),
    ("export", *STATE),
    ("export", "slot-0", *STATE),
    ("export", "task-aaaaaaaaaaaaaaaa", *STATE),
    ("export", "--from", "9999", *STATE),
    ("export", "--from", "1", "--redact", "ab", *STATE),
    ("export", "--from", "1", "--redact", "succeeds", *STATE, "-o", "clean.zip"),
    ("export", "--from", "1", "--state-dir", "nowhere"),
    ("rerun", "all.zip"),
    ("rerun", "part.zip", "--json"),
    ("rerun", "changed.zip"),
    ("rerun", "changed.zip", "--json"),
    ("rerun", "cut.zip"),
    ("rerun", "newer.zip"),
    ("rerun", "nothing.zip"),
    ("rerun", "all.zip", "--pytest"),
    ("import", "all.zip"),
    ("import", "all.zip", "--state-dir", "state"),
    ("import", "part.zip", "--state-dir", "there", "--json"),
    ("import", "cut.zip", "--state-dir", "never"),
    ("replay", "--check", "--state-dir", "all"),
    ("replay", "--diff", "state", "all"),
    ("status", "--state-dir", "there"),
)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Ended]:
    """What became of each command, one after the other."""
    folder = tmp_path_factory.mktemp("cases")
    shutil.copytree(GOLDEN / "logs" / "0.2.0", folder / "state")
    whole = (GOLDEN / "cases" / "success.zip").read_bytes()
    (folder / "cut.zip").write_bytes(whole[:2_000])
    made_by_another(folder / "newer.zip", whole, b'"format": 1', b'"format": 9')
    shutil.copy(GOLDEN / "cases" / "died.zip", folder / "changed.zip")
    with_other_slots(folder / "changed.zip")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return run_each(COMMANDS, environment, folder)


def made_by_another(path: Path, whole: bytes, old: bytes, new: bytes) -> None:
    """A case with another manifest."""
    with zipfile.ZipFile(io.BytesIO(whole)) as case, zipfile.ZipFile(path, "w") as made:
        for name in case.namelist():
            made.writestr(name, case.read(name).replace(old, new))


def with_other_slots(path: Path) -> None:
    """The case, but its slot said something else: as if the pool took it otherwise now."""
    case = read_case(str(path))
    transcripts = {name: content[:400] + b"\n" for name, content in case.transcripts.items()}
    write_case(replace(case, transcripts=transcripts), str(path), force=True)


def the(ended: dict[tuple[str, ...], Ended], *words: str) -> Ended:
    """What became of the command that begins with these words."""
    return next(end for command, end in ended.items() if command[: len(words)] == words)


def test_a_log_becomes_a_case_and_a_case_a_log(ended: dict[tuple[str, ...], Ended]) -> None:
    assert "all.zip: events 1 to 281, 19 transcripts, 2 texts" in the(ended, *COMMANDS[0]).output
    assert "281 events" in the(ended, "import", "all.zip").output
    assert the(ended, "replay", "--check").code == "0"
    assert the(ended, "replay", "--diff").code == "0"


def test_what_was_made_is_told_as_json(ended: dict[tuple[str, ...], Ended]) -> None:
    made = json.loads(the(ended, *COMMANDS[1]).output)
    assert (made["events"], made["redacted"], made["missing"]) == (made["last"], False, [])
    assert made["first"] <= 100
    assert json.loads(the(ended, "import", "part.zip").output)["position"] == made["last"]
    assert the(ended, "status").code == "0"


def test_words_that_were_taken_out_are_told(ended: dict[tuple[str, ...], Ended]) -> None:
    assert "words were taken out" in the(ended, "export", "--from", "1", "--redact", "succeeds").output


def test_a_rerun_that_comes_to_the_same_ends_with_0(ended: dict[tuple[str, ...], Ended]) -> None:
    again = the(ended, "rerun", "all.zip")
    assert (again.code, again.output) == ("0", "all 281 events came again\n")
    assert json.loads(the(ended, "rerun", "part.zip", "--json").output)["same"]


def test_a_rerun_that_does_not_ends_with_5_and_shows_both_sides(
    ended: dict[tuple[str, ...], Ended],
) -> None:
    other = the(ended, "rerun", "changed.zip")
    assert other.code == "5"
    assert "recorded " in other.output
    assert "differences in 23 events" in other.output
    told = json.loads(the(ended, "rerun", "changed.zip", "--json").output)
    assert not told["same"]
    assert {"position", "stream", "event", "recorded", "rerun"} == set(told["differences"][0])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (COMMANDS[2], "2"),  # the file is there
        (("export", *STATE), "2"),
        (("export", "slot-0"), "2"),
        (("export", "task-aaaaaaaaaaaaaaaa"), "2"),
        (("export", "--from", "9999"), "2"),
        (("export", "--from", "1", "--redact", "ab"), "2"),
        (("export", "--from", "1", "--state-dir", "nowhere"), "3"),
        (("rerun", "cut.zip"), "3"),
        (("rerun", "nothing.zip"), "3"),
        (("rerun", "newer.zip"), "6"),
        (("import", "all.zip", "--state-dir", "state"), "2"),
        (("import", "cut.zip"), "3"),
    ],
)
def test_what_is_wrong_has_the_exit_code_of_its_kind(
    ended: dict[tuple[str, ...], Ended], words: tuple[str, ...], code: str
) -> None:
    assert the(ended, *words).code == code


def test_a_case_is_printed_as_a_test(ended: dict[tuple[str, ...], Ended]) -> None:
    printed = the(ended, "rerun", "all.zip", "--pytest")
    assert printed.code == "0"
    compile(printed.output, "test_all.py", "exec")
