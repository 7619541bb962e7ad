"""What became of a question that waits for no answer any more, as one who answers it late is told."""

from __future__ import annotations

from .pool_events import SoftLimitAnswered, SoftLimitAsked
from .records import Event
from .task_events import QuestionAnswered, QuestionExpired, TaskReopened


def what_became(event: Event | None) -> str:
    """The end of a sentence, for the event that closed it; None: it ended with its attempt."""
    match event:
        case QuestionAnswered(_, choice) | SoftLimitAnswered(choice=choice):
            return f"it was answered already: {choice}"
        case QuestionExpired(_, "deadline"):
            return "nobody answered in time, so it was denied"
        case QuestionExpired():
            return "the slot wanted no answer any more"
        case SoftLimitAsked():
            return "its limits have changed since, or its day is over"
        case TaskReopened(how, _, _, True):
            return f"the task's on_interrupt decided: {how}"
        case TaskReopened(how):
            return f"it was answered already: {how}"
        case None:
            return "its attempt has ended meanwhile"
        case _:
            return "it was answered already: cancel"
