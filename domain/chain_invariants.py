"""What holds for chains, their steps and the tasks of these, told from the events alone. See `invariants`
for the codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from .chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkKept,
    WorkplaceMade,
    WorkplaceRefused,
    WorkplaceRequested,
)
from .records import Event
from .task_events import SessionOpened, TaskCancelled, TaskCompleted, TaskFailed, TaskSubmitted
from .values import Part, Text, derived_id
from .violations import Rules, Violation

StepEnd = StepCompleted | StepFailed | StepCancelled

_MEANS: dict[type[Any], type[Any]] = {
    TaskCompleted: StepCompleted,
    TaskFailed: StepFailed,
    TaskCancelled: StepCancelled,
}
"""What the end of a step's task is for the step."""


def _digest(text: Text) -> bytes:
    return sha256(f"{text.blob} {text.inline}".encode("utf-8", "surrogatepass")).digest()


@dataclass(slots=True)
class _Course:
    """A chain. `live` maps a step to its run's task, `over` to how its last run ended, here or elsewhere."""

    plan: Plan
    position: int
    live: dict[str, str] = field(default_factory=dict[str, str])
    over: dict[str, StepEnd | StepReused] = field(default_factory=dict[str, StepEnd | StepReused])
    skipped: set[str] = field(default_factory=set[str])
    spared: set[str] = field(default_factory=set[str])
    copy: WorkplaceMade | None = None
    ending: str | None = None
    stage: str = "steps"

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.plan.steps if step.name == name), None)


class ChainInvariants:
    """Every chain of a log."""

    def __init__(self, found: list[Violation]) -> None:
        """Violations are added to `found`."""
        self._found = found
        self._courses: dict[str, _Course | None] = {}
        self._parts: dict[str, Part] = {}
        self._starting: dict[str, tuple[int, Part, Step]] = {}
        self._ending: dict[str, tuple[int, type[Any]]] = {}
        self._ends: dict[str, tuple[str, bytes]] = {}
        self.rules: Rules = {
            ChainSubmitted: self._submitted,
            StepReused: self._reused,
            StepStarted: self._started,
            **dict.fromkeys((StepCompleted, StepFailed, StepCancelled), self._step_ended),
            StepSkipped: self._skipped,
            EndingBegun: self._ending_begun,
            WorkplaceMade: self._copied,
            StepsEnded: self._steps_ended,
            WorkKept: self._kept,
            **dict.fromkeys((WorkplaceRequested, WorkplaceRefused, ClosingRequested), self._known),
            **dict.fromkeys((ChainCompleted, ChainFailed, ChainCancelled), self._ended),
            TaskSubmitted: self._task_submitted,
            SessionOpened: self._session_opened,
            **dict.fromkeys((TaskCompleted, TaskFailed, TaskCancelled), self._task_ended),
        }

    def missing(self, final: bool) -> list[Violation]:
        """What the log should still hold; `final`: no chain may go on any more."""
        left = [
            Violation(position, "step_without_task", f"step {part.step} of {part.chain_id} has no task")
            for position, part, _ in self._starting.values()
        ]
        left += [
            Violation(position, "step_differs", f"{task_id} ended, and its step did not")
            for task_id, (position, _) in self._ending.items()
        ]
        if final:
            left += [
                Violation(course.position, "never_ended", f"{chain_id} goes on for ever")
                for chain_id, course in self._courses.items()
                if course is not None
            ]
        return left

    def _object(self, position: int, code: str, text: str) -> None:
        self._found.append(Violation(position, code, text))

    def _submitted(self, position: int, stream: str, event: ChainSubmitted) -> None:
        if stream in self._courses:
            self._object(position, "submitted_twice", f"{stream} was submitted before")
            return
        self._courses[stream] = _Course(event.plan, position)

    def _known(self, position: int, stream: str, event: Event) -> _Course | None:
        """The chain, or None where nothing can happen to it."""
        course = self._courses.get(stream)
        if course is None:
            over = stream in self._courses
            text = (
                f"{event.NAME}, but {stream} is over" if over else f"{event.NAME}, but there is no {stream}"
            )
            self._object(position, "after_the_end" if over else "unknown_chain", text)
        return course

    # Steps.

    def _reused(self, position: int, stream: str, event: StepReused) -> None:
        """It stands right behind the submission, and says what the log says of the task that it names."""
        course = self._known(position, stream, event)
        if course is None:
            return
        name, step = event.step, course.step(event.step)
        begun = course.live or course.skipped or course.copy or course.ending is not None
        before = any(not isinstance(each, StepReused) for each in course.over.values())
        if step is None or begun or before or name in course.over or course.plan.fork is None:
            self._object(position, "step_out_of_turn", f"step {name} of {stream} was reused out of its turn")
            return
        if not all(need in course.over for need in step.needs):
            self._object(position, "reused_before_needs", f"step {name} of {stream} is reused without them")
        ran_as = derived_id("task", event.chain_id, name, str(event.run))
        ended = self._ends.get(event.task_id)
        if event.task_id != ran_as or ended != (event.status, _digest(event.output)):
            text = f"{stream} reuses {event.task_id} as {event.status}, which is not how step {name} ended"
            self._object(position, "reuse_differs", text)
        course.over[name] = event
        course.spared.add(event.session)

    def _started(self, position: int, stream: str, event: StepStarted) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        name, step = event.step, course.step(event.step)
        if step is None or not self._may_start(course, step, event):
            before = course.live.get(name) or course.over.get(name)
            text = (
                f"run {event.run} of step {name} of {stream} started after {before}; ending: {course.ending}"
            )
            self._object(position, "step_out_of_turn", text)
            return
        if course.plan.isolation != "none" and (course.live or course.copy is None):
            text = f"step {name} of {stream} started " + (
                "beside another" if course.live else "without a copy"
            )
            self._object(position, "one_step_a_copy", text)
        if event.task_id != derived_id("task", stream, name, str(event.run)):
            self._object(position, "wrong_task_of_step", f"{event.task_id} is not the task of step {name}")
        course.over.pop(name, None)
        course.live[name] = event.task_id
        self._starting[event.task_id] = position, Part(stream, name, event.run), step

    def _may_start(self, course: _Course, step: Step, event: StepStarted) -> bool:
        """Whether its needs are done and its turn has come: once, and once more to recover from a failure."""
        if course.ending is not None or step.name in course.live or step.name in course.skipped:
            return False
        before = course.over.get(step.name)
        if event.run == 1:
            return before is None and all(need in course.over for need in step.needs)
        recovers = isinstance(before, StepFailed) and before.run == 1 and step.recovery_prompt is not None
        return event.run == 2 and recovers

    def _step_ended(self, position: int, stream: str, event: StepEnd) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        task_id = course.live.pop(event.step, None)
        if task_id is None:
            self._object(
                position, "step_out_of_turn", f"{event.NAME}, but {event.step} of {stream} has not run"
            )
            return
        course.over[event.step] = event
        if not isinstance(event, StepCancelled):
            self._ends[task_id] = event.NAME.removeprefix("step."), _digest(event.output)
        _, means = self._ending.pop(task_id, (0, None))
        if means is not type(event):
            text = f"{event.NAME}, but that is not how {task_id} ended"
            self._object(position, "step_differs", text)

    def _skipped(self, position: int, stream: str, event: StepSkipped) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        name = event.step
        if name in course.live or name in course.over or name in course.skipped:
            self._object(position, "step_out_of_turn", f"step {name} of {stream} was skipped after its turn")
        course.skipped.add(name)

    def _ending_begun(self, position: int, stream: str, event: EndingBegun) -> None:
        course = self._known(position, stream, event)
        if course is not None:
            course.ending = event.reason

    def _task_submitted(self, position: int, stream: str, event: TaskSubmitted) -> None:
        part = event.spec.part
        if part is None:
            return
        self._parts[stream] = part
        _, wanted, step = self._starting.pop(stream, (0, None, None))
        if wanted != part or step is None:
            text = f"{stream} is for step {part.step} of {part.chain_id}, which did not start with it"
            self._object(position, "task_without_step", text)
            return
        recovers = part.run > 1
        prompt = step.recovery_prompt if recovers else step.spec.prompt
        uses = step.recovery_uses if recovers else step.uses
        filled = tuple(filling.placeholder for filling in event.spec.fillings)
        if (event.spec.prompt, filled) != (prompt, uses):
            text = f"the prompt of {stream} or its placeholders are not those of step {step.name}"
            self._object(position, "template_changed", text)

    def _session_opened(self, position: int, stream: str, event: SessionOpened) -> None:
        part = self._parts.get(stream)
        course = None if part is None else self._courses.get(part.chain_id)
        if course is not None and event.session in course.spared:
            text = f"{stream} goes on in {event.session}, the conversation of a step that is reused"
            self._object(position, "conversation_not_spared", text)

    def _task_ended(
        self, position: int, stream: str, event: TaskCompleted | TaskFailed | TaskCancelled
    ) -> None:
        if self._parts.pop(stream, None) is not None:
            self._ending[stream] = position, _MEANS[type(event)]

    # The copy, and the end.

    def _copied(self, position: int, stream: str, event: WorkplaceMade) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        if course.copy is not None:
            self._object(position, "one_step_a_copy", f"{stream} has two copies of its repository")
        course.copy = event

    def _steps_ended(self, position: int, stream: str, event: StepsEnded) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        self._all_over(position, stream, course)
        course.stage = "closing"

    def _kept(self, position: int, stream: str, event: WorkKept) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        if course.stage != "closing":
            self._object(position, "wrong_end", f"the work of {stream} was kept when it was {course.stage}")
        if event.merged is not None and course.ending not in (None, "skip_rest"):
            text = f"the work of {stream} is in {event.merged}, although the chain ended by {course.ending}"
            self._object(position, "merged_in_vain", text)
        course.stage = "kept"

    def _ended(
        self, position: int, stream: str, event: ChainCompleted | ChainFailed | ChainCancelled
    ) -> None:
        course = self._known(position, stream, event)
        if course is None:
            return
        self._courses[stream] = None
        self._all_over(position, stream, course)
        if course.copy is not None and course.stage != "kept":
            self._object(position, "work_not_kept", f"{stream} ended before its work was kept")
        if isinstance(event, ChainCompleted) and course.ending not in (None, "skip_rest"):
            self._object(position, "wrong_end", f"{stream} completed, although it ended by {course.ending}")
        if isinstance(event, ChainCancelled) != (course.ending == "cancelled"):
            self._object(position, "wrong_end", f"{event.NAME}, although {stream} ended by {course.ending}")

    def _all_over(self, position: int, stream: str, course: _Course) -> None:
        done = {*course.over, *course.skipped}
        left = [step.name for step in course.plan.steps if step.name not in done or step.name in course.live]
        if left:
            self._object(position, "wrong_end", f"{stream} ended before its steps: {', '.join(left)}")
