"""What the ports say of themselves."""

from __future__ import annotations

from claude_pool.domain.ports import ProcessEnd, SlotFailure


def test_a_slots_failure_says_what_failed_and_how_its_process_ended() -> None:
    gone = ProcessEnd(exit_code=1, killed=2, expected=False)
    failure = SlotFailure("slot_failed", "It did not answer.", gone)
    assert (failure.code, failure.message, failure.end) == ("slot_failed", "It did not answer.", gone)
    assert str(failure) == "It did not answer."
