"""What holds for every log: a whole one passes, a forged one breaks just what it was forged to break."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain import chain_events, workplace_events
from claude_pool.domain.chain_events import (
    ChainCancelled,
    ChainCompleted,
    ChainFailed,
    ChainSubmitted,
    ClosingRequested,
    EndingBegun,
    Fork,
    Plan,
    Step,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepsEnded,
    StepSkipped,
    StepStarted,
    WorkplaceRequested,
)
from claude_pool.domain.invariants import Invariants, check
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.message_events import (
    MessageAccepted,
    MessagesDelivered,
    MessagesRead,
    MessagesReturned,
)
from claude_pool.domain.pool_events import (
    FundsReserved,
    FundsSettled,
    OwnerStarted,
    OwnerStopped,
    OwnerStopping,
    PoolOpened,
    PoolPaused,
    PoolResumed,
    Settings,
)
from claude_pool.domain.records import Event
from claude_pool.domain.slot_events import (
    ClearStarted,
    LaunchFailed,
    LaunchStarted,
    LaunchSucceeded,
    ProcessEnded,
    ProcessReplaced,
    SessionPrepared,
    SlotAdded,
    SlotClaimed,
    SlotConfigured,
    SlotDrainStarted,
    SlotQuarantined,
    SlotReleased,
    SlotRetired,
    SlotRevived,
    SlotStopped,
    StopStarted,
)
from claude_pool.domain.task_events import (
    AttemptFailed,
    AttemptSealed,
    AttemptStarted,
    AttemptSucceeded,
    InterruptRequested,
    QuestionAnswered,
    QuestionAsked,
    QuestionExpired,
    ReviewRequested,
    SessionOpened,
    TaskApproved,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskRejected,
    TaskReopened,
    TaskSealed,
    TaskSubmitted,
    TaskUnparked,
)
from claude_pool.domain.values import (
    End,
    Filling,
    Limit,
    LimitKind,
    Outcome,
    Part,
    TaskSpec,
    Text,
    derived_id,
)

At = tuple[str, Event]
TASK, OTHER, SLOT, NEXT, CHAIN = "task-a", "task-b", "slot-0", "slot-1", "chain-z"
DAY = ("day:2026-01-31",)


def numbered(*facts: At) -> list[tuple[int, str, int, Event]]:
    """Facts as a log holds them."""
    versions: dict[str, int] = {}
    log: list[tuple[int, str, int, Event]] = []
    for position, (stream, event) in enumerate(facts, 1):
        versions[stream] = versions.get(stream, 0) + 1
        log.append((position, stream, versions[stream], event))
    return log


def codes(*facts: At, final: bool = False) -> list[str]:
    """What is wrong with a log of these facts."""
    return [each.code for each in check(numbered(*facts), final)]


def pool(*events: Event) -> list[At]:
    return [("pool", event) for event in events]


def slot(*events: Event, slot_id: str = SLOT) -> list[At]:
    return [(slot_id, event) for event in events]


def task(*events: Event, task_id: str = TASK) -> list[At]:
    return [(task_id, event) for event in events]


def chain(*events: Event, chain_id: str = CHAIN) -> list[At]:
    return [(chain_id, event) for event in events]


def submitted(task_id: str = TASK, retries: int = 0, review: int | None = None) -> list[At]:
    return task(
        TaskSubmitted(task_id, TaskSpec(Text(), retries=retries, review=review), "f", 0), task_id=task_id
    )


def launched(slot_id: str = SLOT) -> list[At]:
    """A slot with a process."""
    return slot(SlotAdded(slot_id), LaunchStarted(1, "k", "s0"), LaunchSucceeded(1, 9, "2"), slot_id=slot_id)


def claimed(number: int = 1, task_id: str = TASK, slot_id: str = SLOT, launch: int = 1) -> list[At]:
    return slot(SlotClaimed(f"{task_id}.{number}", "s", launch, "k"), slot_id=slot_id)


def started(number: int = 1, task_id: str = TASK, slot_id: str = SLOT, session: str = "s") -> list[At]:
    return task(
        AttemptStarted(number, slot_id, 0), SessionOpened(number, session, "fresh", "/"), task_id=task_id
    )


def result(cost: int = 5, *, estimated: bool = False, retryable: bool = False) -> Outcome:
    return Outcome(End.FAILED, "provider_error", "m", retryable, cost=cost, estimated=estimated)


def settled(
    number: int = 1, task_id: str = TASK, slot_id: str = SLOT, *, cost: int = 5, estimated: bool = False
) -> list[At]:
    attempt = f"{task_id}.{number}"
    return [
        *pool(FundsSettled(attempt, cost, estimated, accounts=DAY)),
        *slot(SlotReleased(attempt, True, cost, 0, "s"), slot_id=slot_id),
    ]


OPENED = pool(PoolOpened("pool-1", 0), OwnerStarted("o", 1, "v", Settings()))
READY = [*OPENED, *launched(), *submitted()]
RUNS = [*READY, *claimed(), *started()]
DONE = AttemptSucceeded(1, result(), 0)
FAILS = AttemptFailed(1, result(), 0)
WHOLE = [*RUNS, *task(DONE, TaskCompleted()), *settled()]


def test_a_whole_log_breaks_nothing() -> None:
    assert check(numbered(*WHOLE), final=True) == ()


def test_a_violation_says_where_and_what() -> None:
    (found,) = check(numbered(*WHOLE, *task(TaskCompleted())))

    assert (found.position, found.code) == (len(WHOLE) + 1, "after_the_end")
    assert found.text == "task.completed, but task-a is over"


def test_positions_and_versions_have_no_gaps() -> None:
    log = numbered(*WHOLE)

    assert [each.code for each in check(log[1:3])] == ["position_gap", "version_gap"]
    assert [each.code for each in check([log[0], log[2]])] == ["position_gap"]
    assert [each.code for each in check([log[0], (2, "pool", 3, log[1][3])])] == ["version_gap"]
    assert [each.code for each in check([log[0], log[0]])] == ["position_gap", "version_gap"]


def test_looking_at_what_is_missing_leaves_the_checks_as_they_were() -> None:
    invariants = Invariants()
    log = numbered(*WHOLE)
    for position, stream, version, event in log[:-3]:
        invariants.observe(position, stream, version, event)

    assert [each.code for each in invariants.close()] == ["not_settled", "half_an_end", "not_released"]
    for position, stream, version, event in log[-3:]:
        invariants.observe(position, stream, version, event)
    assert invariants.close() == ()


def ended_as(*events: Event, number: int = 1) -> list[At]:
    """The task runs, and ends in this way."""
    return [*RUNS, *task(*events), *settled(number)]


AGAIN = [*claimed(2), *started(2)]
RETRIED = [*OPENED, *launched(), *submitted(retries=1), *claimed(), *started()]
LIMITED = replace(result(retryable=True), limit=Limit(LimitKind.RATE))
ASKED = QuestionAsked("q", 1, "Bash", Text(), "t", 9, 0)
SECOND = [*launched(NEXT), *submitted(OTHER)]
CUT_OFF = ended_as(AttemptSealed(1, result(), 0), TaskSealed(1))
GOES_ON = TaskReopened("resume", "s", 0, automatic=True)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # the log
        ([*OPENED, *slot(PoolPaused("why"))], ["wrong_stream"]),
        ([*OPENED, *chain(SlotAdded(SLOT))], ["wrong_stream"]),
        # the states of a task
        (task(TaskUnparked()), ["unknown_task"]),
        ([*READY, *submitted()], ["submitted_twice"]),
        ([*READY, *task(TaskUnparked())], ["wrong_move"]),
        ([*READY, *task(TaskCompleted())], ["wrong_move"]),
        ([*READY, *task(TaskParked("budget"), TaskUnparked(), TaskFailed("x", "y"))], []),
        ([*READY, *task(DONE), *pool(FundsSettled(f"{TASK}.1", 5, accounts=DAY))], ["wrong_move"]),
        ([*READY, *task(SessionOpened(1, "s", "fresh", "/"))], ["wrong_move"]),
        (ended_as(FAILS, TaskCompleted()), ["wrong_move", "half_an_end"]),
        (ended_as(DONE, TaskFailed("x", "y")), ["wrong_move", "half_an_end"]),
        (ended_as(DONE, ReviewRequested(1, 0), TaskApproved(0), TaskCompleted()), []),
        (ended_as(DONE, ReviewRequested(1, 0), TaskApproved(0)), ["half_an_end"]),
        ([*READY, *task(TaskRejected(1, Text(), 0))], ["wrong_move"]),
        (ended_as(AttemptSealed(1, result(), 0), TaskSealed(1), TaskReopened("rerun", None, 0)), []),
        ([*CUT_OFF, *task(TaskReopened("resume", "s", 0, automatic=True))], []),
        ([*CUT_OFF, *task(TaskReopened("rerun", None, 0, automatic=True))], ["reopened_too_often"]),
        ([*CUT_OFF, *task(GOES_ON, TaskSealed(1), GOES_ON)], ["reopened_too_often"]),
        ([*CUT_OFF, *task(TaskReopened("rerun", None, 0), TaskSealed(1))], ["sealed_in_sight"]),
        (ended_as(FAILS, TaskSealed(1)), ["sealed_in_sight"]),
        ([*READY, *task(GOES_ON)], ["wrong_move"]),
        ([*READY, *task(TaskSealed(1))], ["sealed_in_sight"]),
        (ended_as(AttemptSealed(1, result(), 0)), ["half_an_end"]),
        ([*WHOLE, *task(TaskCancelled())], ["after_the_end"]),
        ([*WHOLE, *task(AttemptStarted(2, SLOT, 0))], ["after_the_end", "attempt_without_claim"]),
        ([*READY, *task(TaskCancelled()), *claimed(), *started()], ["after_the_end", "after_the_end"]),
        # attempts
        ([*READY, *claimed(2), *started(2)], ["wrong_attempt_number"]),
        (
            [
                *RUNS,
                *task(AttemptSucceeded(2, result(), 0), TaskCompleted()),
                *pool(FundsSettled(f"{TASK}.2", 5, accounts=DAY)),
            ],
            ["not_the_live_attempt"],
        ),
        ([*RUNS, *task(InterruptRequested(2, "x", 0))], ["not_the_live_attempt"]),
        ([*ended_as(FAILS, TaskParked("backoff", 1)), *task(TaskUnparked()), *AGAIN], []),
        (
            [
                *RETRIED,
                *task(AttemptFailed(1, LIMITED, 0), TaskParked("rate", 1)),
                *settled(),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            [],
        ),
        (
            [
                *ended_as(AttemptFailed(1, result(retryable=True), 0), TaskParked("backoff", 1)),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            ["too_many_attempts"],
        ),
        (
            [
                *RETRIED,
                *task(AttemptFailed(1, result(retryable=True), 0), TaskParked("backoff", 1)),
                *settled(),
                *task(TaskUnparked()),
                *AGAIN,
            ],
            [],
        ),
        ([*ended_as(DONE, ReviewRequested(1, 0)), *task(TaskRejected(1, Text(), 0)), *AGAIN], []),
        ([*RUNS, *SECOND, *claimed(1, OTHER, NEXT), *started(1, OTHER, NEXT)], ["one_attempt_a_session"]),
        ([*RUNS, *SECOND, *claimed(1, OTHER, NEXT), *started(1, OTHER, NEXT, "s2")], []),
        ([*READY, *pool(PoolPaused("usage")), *claimed(), *started()], ["started_while_held"]),
        ([*READY, *pool(PoolPaused("usage"), PoolResumed()), *claimed(), *started()], []),
        ([*READY, *pool(OwnerStopping()), *claimed(), *started()], ["started_while_held"]),
        ([*READY, *pool(OwnerStopping(), OwnerStopped()), *claimed(), *started()], ["started_while_held"]),
        (
            [
                *READY,
                *pool(OwnerStopping(), OwnerStarted("o2", 1, "v", Settings())),
                *claimed(),
                *started(),
            ],
            [],
        ),
        # questions
        ([*RUNS, *task(ASKED, QuestionAnswered("q", "allow", None, None, 0))], []),
        ([*RUNS, *task(ASKED, ASKED)], ["question_twice"]),
        ([*RUNS, *task(QuestionExpired("q", "deadline", 0))], ["question_twice"]),
        ([*READY, *task(ASKED)], ["wrong_move"]),
        ([*READY, *task(QuestionExpired("q", "deadline", 0))], ["wrong_move"]),
        # money
        (
            [
                *RUNS,
                *task(AttemptSucceeded(1, result(-5), 0), TaskCompleted()),
                *settled(cost=-5),
            ],
            ["below_zero"],
        ),
        (
            [*RUNS, *task(AttemptSucceeded(1, result(estimated=True), 0), TaskCompleted()), *settled()],
            ["certainty_lost"],
        ),
        (ended_as(DONE, TaskCompleted())[:-2] + settled(estimated=True), ["certainty_lost"]),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[1:]], ["slot_differs", "not_settled"]),
    ],
)
def test_what_holds_for_tasks(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts) == wanted


def failed_launch(number: int, at: int = 0) -> list[At]:
    return slot(LaunchStarted(number, "k", "s"), LaunchFailed(number, "slot_failed", "", at))


def crash(number: int, at: int = 0) -> list[At]:
    """A process comes up and dies."""
    return slot(
        LaunchStarted(number, "k", "s"),
        LaunchSucceeded(number, 9, "2"),
        ProcessEnded(number, False, -9, 0, "", at),
    )


def housed(slot_id: str = SLOT, path: str = "/trees/0") -> list[At]:
    place = Workplace(slot_id, "worktree", path, path, "/repo/.git", "b", "base", "main")
    return slot(
        SlotAdded(slot_id),
        workplace_events.WorkplaceWanted(),
        workplace_events.WorkplaceMade(place),
        slot_id=slot_id,
    )


def kept(head: str = "h", *, removed: bool = True) -> Event:
    return workplace_events.WorkKept("b", "base", head, 1, Text(), removed)


def message(message_id: str = "msg-1") -> Event:
    return MessageAccepted(message_id, "slot-9", Text(), 0)


KEEPING = workplace_events.WorkKeepStarted
TIRED = [*slot(SlotAdded(SLOT)), *crash(1), *crash(2)]
GONE = ("msg-1",)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        # the states of a slot
        (slot(ClearStarted()), ["unknown_slot"]),
        (slot(SlotAdded(SLOT), SlotAdded(SLOT)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), ClearStarted()), ["wrong_slot_move"]),
        ([*launched(), *slot(SessionPrepared("s"))], ["wrong_slot_move"]),
        ([*launched(), *slot(ClearStarted(), SessionPrepared("s"), StopStarted("x"))], []),
        (slot(SlotAdded(SLOT), SlotRetired(), SlotConfigured()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotRevived()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), LaunchFailed(1, "x", "", 0)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), LaunchSucceeded(1, 9, "2")), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), ProcessEnded(1, True, 0, 0, "", 0)), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotDrainStarted()), ["wrong_slot_move"]),
        (slot(SlotAdded(SLOT), SlotReleased("a.1", True, 0, 0, "")), ["wrong_slot_move"]),
        ([*launched(), *slot(LaunchStarted(2, "k", "s"))], ["wrong_slot_move"]),
        # processes
        (slot(SlotAdded(SLOT), LaunchStarted(2, "k", "s")), ["wrong_launch_number"]),
        (
            slot(SlotAdded(SLOT), LaunchStarted(1, "k", "s"), LaunchSucceeded(2, 9, "2")),
            ["not_the_live_process"],
        ),
        ([*launched(), *slot(ProcessEnded(2, True, 0, 0, "", 0))], ["not_the_live_process"]),
        ([*READY, *claimed(launch=2), *started()], ["not_the_live_process"]),
        (
            [
                *READY,
                *slot(SlotClaimed(f"{TASK}.1", "s", 2, "k", True), ProcessReplaced(2, 9, "2")),
                *started(),
            ],
            [],
        ),
        (
            [*READY, *slot(SlotClaimed(f"{TASK}.1", "s", 1, "k", True)), *started()],
            ["wrong_launch_number"],
        ),
        ([*TIRED, *crash(3), *slot(SlotQuarantined("slot_failed", ""))], []),
        ([*TIRED, *failed_launch(3), *slot(LaunchStarted(4, "k", "s"))], ["restarts_too_often"]),
        ([*TIRED, *crash(3, 60_000), *slot(LaunchStarted(4, "k", "s"))], []),
        (
            [*TIRED, *crash(3), *slot(SlotQuarantined("x", ""), SlotRevived(), LaunchStarted(4, "k", "s"))],
            [],
        ),
        # attempts
        (
            [*RUNS, *submitted(OTHER), *claimed(1, OTHER), *started(1, OTHER, SLOT, "s2")],
            ["one_task_a_slot", "attempt_without_claim"],
        ),
        ([*RUNS, *launched(NEXT), *claimed(slot_id=NEXT)], ["one_slot_a_task", "claim_without_attempt"]),
        (
            [*READY, *slot(SlotDrainStarted(), slot_id=SLOT), *claimed(), *started()],
            ["wrong_slot_move"],
        ),
        (
            [*READY[:-3], *slot(LaunchStarted(1, "k", "s")), *claimed()],
            ["wrong_slot_move"],
        ),
        ([*OPENED, *slot(SlotAdded(SLOT), SlotStopped("x")), *claimed()], ["out_of_service"]),
        ([*RUNS, *slot(SlotDrainStarted()), *task(DONE, TaskCompleted()), *settled()], []),
        (
            [*RUNS, *slot(SlotDrainStarted()), *task(DONE, TaskCompleted()), *settled(), *claimed(2)],
            ["out_of_service"],
        ),
        (claimed(), ["unknown_slot"]),
        ([*READY, *started()], ["attempt_without_claim"]),
        (
            [*READY, *launched(NEXT), *claimed(), *started(slot_id=NEXT)],
            ["attempt_without_claim", "claim_without_attempt"],
        ),
        ([*READY, *claimed()], ["claim_without_attempt"]),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[:1]], ["not_released"]),
        ([*RUNS, *slot(SlotReleased(f"{TASK}.1", True, 0, 0, ""))], ["slot_differs", "wrong_release"]),
        (
            [*RUNS, *task(DONE, TaskCompleted()), *settled()[:1], *slot(SlotReleased("b.1", True, 0, 0, ""))],
            ["wrong_release", "not_released"],
        ),
        ([*RUNS, *task(DONE, TaskCompleted()), *settled()[:1], *slot(SlotStopped("owner_lost"))], []),
        ([*RUNS, *slot(SlotStopped("owner_lost"))], ["wrong_release"]),
        ([*launched(), *slot(SlotStopped("owner_lost"))], []),
        (slot(SlotStopped("owner_lost")), ["unknown_slot"]),
        # directories
        ([*housed(), *slot(KEEPING(True), kept())], []),
        ([*housed(), *slot(KEEPING(False), kept())], ["work_removed"]),
        ([*housed(), *slot(KEEPING(True), kept(""))], ["work_removed"]),
        ([*housed(), *slot(KEEPING(False), kept(removed=False))], []),
        ([*housed(), *housed(NEXT)], ["shared_directory"]),
        ([*housed(), *housed(NEXT, "/trees/1")], []),
        (slot(SlotAdded(SLOT), workplace_events.WorkplaceMade(None)), ["wrong_slot_move"]),  # type: ignore[arg-type]
        ([*launched(), *slot(KEEPING())], ["wrong_slot_move"]),
        (slot(kept()), ["unknown_slot"]),
        # messages
        (slot(message(), MessagesDelivered(GONE, "a.1"), MessagesReturned(GONE, "a.1")), []),
        (pool(message(), MessagesRead(GONE, "coordinator", 0)), []),
        (slot(message(), message()), ["message_twice"]),
        (slot(MessagesRead(GONE, "coordinator", 0)), ["message_twice"]),
        (slot(message(), *[MessagesDelivered(GONE, "a.1")] * 2), ["message_twice"]),
        (slot(message(), MessagesReturned(GONE, "a.1")), ["message_twice"]),
    ],
)
def test_what_holds_for_slots(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts) == wanted


def ordered(*steps: Step, isolation: str = "none", chain_id: str = CHAIN) -> list[At]:
    return chain(ChainSubmitted(chain_id, Plan(steps, isolation), "f", 0), chain_id=chain_id)


def forked(*steps: Step) -> list[At]:
    """The chain is taken up again."""
    plan = Plan(steps, fork=Fork(CHAIN, steps[-1].name))
    return chain(ChainSubmitted(FORK, plan, "f", 0), chain_id=FORK)


def again(
    name: str, status: str = "failed", output: str | None = None, session: str = "", task_id: str = ""
) -> list[At]:
    """One of its steps is reused."""
    ran = task_id or task_of(name)
    return chain(StepReused(name, CHAIN, ran, 1, 1, status, Text(output), (), session), chain_id=FORK)


def step(name: str, *needs: str, recovery: Text | None = None) -> Step:
    return Step(name, TaskSpec(Text(name)), needs, ("previous_output",), recovery, ("error",))


def task_of(name: str, run: int = 1, chain_id: str = CHAIN) -> str:
    return derived_id("task", chain_id, name, str(run))


def begun(
    name: str,
    run: int = 1,
    prompt: str | None = None,
    uses: str = "previous_output",
    chain_id: str = CHAIN,
) -> list[At]:
    """A step starts, with its task."""
    spec = TaskSpec(
        Text(name if prompt is None else prompt),
        part=Part(chain_id, name, run),
        fillings=(Filling(uses if run == 1 else "error", ()),),
    )
    task_id = task_of(name, run, chain_id)
    return [
        *chain(StepStarted(name, run, task_id), chain_id=chain_id),
        *task(TaskSubmitted(task_id, spec, "", 0), task_id=task_id),
    ]


def cancelled(name: str, run: int = 1) -> list[At]:
    """Its task was cancelled, and so is the step."""
    return [
        *task(TaskCancelled(), task_id=task_of(name, run)),
        *chain(StepCancelled(name, run, 0, 0)),
    ]


def failed(name: str, run: int = 1, chain_id: str = CHAIN) -> list[At]:
    return [
        *task(TaskFailed("x", "y"), task_id=task_of(name, run, chain_id)),
        *chain(StepFailed(name, run, "x", "y", Text(), 0, 0), chain_id=chain_id),
    ]


def copied(path: str = "/copies/z") -> list[At]:
    return chain(chain_events.WorkplaceMade(path, path, "/repo/.git", "b", "base", "main"))


def work_kept(merged: str | None = None) -> list[At]:
    return chain(chain_events.WorkKept("b", "h", 1, Text(), merged))


FORK = "chain-bbbbbbbbbbbbbbbb"
A, B = step("a"), step("b", "a")
MENDED = step("a", recovery=Text("mend"))
ONE = [*ordered(A), *begun("a")]
COPIED = [*ordered(A, isolation="worktree"), *chain(WorkplaceRequested("o")), *copied(), *begun("a")]
STOPS = chain(EndingBegun("step_failed", "m"))
PAST = [*ordered(A, B), *begun("a"), *failed("a"), *begun("b"), *failed("b"), *chain(ChainCompleted())]


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ([*ONE, *failed("a"), *STOPS, *chain(ChainFailed("step_failed", "m"))], []),
        (
            [*ordered(A, B), *begun("a"), *failed("a"), *begun("b"), *failed("b"), *chain(ChainCompleted())],
            [],
        ),
        ([*ordered(MENDED), *begun("a"), *failed("a"), *begun("a", 2, "mend"), *failed("a", 2)], []),
        (ordered(A) * 2, ["submitted_twice"]),
        (chain(EndingBegun("x")), ["unknown_chain"]),
        (chain(StepStarted("a", 1, TASK)), ["unknown_chain"]),
        (chain(StepSkipped("a")), ["unknown_chain"]),
        (chain(StepCancelled("a", 1, 0, 0)), ["unknown_chain"]),
        (chain(StepsEnded()), ["unknown_chain"]),
        (chain(ChainCompleted()), ["unknown_chain"]),
        (copied(), ["unknown_chain"]),
        (work_kept(), ["unknown_chain"]),
        ([*ONE, *failed("a"), *chain(ChainCompleted(), ClosingRequested("o"))], ["after_the_end"]),
        # turns
        ([*ordered(A), *chain(StepStarted("x", 1, TASK))], ["step_out_of_turn"]),
        ([*ordered(A, B), *chain(StepStarted("b", 1, task_of("b")))], ["step_out_of_turn"]),
        ([*ONE, *chain(StepStarted("a", 1, task_of("a")))], ["step_out_of_turn"]),
        ([*ONE, *failed("a"), *chain(StepStarted("a", 2, task_of("a", 2)))], ["step_out_of_turn"]),
        (
            [*ordered(MENDED), *begun("a"), *cancelled("a"), *chain(StepStarted("a", 2, "t"))],
            ["step_out_of_turn"],
        ),
        (
            [*ordered(A), *chain(EndingBegun("cancelled"), StepStarted("a", 1, task_of("a")))],
            ["step_out_of_turn"],
        ),
        ([*ordered(A), *chain(StepSkipped("a"), StepStarted("a", 1, task_of("a")))], ["step_out_of_turn"]),
        ([*ordered(A), *chain(StepSkipped("a"), StepSkipped("a"))], ["step_out_of_turn"]),
        ([*ordered(A), *chain(StepFailed("a", 1, "x", "y", Text(), 0, 0))], ["step_out_of_turn"]),
        # steps and their tasks
        ([*ordered(A), *chain(StepStarted("a", 1, task_of("a")))], ["step_without_task"]),
        (
            [*ordered(A), *chain(StepStarted("a", 1, "task-x"))],
            ["wrong_task_of_step", "step_without_task"],
        ),
        ([*ordered(A), *begun("a")[1:]], ["task_without_step"]),
        ([*ordered(A), *begun("a", prompt="other")], ["template_changed"]),
        ([*ordered(A), *begun("a", uses="steps.x.output")], ["template_changed"]),
        ([*ONE, *failed("a")[:1]], ["step_differs"]),
        ([*ONE, *failed("a")[1:]], ["step_differs"]),
        ([*ONE, *failed("a")[:1], *cancelled("a")[1:]], ["step_differs"]),
        ([*ONE, *failed("a")[:1], *chain(StepCompleted("a", 1, Text(), (), 0, 0))], ["step_differs"]),
        # what a fork reuses
        ([*PAST, *forked(A, B), *again("a"), *begun("b", chain_id=FORK), *failed("b", chain_id=FORK)], []),
        ([*PAST, *ordered(A, B, chain_id=FORK), *again("a")], ["step_out_of_turn"]),
        (again("a"), ["unknown_chain"]),
        ([*PAST, *forked(A, B), *again("x")], ["step_out_of_turn"]),
        ([*PAST, *forked(A, B), *again("a"), *again("a")], ["step_out_of_turn"]),
        ([*PAST, *forked(A, B), *begun("a", chain_id=FORK), *again("a")], ["step_out_of_turn"]),
        (
            [*PAST, *forked(A, B), *begun("a", chain_id=FORK), *failed("a", chain_id=FORK), *again("b")],
            ["step_out_of_turn"],
        ),
        ([*PAST, *forked(A, B), *again("b")], ["reused_before_needs"]),
        ([*PAST, *forked(A, B), *again("a", status="completed")], ["reuse_differs"]),
        ([*PAST, *forked(A, B), *again("a", output="else")], ["reuse_differs"]),
        ([*PAST, *forked(A, B), *again("a", task_id=task_of("b"))], ["reuse_differs"]),
        (
            [*PAST, *forked(A, B), *again("a"), *begun("a", chain_id=FORK)],
            ["step_out_of_turn", "task_without_step"],
        ),
        (
            [
                *PAST,
                *forked(A, B),
                *again("a", session="s"),
                *begun("b", chain_id=FORK),
                *task(SessionOpened(1, "s", "slot", "/"), task_id=task_of("b", chain_id=FORK)),
            ],
            ["wrong_move", "conversation_not_spared"],
        ),
        (
            [
                *PAST,
                *forked(A, B),
                *again("a", session="s"),
                *begun("b", chain_id=FORK),
                *task(SessionOpened(1, "s2", "fork", "/", "s"), task_id=task_of("b", chain_id=FORK)),
            ],
            ["wrong_move"],
        ),
        # copies
        ([*COPIED, *failed("a"), *chain(StepsEnded()), *work_kept(), *chain(ChainCompleted())], []),
        ([*ordered(A, isolation="worktree"), *begun("a")], ["one_step_a_copy"]),
        (
            [*ordered(A, step("b"), isolation="worktree"), *copied(), *begun("a"), *begun("b")],
            ["one_step_a_copy"],
        ),
        ([*COPIED, *copied()], ["one_step_a_copy"]),
        ([*COPIED, *housed(path="/copies/z")], ["shared_directory"]),
        ([*COPIED, *failed("a"), *chain(ChainCompleted())], ["work_not_kept"]),
        ([*COPIED, *failed("a"), *work_kept()], ["wrong_end"]),
        (
            [*COPIED, *failed("a"), *STOPS, *chain(StepsEnded()), *work_kept("main")],
            ["merged_in_vain"],
        ),
        (
            [
                *COPIED,
                *failed("a"),
                *chain(EndingBegun("skip_rest"), StepsEnded()),
                *work_kept("main"),
                *chain(ChainCompleted()),
            ],
            [],
        ),
        # ends
        ([*ONE, *chain(ChainCompleted())], ["wrong_end"]),
        ([*COPIED, *chain(StepsEnded())], ["wrong_end"]),
        ([*ordered(A, B), *begun("a"), *failed("a"), *chain(ChainCompleted())], ["wrong_end"]),
        ([*ONE, *failed("a"), *STOPS, *chain(ChainCompleted())], ["wrong_end"]),
        ([*ONE, *cancelled("a"), *chain(ChainCancelled())], ["wrong_end"]),
        ([*ONE, *cancelled("a"), *chain(EndingBegun("cancelled"), ChainCancelled())], []),
    ],
)
def test_what_holds_for_chains(facts: list[At], wanted: list[str]) -> None:
    assert codes(*OPENED, *facts) == wanted


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (WHOLE, []),
        (READY, ["never_ended"]),
        (ended_as(AttemptSealed(1, result(), 0), TaskSealed(1)), []),
        (ended_as(DONE, ReviewRequested(1, 0)), []),
        (ordered(A), ["never_ended"]),
        (
            [
                *READY,
                *claimed(),
                *task(AttemptStarted(1, SLOT, 0, 7), SessionOpened(1, "s", "fresh", "/")),
                *pool(FundsReserved(f"{TASK}.1", 7, DAY)),
            ],
            ["never_ended", "never_settled"],
        ),
    ],
)
def test_in_the_end_nothing_is_left_but_for_a_person(facts: list[At], wanted: list[str]) -> None:
    assert codes(*facts, final=True) == wanted
    assert codes(*facts) == []
