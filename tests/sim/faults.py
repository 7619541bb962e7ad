"""What may go wrong in a simulated pool, and which of it does for one seed."""

from __future__ import annotations

from collections import Counter
from random import Random

STORE = (
    "append_refused", "store_broken", "disk_full", "commit_unknown", "torn_append", "version_conflict",
)  # fmt: skip
CRASHES = ("crash", "crash_before_commit", "crash_after_commit", "crash_before_answer", "crash_in_recovery")
CLOCKS = ("clock_forward", "clock_back", "clock_freeze", "machine_sleeps")
PROCESSES = (
    "launch_fails", "launch_slow", "launch_never", "mute", "process_crash", "killed", "exit_without_result",
    "double_result", "late_result", "late_words", "idle_death", "clear_fails", "session_lost", "memory_grows",
    "interrupt_ignored", "stray_turn", "never_answers",
)  # fmt: skip
MONEY = ("cost_jumps", "cost_unknown", "cost_zero", "overdrawn")
QUESTIONS = ("question_unanswered", "question_withdrawn")
PROVIDER = (
    "rate_limit", "rate_limit_blind", "overloaded", "unreachable", "usage_limit", "login_refused",
    "no_credit", "answer_cut",
)  # fmt: skip
CLIENTS = (
    "same_key_again", "other_arguments", "cancel", "cancel_chain", "rejection", "budget_change",
    "soft_limit", "scaling", "drain", "pause", "stop", "stop_now", "revival", "claim_by_hand", "messages",
    "context_change",
)  # fmt: skip
DIRECTORIES = ("tree_fails", "tree_slow", "work_not_kept", "copy_fails", "copy_slow", "merge_fails")
SETTINGS = ("settings_change",)
ROOM = ("memory_short", "disk_short")

KINDS = (
    *STORE, *CRASHES, *CLOCKS, *PROCESSES, *MONEY, *QUESTIONS, *PROVIDER, *CLIENTS, *DIRECTORIES, *SETTINGS,
    *ROOM,
)  # fmt: skip
"""Everything that may go wrong, or that a client may do to make it difficult."""

_OFTEN = (0.02, 0.05, 0.1, 0.3)
_SELDOM = (0.002, 0.005, 0.02)
"""The rates of what ends an owner: more, and no work would ever be done."""
_RATES = {
    **dict.fromkeys((*STORE, *CRASHES), _SELDOM),
    **dict.fromkeys((*DIRECTORIES, "rejection"), (0.2, 0.5)),
}


class Faults:
    """The kinds that strike in one run, and how often each does."""

    def __init__(self, random: Random) -> None:
        """Some runs see few kinds, some nearly all."""
        self._random = random
        share = random.choice((0.1, 0.3, 0.6, 0.9))
        self.rates = {
            kind: random.choice(_RATES.get(kind, _OFTEN)) for kind in KINDS if random.random() < share
        }
        self.struck: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        """Whether a fault of this kind happens now."""
        rate = self.rates.get(kind)
        if rate is None or self._random.random() >= rate:
            return False
        self.struck[kind] += 1
        return True

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.rates.clear()
