"""What holds for every log, checked from its events alone, apart from the decisions and folds that made them.

Each violation has a code:

The log
* `position_gap`: positions are not 1, 2, 3 …; `version_gap`: nor are the versions of a stream.
* `wrong_stream`: an event stands in a stream of another kind.

Tasks and attempts
* `submitted_twice`, `unknown_task`; `wrong_move`: not along the states that a task goes through.
* `after_the_end`: something happened to a task or a chain that was over, such as a second end.
* `sealed_in_sight`: sealed, but nobody lost sight of it; `reopened_too_often`: more than it may by itself.
* `half_an_end`: an attempt ended and nothing says what this means for the task.
* `wrong_attempt_number`, `too_many_attempts`, `not_the_live_attempt`: an end, a question or an interruption
  of another attempt than the live one.
* `one_attempt_a_session`: two live attempts in one conversation.
* `started_while_held`: an attempt started while the pool was paused or its owner ending.
* `question_twice`: asked twice, or closed without being open.
* `never_ended`: nobody is waited for and nothing goes on (only where all should have come to its end).

Money: those of `audit`, and
* `certainty_lost`: an estimated cost was settled as a known one, or the reverse; `below_zero`.
* `never_settled`: money stays reserved (only where all should have come to its end).

Slots
* `unknown_slot`, `wrong_slot_move`; `one_task_a_slot`, `one_slot_a_task`; `out_of_service`: a slot was
  claimed that is failed, stopped, retired or leaving.
* `attempt_without_claim`, `claim_without_attempt`, `wrong_release`, `not_released`.
* `wrong_launch_number`, `not_the_live_process`; `restarts_too_often`: a new process where the slot should
  have been quarantined.
* `shared_directory`: a work tree with two owners; `work_removed`: one that went uncommitted or unasked.
* `message_twice`: a message was delivered, read or returned from a place where it was not.

Chains
* `unknown_chain`; `step_out_of_turn`, `step_without_task`, `task_without_step`, `wrong_task_of_step`,
  `step_differs`: a step and its task do not end alike; `template_changed`: its prompt is not the plan's.
* `reused_before_needs`, `reuse_differs`: a forked chain takes over what was not so, or not yet;
  `conversation_not_spared`: it says more in a conversation of what it takes over.
* `one_step_a_copy`; `work_not_kept`; `merged_in_vain`; `wrong_end`.

Not checked: the order of the queue. A task may wait for a slot that is nearly ready, while the next one
starts a cold slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import chain_events, pool_events, slot_events, task_events
from .audit import AUDITED, Audit
from .chain_invariants import ChainInvariants
from .message_events import EVENTS as MESSAGES
from .records import Event
from .slot_invariants import SlotInvariants
from .task_invariants import TaskInvariants
from .violations import Rule, Rules, Violation

_STREAMS: dict[type[Any], tuple[str, ...]] = {
    **dict.fromkeys(task_events.EVENTS, ("task-",)),
    **dict.fromkeys(slot_events.EVENTS, ("slot-",)),
    **dict.fromkeys(chain_events.EVENTS, ("chain-",)),
    **dict.fromkeys(pool_events.EVENTS, ("pool",)),
    **dict.fromkeys(MESSAGES, ("slot-", "pool")),
}
"""How the stream of each kind of event begins."""


class Invariants:
    """The checks of one log. `observe` takes its events in order; `close` looks at what is left."""

    def __init__(self) -> None:
        """An empty log."""
        self.found: list[Violation] = []
        self.books = Audit(findings=self.found)
        self._tasks = TaskInvariants(self.found)
        self._slots = SlotInvariants(self.found)
        self._chains = ChainInvariants(self.found)
        self._position = 0
        self._versions: dict[str, int] = {}
        money: Rules = dict.fromkeys(AUDITED, self.books.observe)
        parts = (self._tasks.rules, money, self._slots.rules, self._chains.rules)
        self._rules: dict[type[Any], tuple[Rule, ...]] = {
            kind: tuple(rules[kind] for rules in parts if kind in rules) for kind in _STREAMS
        }

    def observe(self, position: int, stream: str, version: int, event: Event) -> None:
        """Look at the next event of the log."""
        if position != self._position + 1:
            self._object(position, "position_gap", f"position {position} follows {self._position}")
        self._position = position
        before = self._versions.get(stream, 0)
        if version != before + 1:
            self._object(position, "version_gap", f"version {version} of {stream} follows {before}")
        self._versions[stream] = version
        kind = type(event)
        if not stream.startswith(_STREAMS[kind]):
            self._object(position, "wrong_stream", f"{event.NAME} stands in {stream}")
            return
        for rule in self._rules[kind]:
            rule(position, stream, event)

    def _object(self, position: int, code: str, text: str) -> None:
        self.found.append(Violation(position, code, text))

    def close(self, final: bool = False) -> tuple[Violation, ...]:
        """All violations, among them what is missing at the end of an append.

        `final`: all accepted work should have come to its end, or wait for a person.
        """
        unsettled: list[Violation] = []
        if final:
            unsettled = [
                Violation(entry.position, "never_settled", f"{entry.reserved} stay reserved for {name}")
                for name, entry in self.books.entries.items()
                if entry.reserved is not None
            ]
        left = (*self.books.missing(), *self._tasks.missing(final), *self._slots.missing())
        return (*self.found, *left, *self._chains.missing(final), *unsettled)


def check(events: Iterable[tuple[int, str, int, Event]], final: bool = False) -> tuple[Violation, ...]:
    """What is wrong with a log, given its events in order: position, stream, version in it, event."""
    invariants = Invariants()
    for position, stream, version, event in events:
        invariants.observe(position, stream, version, event)
    return invariants.close(final)
