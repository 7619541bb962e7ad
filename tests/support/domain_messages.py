"""What must become of every message, told from the facts alone: the other account that inboxes are held
against.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool.domain.message_events import (
    MessageAccepted,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from claude_pool.domain.messaging import COORDINATOR, inbox_of
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import AttemptCancelled, AttemptFailed, AttemptSealed
from claude_pool.domain.values import attempt_id
from claude_pool.domain.world import POOL, World


class Post:
    """Every message that was accepted, by inbox, with its state and the attempt that carries it."""

    def __init__(self) -> None:
        """No message yet."""
        self.boxes: dict[str, dict[str, str]] = {}

    def observe(self, facts: Sequence[Fact]) -> None:
        """Learn from one append, in which an attempt that nobody saw gives its messages back."""
        for fact in facts:
            self._learn(fact)
        for fact in facts:
            match fact.event:
                case (
                    AttemptFailed(number, outcome)
                    | AttemptCancelled(number, outcome)
                    | AttemptSealed(number, outcome)
                ) if not outcome.tokens.total:
                    lost = attempt_id(fact.stream, number)
                    states = [state for box in self.boxes.values() for state in box.values()]
                    assert f"delivered {lost}" not in states, f"messages were lost with {lost}"
                case _:
                    pass

    def _learn(self, fact: Fact) -> None:
        if fact.stream.startswith(("task-", "chain-")):
            return
        owner = COORDINATOR if fact.stream == POOL else fact.stream
        box = self.boxes.setdefault(owner, {})
        match fact.event:
            case MessageAccepted(message_id):
                assert message_id not in box, "a message was accepted twice"
                box[message_id] = "waiting"
            case MessagesDelivered(ids, attempt):
                _move(box, ids, "waiting", f"delivered {attempt}")
            case MessagesReturned(ids, attempt):
                _move(box, ids, f"delivered {attempt}", "waiting")
            case MessagesRead(ids):
                _move(box, ids, "waiting", "read")
            case _:
                pass

    def check(self, world: World) -> None:
        """Every inbox holds each message once, in the state that the facts tell."""
        for owner, box in self.boxes.items():
            inbox = inbox_of(world, owner)
            ids = [message.message_id for message in inbox.known]
            assert len(set(ids)) == len(ids), "a message is in two places"
            told = {message.message_id: message.state for message in inbox.known}
            assert told == {name: box[name].split()[0] for name in ids}
            waiting = {name for name, state in box.items() if state == "waiting"}
            assert {message.message_id for message in inbox.waiting} == waiting


def _move(box: dict[str, str], ids: Sequence[str], before: str, after: str) -> None:
    for message_id in ids:
        assert box[message_id] == before, f"{message_id} is {box[message_id]}, not {before}"
        box[message_id] = after
