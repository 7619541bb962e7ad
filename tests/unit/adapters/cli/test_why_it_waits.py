"""What `why` says before the story, and how much of a long cell is shown."""

from __future__ import annotations

import pytest
from claude_pool.adapters.cli import output
from claude_pool.adapters.cli.looking import NEXT_STEPS, waits_for


def test_what_waits_for_nothing_needs_no_words() -> None:
    assert waits_for({"state": "running"}) == ""


def test_a_wait_is_told_with_its_end_and_what_to_do() -> None:
    view = {"reason": "not_logged_in", "until": 1_795_376_327_016}
    assert waits_for(view) == (
        ": it waits for not_logged_in, until 2026-11-22T19:38:47.016Z at the latest"
        " (mend the login, then `claude-pool resume`)"
    )
    assert waits_for({"reason": "slot 3"}) == ": it waits for slot 3"


@pytest.mark.parametrize("reason", ["soft_limit", "question", "sealed"])
def test_what_waits_for_an_answer_says_where_the_question_is(reason: str) -> None:
    assert "claude-pool questions" in NEXT_STEPS[reason]


def test_a_pipe_gets_the_last_column_whole(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "x" * 70, "what": "y" * 500}
    output.table([row], {"ID": lambda each: each["id"], "WHAT": lambda each: each["what"]})
    shown = capsys.readouterr().out.splitlines()[1]
    assert shown == "x" * 59 + "…" + "  " + "y" * 500
