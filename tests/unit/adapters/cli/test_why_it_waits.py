"""What `why` says before the events, how a tree is drawn, and how much of a long cell is shown."""

from __future__ import annotations

import pytest
from claude_pool.adapters.cli import output
from claude_pool.adapters.cli.shell import View
from claude_pool.adapters.cli.why import conclusion, drawn
from claude_pool.domain.reasons import NEXT_STEPS


def branch(depth: int, position: int | None, cause: int | None = None) -> View:
    """One line of a tree."""
    named: View = {"event": "e", "actor": "policy", "text": "what"}
    return {"depth": depth, "position": position, "cause": cause, **named}


def test_the_deciding_reason_and_what_to_do_come_first() -> None:
    view: View = {
        "id": "t", "state": "parked", "do": "resume it",
        "because": [{"reason": "paused", "text": "waits", "position": 7},
                    {"reason": "queue", "text": "1 before it", "position": None}],
    }  # fmt: skip
    assert conclusion(view) == [
        "t is parked: waits (event 7)", "  what to do: resume it", "  - 1 before it",
    ]  # fmt: skip
    del view["do"]
    assert conclusion(view)[1:] == ["  - 1 before it"]


def test_a_tree_is_drawn_with_what_goes_on_below() -> None:
    branches = [branch(0, None), branch(1, 1), branch(2, 2, 1), branch(3, 3, 2), branch(2, 5, 3)]
    assert drawn(branches) == [
        "what",
        "└─ 1 e (policy) what",
        "   ├─ 2 e (policy <- 1) what",
        "   │  └─ 3 e (policy <- 2) what",
        "   └─ 5 e (policy <- 3) what",
    ]


@pytest.mark.parametrize("reason", ["soft_limit", "question", "sealed"])
def test_what_waits_for_an_answer_says_where_the_question_is(reason: str) -> None:
    assert "claude-pool questions" in NEXT_STEPS[reason]


def test_a_pipe_gets_the_last_column_whole(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "x" * 70, "what": "y" * 500}
    output.table([row], {"ID": lambda each: each["id"], "WHAT": lambda each: each["what"]})
    shown = capsys.readouterr().out.splitlines()[1]
    assert shown == "x" * 59 + "…" + "  " + "y" * 500
