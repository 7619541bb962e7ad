"""Who may write to whom, what one claim delivers, and what a lost attempt gives back."""

from __future__ import annotations

import pytest
from claude_pool.domain import slot, task
from claude_pool.domain.coordination import Recover
from claude_pool.domain.errors import IdempotencyConflict, InboxFull, NotFound, WrongState
from claude_pool.domain.inbox import INBOX_MESSAGES
from claude_pool.domain.message_events import (
    MessageAccepted,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from claude_pool.domain.messaging import (
    COORDINATOR,
    BroadcastMessage,
    ReadMessages,
    SendMessage,
    inbox_of,
    receivers_of,
)
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Fact
from claude_pool.domain.slot_events import SlotClaimed, SlotReleased
from claude_pool.domain.snapshot import canonical
from claude_pool.domain.values import End, Text, Tokens

from tests.support.domain_story import NOW, Story, answer_clears, end, outcome, spec, submit, warmed

HELLO = Text(inline="hello", size=5)


def send(
    story: Story, name: str = "msg-1", sender: str = COORDINATOR, to: str = "slot-0"
) -> tuple[Fact, ...]:
    """One message says hello."""
    return story.do(SendMessage(name, sender, to, HELLO, NOW))


def waiting(story: Story, owner: str) -> list[str]:
    """The ids of what waits in an inbox."""
    return [message.message_id for message in inbox_of(story.world, owner).waiting]


def working(story: Story, number: int = 0) -> str:
    """A task that runs in slot-0."""
    task_id = submit(story, number, spec(slot="slot-0"))
    story.settle()
    answer_clears(story)
    story.settle()
    assert story.running(task_id).slot_id == "slot-0"
    return task_id


@pytest.mark.parametrize(("to", "stream"), [("slot-1", "slot-1"), (COORDINATOR, "pool")])
def test_a_message_is_accepted_in_the_stream_of_its_receiver(to: str, stream: str) -> None:
    story = warmed()
    assert send(story, sender="slot-0", to=to) == (
        Fact(stream, MessageAccepted("msg-1", "slot-0", HELLO, NOW)),
    )
    assert waiting(story, to) == ["msg-1"]


@pytest.mark.parametrize(("sender", "to"), [("slot-9", "slot-0"), ("bob", "slot-0"), (COORDINATOR, "slot-9")])
def test_only_the_coordinator_and_slots_write_to_one_another(sender: str, to: str) -> None:
    with pytest.raises(NotFound):
        send(warmed(), sender=sender, to=to)


def test_a_slot_that_left_service_gets_no_message_but_its_inbox_can_be_read() -> None:
    story = warmed()
    send(story)
    story.do(slot.DrainSlot("slot-0"))
    story.do(slot.RecordProcessEnded("slot-0", True, 0, 0, "", NOW))
    with pytest.raises(NotFound):
        send(story, "msg-2")
    assert story.do(ReadMessages("slot-0", COORDINATOR, NOW)) == (
        Fact("slot-0", MessagesRead(("msg-1",), COORDINATOR, NOW)),
    )


def test_a_broadcast_reaches_every_other_slot_in_service_in_one_append() -> None:
    story = warmed(Settings(slots=3))
    facts = story.do(BroadcastMessage("msg-1", "slot-1", HELLO, NOW))
    accepted = MessageAccepted("msg-1", "slot-1", HELLO, NOW)
    assert facts == (Fact("slot-0", accepted), Fact("slot-2", accepted))
    assert set(receivers_of(story.world, "msg-1")) == {"slot-0", "slot-2"}


def test_a_broadcast_that_one_inbox_refuses_reaches_nobody() -> None:
    story = warmed()
    for number in range(INBOX_MESSAGES):
        send(story, f"msg-{number}", to="slot-1")
    with pytest.raises(InboxFull):
        story.do(BroadcastMessage("msg-all", COORDINATOR, HELLO, NOW))
    assert waiting(story, "slot-0") == []


def test_a_broadcast_without_receivers_is_refused() -> None:
    with pytest.raises(WrongState):
        warmed(Settings(slots=1)).do(BroadcastMessage("msg-1", "slot-0", HELLO, NOW))


def test_the_same_message_counts_once() -> None:
    story = warmed()
    send(story)
    story.do(BroadcastMessage("msg-2", COORDINATOR, HELLO, NOW))
    assert send(story) == story.do(BroadcastMessage("msg-2", COORDINATOR, HELLO, NOW)) == ()
    assert waiting(story, "slot-0") == ["msg-1", "msg-2"]


@pytest.mark.parametrize(
    "other",
    [
        SendMessage("msg-1", COORDINATOR, "slot-0", Text(inline="bye", size=3), NOW),
        SendMessage("msg-1", "slot-1", "slot-0", HELLO, NOW),
        SendMessage("msg-1", COORDINATOR, "slot-1", HELLO, NOW),
    ],
)
def test_the_id_of_another_message_is_a_conflict(other: SendMessage) -> None:
    story = warmed()
    send(story)
    with pytest.raises(IdempotencyConflict):
        story.do(other)


def test_reading_an_unknown_inbox_is_refused() -> None:
    with pytest.raises(NotFound):
        warmed().do(ReadMessages("slot-9", COORDINATOR, NOW))


def test_the_claim_delivers_what_waits_in_the_same_append() -> None:
    story = warmed()
    send(story)
    task_id = working(story)
    claimed, delivered = story.events_of("slot-0")[-2:]
    assert isinstance(claimed, SlotClaimed)
    assert delivered == MessagesDelivered(("msg-1",), f"{task_id}.1")


def test_a_message_that_comes_during_an_attempt_waits_for_the_next() -> None:
    story = warmed()
    first = working(story)
    send(story)
    end(story, first)
    assert waiting(story, "slot-0") == ["msg-1"]
    second = working(story, 1)
    assert MessagesDelivered(("msg-1",), f"{second}.1") in story.events_of("slot-0")


def test_an_attempt_whose_prompt_no_model_was_shown_gives_its_messages_back() -> None:
    story = warmed()
    send(story)
    task_id = working(story)
    end(story, task_id, outcome(End.FAILED, "timed_out_start", turns=0))
    assert MessagesReturned(("msg-1",), f"{task_id}.1") in story.events_of("slot-0")
    assert waiting(story, "slot-0") == ["msg-1"]


@pytest.mark.parametrize("how", [End.SUCCEEDED, End.FAILED])
def test_what_a_model_was_shown_stays_delivered_however_its_attempt_ends(how: End) -> None:
    story = warmed()
    send(story)
    end(story, working(story), outcome(how))
    assert [m.state for m in inbox_of(story.world, "slot-0").past] == ["delivered"]


def test_a_dead_owner_loses_no_message_of_an_attempt_that_never_began() -> None:
    story = warmed()
    send(story)
    task_id = working(story)
    story.do(Recover({}, NOW))
    assert waiting(story, "slot-0") == ["msg-1"]
    released = next(n for n, e in enumerate(story.events_of("slot-0")) if isinstance(e, SlotReleased))
    returned = story.events_of("slot-0").index(MessagesReturned(("msg-1",), f"{task_id}.1"))
    assert returned < released


def test_a_dead_owners_attempt_that_a_model_was_shown_keeps_its_messages() -> None:
    story = warmed()
    send(story)
    task_id = working(story)
    seen = outcome(End.INTERRUPTED)
    assert seen.tokens != Tokens()
    story.do(Recover({f"{task_id}.1": seen}, NOW))
    assert waiting(story, "slot-0") == []


def test_a_replay_gives_the_same_inboxes() -> None:
    story = warmed()
    send(story, to=COORDINATOR, sender="slot-1")
    send(story, "msg-2")
    first = working(story)
    send(story, "msg-3")
    end(story, first, outcome(End.FAILED, turns=0))
    story.do(ReadMessages(COORDINATOR, COORDINATOR, NOW))
    story.do(task.CancelTask(submit(story, 1), NOW))
    assert "msg-3" in canonical(story.world)
    assert canonical(story.replayed()) == canonical(story.world)
