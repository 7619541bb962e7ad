"""The sessions in the documents are run, and print what stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.documented import PAGES, ROOT, printed, sessions

PAGE = (
    "Text.\n\n<!-- session: one -->\n```console\n$ echo a\na\n$ name=b\n$ echo $name $(date +%T)\nb …\n```\n"
)


@pytest.mark.real
@pytest.mark.cli
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_shows_what_its_sessions_print(path: Path, tmp_path: Path) -> None:
    page = path.read_text("utf-8")
    found = sessions.drift(page, printed(page, tmp_path))
    assert found == [], "run tools/sessions:\n" + "\n".join(found)


def test_the_readme_has_a_session() -> None:
    assert ROOT / "README.md" in PAGES


def test_commands_of_a_page_share_one_shell(tmp_path: Path) -> None:
    said = sessions.run(PAGE, tmp_path, {"PATH": "/usr/bin:/bin"})
    assert said[:2] == ["a\n", ""]
    assert sessions.drift(PAGE, said) == []


def test_another_output_is_told_as_a_diff_and_can_be_written(tmp_path: Path) -> None:
    old = PAGE.replace("\na\n", "\nz\n")
    said = sessions.run(old, tmp_path, {"PATH": "/usr/bin:/bin"})
    found = sessions.drift(old, said)
    assert found[0] == "one: $ echo a"
    assert "-z" in found and "+a" in found
    assert sessions.refreshed(old, said) == PAGE


def test_what_differs_from_run_to_run_is_left_out_and_columns_stay() -> None:
    said = "task-abcdefghijklmnop  0.3s  b\n"
    assert sessions.plain(said) == "task-…                 …     b"
    assert sessions.fits("task-… … b", said)
    assert not sessions.fits("task-… … c", said)
