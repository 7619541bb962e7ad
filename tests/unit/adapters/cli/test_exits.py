"""What exit codes stand for."""

from __future__ import annotations

import pytest
from claude_pool.adapters.cli import exits
from claude_pool.domain.errors import CODES

EXPECTED = {
    "not_found": 2, "invalid_argument": 2, "budget_exceeded": 3, "draining": 3, "paused": 3,
    "store_in_use": 3, "store_unreadable": 3, "store_full": 3, "config_conflict": 3, "log_broken": 4,
    "log_newer": 6, "timed_out_queue": 124, "timed_out_start": 124, "timed_out_silence": 124,
    "timed_out_task": 124, "timed_out_chain": 124,
}  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_ends_with_the_exit_code_of_its_code(code: str) -> None:
    assert exits.of_error(code) == EXPECTED.get(code, 1)


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("completed", None, 0),
        ("failed", {"code": "provider_error"}, 1),
        ("failed", {"code": "timed_out_silence"}, 124),
        ("failed", {"code": "budget_exceeded"}, 1),
        ("cancelled", None, 1),
        ("sealed", {"code": "interrupted"}, 7),
        ("pending_review", None, 7),
    ],
)
def test_a_task_ends_with_the_exit_code_of_its_outcome(
    state: str, error: dict[str, str] | None, code: int
) -> None:
    assert exits.of_task({"state": state, "error": error}) == code


def test_several_tasks_end_with_the_gravest() -> None:
    done, failed = {"state": "completed"}, {"state": "failed"}
    late, sealed = {"state": "failed", "error": {"code": "timed_out_task"}}, {"state": "sealed"}

    cases = ((), (done,), (done, late), (late, failed), (failed, sealed))

    assert [exits.of_tasks(views) for views in cases] == [0, 0, 124, 1, 7]
