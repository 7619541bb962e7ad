"""An inbox: bounded, in order, and each message in one place."""

from __future__ import annotations

import pytest
from claude_pool.domain.errors import InboxFull, InvalidArgument, PoolError
from claude_pool.domain.inbox import (
    EMPTY,
    INBOX_BYTES,
    INBOX_MESSAGES,
    MESSAGE_BYTES,
    READ_BYTES,
    Inbox,
    Message,
    accept,
    deliver,
    evolve,
    give_back,
    latest,
    read,
    readable,
    settled,
)
from claude_pool.domain.message_events import (
    MessageAccepted,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from claude_pool.domain.values import Text

ATTEMPT = "task-aaaaaaaaaaaaaaaa.1"


def message(name: str, size: int = 5) -> Message:
    """A message from slot-1."""
    return Message(name, "slot-1", Text(inline="x" * size, size=size), 7)


def holding(*messages: Message) -> Inbox:
    """An inbox in which these wait."""
    inbox = EMPTY
    for each in messages:
        inbox = evolve(inbox, accept(inbox, "slot-0", each))
    return inbox


def states(inbox: Inbox) -> dict[str, str]:
    """The messages by id, in order, and the state of each."""
    return {m.message_id: m.state for m in inbox.known}


def test_an_accepted_message_waits_with_all_that_was_said_of_it() -> None:
    question = Message("m1", "slot-1", Text(inline="why?", size=4), 7, kind="question")
    assert accept(EMPTY, "slot-0", question) == MessageAccepted(
        "m1", "slot-1", question.content, 7, "question"
    )
    assert holding(question).waiting == (question,)


def test_delivering_takes_everything_that_waits() -> None:
    inbox = holding(message("m1"), message("m2"))
    (delivered,) = deliver(inbox, ATTEMPT)
    assert delivered == MessagesDelivered(("m1", "m2"), ATTEMPT)
    after = evolve(inbox, delivered)
    assert (after.waiting, [m.message_id for m in after.carried]) == ((), ["m1", "m2"])
    assert states(settled(after)) == {"m1": "delivered", "m2": "delivered"}
    assert settled(after).carried == ()


def test_an_empty_inbox_has_nothing_to_deliver_or_read_or_give_back() -> None:
    assert deliver(EMPTY, ATTEMPT) == read(EMPTY, "coordinator", 9) == give_back(EMPTY, ATTEMPT) == ()


def test_what_is_given_back_waits_before_what_came_later() -> None:
    inbox = evolve(holding(message("m1")), MessagesDelivered(("m1",), ATTEMPT))
    inbox = evolve(inbox, accept(inbox, "slot-0", message("m2")))
    (returned,) = give_back(inbox, ATTEMPT)
    assert returned == MessagesReturned(("m1",), ATTEMPT)
    after = evolve(inbox, returned)
    assert states(after) == {"m1": "waiting", "m2": "waiting"}
    assert after.carried == ()


def test_reading_takes_what_waits_and_leaves_what_a_prompt_holds() -> None:
    inbox = evolve(holding(message("m1")), MessagesDelivered(("m1",), ATTEMPT))
    inbox = evolve(inbox, accept(inbox, "slot-0", message("m2")))
    (done,) = read(inbox, "coordinator", 9)
    assert done == MessagesRead(("m2",), "coordinator", 9)
    assert states(evolve(inbox, done)) == {"m2": "read", "m1": "delivered"}


def test_one_message_can_be_read_alone() -> None:
    inbox = holding(message("m1"), message("m2"))
    assert read(inbox, "slot-0", 9, only="m2") == (MessagesRead(("m2",), "slot-0", 9),)
    assert read(inbox, "slot-0", 9, only="m3") == ()


def test_one_reading_shows_what_a_client_can_take_and_at_least_one() -> None:
    big = READ_BYTES // 2
    inbox = holding(message("m1", big), message("m2", big), message("m3", 1))
    assert [m.message_id for m in readable(inbox)] == ["m1", "m2"]
    assert readable(EMPTY) == ()


def test_a_look_shows_what_came_last_whatever_became_of_it() -> None:
    inbox = holding(message("m1", READ_BYTES // 2), message("m2", READ_BYTES // 2))
    inbox = evolve(inbox, MessagesRead(("m1",), "slot-0", 9))
    assert [m.message_id for m in latest(inbox)] == ["m1", "m2"]
    inbox = evolve(inbox, accept(inbox, "slot-0", message("m3", 1)))
    assert [m.message_id for m in latest(inbox)] == ["m2", "m3"]


def test_a_delivery_that_follows_another_leaves_that_in_the_past() -> None:
    inbox = evolve(holding(message("m1")), MessagesDelivered(("m1",), ATTEMPT))
    inbox = evolve(inbox, accept(inbox, "slot-0", message("m2")))
    after = evolve(inbox, MessagesDelivered(("m2",), "task-b.1"))
    assert [m.message_id for m in after.past] == ["m1"]
    assert [m.message_id for m in after.carried] == ["m2"]


def test_facts_about_unknown_messages_change_nothing() -> None:
    inbox = holding(message("m1"))
    for event in (
        MessagesDelivered(("m9",), ATTEMPT),
        MessagesReturned(("m1",), ATTEMPT),
        MessagesRead(("m9",), "slot-0", 9),
    ):
        assert evolve(inbox, event) == inbox


def full(number: int, size: int) -> Inbox:
    """An inbox in which so many messages of that size wait."""
    return holding(*(message(f"m{n}", size) for n in range(number)))


@pytest.mark.parametrize(
    "inbox", [full(INBOX_MESSAGES, 1), full(INBOX_BYTES // MESSAGE_BYTES, MESSAGE_BYTES)]
)
def test_a_full_inbox_refuses_and_says_what_to_do(inbox: Inbox) -> None:
    with pytest.raises(InboxFull) as refusal:
        accept(inbox, "slot-0", message("one more", 1))
    assert refusal.value.code == "wrong_state"
    assert "slot-0" in refusal.value.message and "pool_read_messages" in refusal.value.message


def test_an_inbox_can_be_filled_to_the_last_byte() -> None:
    inbox = full(INBOX_BYTES // MESSAGE_BYTES - 1, MESSAGE_BYTES)
    assert accept(inbox, "slot-0", message("last", MESSAGE_BYTES)).message_id == "last"


def test_what_a_prompt_holds_still_takes_room_because_it_may_come_back() -> None:
    inbox = full(INBOX_MESSAGES, 1)
    carrying = evolve(inbox, deliver(inbox, ATTEMPT)[0])
    with pytest.raises(InboxFull):
        accept(carrying, "slot-0", message("one more", 1))
    assert accept(settled(carrying), "slot-0", message("one more", 1))


@pytest.mark.parametrize("size", [0, MESSAGE_BYTES + 1])
def test_a_message_is_neither_empty_nor_too_long(size: int) -> None:
    refused: type[PoolError] = InvalidArgument
    with pytest.raises(refused):
        accept(EMPTY, "slot-0", message("m1", size))


def test_the_past_is_bounded_and_keeps_the_last() -> None:
    inbox = EMPTY
    for number in range(INBOX_MESSAGES + 3):
        inbox = evolve(inbox, accept(inbox, "slot-0", message(f"m{number}", 1)))
        inbox = evolve(inbox, read(inbox, "slot-0", 9)[0])
    assert [m.message_id for m in inbox.past] == [f"m{n}" for n in range(3, INBOX_MESSAGES + 3)]
    most = INBOX_BYTES // MESSAGE_BYTES
    for number in range(most + 2):
        inbox = evolve(inbox, accept(inbox, "slot-0", message(f"big{number}", MESSAGE_BYTES)))
        inbox = evolve(inbox, read(inbox, "slot-0", 9)[0])
    assert [m.message_id for m in inbox.past] == [f"big{n}" for n in range(2, most + 2)]


def test_a_known_message_is_found_wherever_it_is() -> None:
    inbox = holding(message("m1"), message("m2"))
    inbox = evolve(inbox, MessagesRead(("m1",), "slot-0", 9))
    assert [found.state for found in (inbox.find("m1"), inbox.find("m2")) if found] == ["read", "waiting"]
    assert inbox.find("m3") is None
