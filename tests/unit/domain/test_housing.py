"""Slots with a work tree of their own: nothing starts before it is there, and nothing in it is lost."""

from __future__ import annotations

import pytest
from claude_pool.domain import pool, slot, task
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.attempts import Claim
from claude_pool.domain.coordination import Recover, Resume
from claude_pool.domain.errors import InvalidArgument, IsolationFailed, WrongState
from claude_pool.domain.housing import (
    KeepWork,
    RecordWorkKept,
    RecordWorkNotKept,
    RecordWorkplaceFailed,
    RecordWorkplaceMade,
    Stage,
    WantWorkplace,
)
from claude_pool.domain.isolation import Workplace
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.pool_status import WorktreeStatus, pool_status, slot_state, slot_status
from claude_pool.domain.slot_events import SlotAdded, SlotEvent, SlotQuarantined, SlotStopped
from claude_pool.domain.values import Options, Text
from claude_pool.domain.workplace_events import (
    WorkKeepStarted,
    WorkKept,
    WorkNotKept,
    WorkplaceFailed,
    WorkplaceMade,
    WorkplaceWanted,
)

from tests.support.domain_decider import given_slot
from tests.support.domain_story import (
    NOW,
    Story,
    answer_launches,
    end,
    opened,
    spec,
    submit,
    task_name,
    wear_out,
)

OWN = Settings(slots=1, max_slots=2, working_dir="/project", worktree=True)
COLD: tuple[SlotEvent, ...] = (SlotAdded("slot-0"),)


def tree(number: int = 0) -> Workplace:
    """The work tree of a slot."""
    name = f"slot-{number}"
    return Workplace(
        name, "worktree", f"/w/{name}", f"/w/{name}/sub", "/r/.git", f"claude-pool/{name}", "b", "main"
    )


def kept(number: int = 0, removed: bool = False) -> WorkKept:
    """What was kept of it."""
    return WorkKept(f"claude-pool/slot-{number}", "b", "h", 2, Text(inline="diff", size=4), removed)


MADE: tuple[SlotEvent, ...] = (*COLD, WorkplaceWanted(), WorkplaceMade(tree()))
STOPPED: tuple[SlotEvent, ...] = (*MADE, SlotStopped("shutdown"))


def housed(settings: Settings = OWN, limit: int | None = None) -> Story:
    """A pool whose slots have their work trees, and idle processes in them."""
    story = opened(settings, limit)
    story.settle()
    house(story)
    answer_launches(story)
    return story


def house(story: Story) -> None:
    """Every work tree that is wanted is there; then the policies react."""
    for slot_id, at in list(story.world.slots.items()):
        if isinstance(at, slot.Preparing):
            story.do(RecordWorkplaceMade(slot_id, tree(int(slot_id.removeprefix("slot-")))))
    story.settle()


def stopped(story: Story) -> None:
    """Every process that is being ended is gone; then the policies react."""
    for slot_id, at in list(story.world.slots.items()):
        if isinstance(at, slot.Stopping):
            story.do(slot.RecordProcessEnded(slot_id, True, 0, 0, "", NOW))
    story.settle()


def at(story: Story, slot_id: str = "slot-0") -> slot.Present:
    """A slot as it is."""
    return story.world.slots[slot_id]


# The aggregate.


def test_a_work_tree_that_is_wanted_is_being_prepared() -> None:
    assert isinstance(given_slot(*COLD).when(WantWorkplace("slot-0")).then(WorkplaceWanted()), slot.Preparing)


def test_the_slot_works_in_its_work_tree_from_then_on() -> None:
    wanted = given_slot(*COLD, WorkplaceWanted())
    after = wanted.when(RecordWorkplaceMade("slot-0", tree())).then(WorkplaceMade(tree()))
    assert isinstance(after, slot.Cold)
    assert after.card.options.working_dir == "/w/slot-0/sub"


def test_a_directory_that_someone_chose_for_the_slot_stays() -> None:
    chosen = given_slot(*COLD).when(slot.ConfigureSlot("slot-0", options=Options(working_dir="/chosen")))
    configured = slot.decide(chosen.command, chosen.state)
    after = given_slot(*COLD, *configured, WorkplaceWanted(), WorkplaceMade(tree()))
    assert isinstance(after.state, slot.Cold) and after.state.card.options.working_dir == "/chosen"


def test_a_work_tree_that_cannot_be_made_fails_the_slot() -> None:
    wanted = given_slot(*COLD, WorkplaceWanted())
    command = RecordWorkplaceFailed("slot-0", "isolation_failed", "There is no commit.", NOW)
    failed = WorkplaceFailed("isolation_failed", "There is no commit.")
    after = wanted.when(command).then(
        failed, SlotQuarantined("isolation_failed", "There is no commit.", NOW + 60_000)
    )
    assert isinstance(after, slot.Failed) and after.code == "isolation_failed"


@pytest.mark.parametrize(
    "before", [(), (*COLD, WorkplaceWanted()), STOPPED], ids=["absent", "wanted", "stopped"]
)
def test_only_a_slot_without_a_process_gets_a_work_tree(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(WantWorkplace("slot-0")).refused(WrongState)


@pytest.mark.parametrize(
    "command",
    [
        RecordWorkplaceMade("slot-0", tree()),
        RecordWorkplaceFailed("slot-0", "isolation_failed", "", NOW),
        RecordWorkKept("slot-0", kept()),
        RecordWorkNotKept("slot-0", "x"),
    ],
)
def test_an_outcome_that_nobody_waits_for_brings_about_nothing(command: slot.SlotCommand) -> None:
    given_slot(*MADE).when(command).then()


def test_work_is_kept_where_the_slot_is_at_rest() -> None:
    keeping = given_slot(*STOPPED).when(KeepWork("slot-0", remove=False)).then(WorkKeepStarted(False))
    assert isinstance(keeping, slot.Stopped) and keeping.card.housing.unkept
    done = given_slot(*STOPPED, WorkKeepStarted()).when(RecordWorkKept("slot-0", kept())).then(kept())
    assert isinstance(done, slot.Stopped) and not done.card.housing.unkept
    assert done.card.options.working_dir == "/w/slot-0/sub"


def test_a_work_tree_that_is_given_up_is_no_place_to_work_any_more() -> None:
    keeping = given_slot(*STOPPED, WorkKeepStarted(True))
    done = keeping.when(RecordWorkKept("slot-0", kept(removed=True))).then(kept(removed=True))
    assert isinstance(done, slot.Stopped)
    assert (done.card.housing.workplace, done.card.options.working_dir) == (None, None)


def test_work_that_cannot_be_kept_stays_where_it_is() -> None:
    keeping = given_slot(*STOPPED, WorkKeepStarted(True))
    after = keeping.when(RecordWorkNotKept("slot-0", "inner/")).then(WorkNotKept("inner/"))
    assert isinstance(after, slot.Stopped)
    home = after.card.housing
    assert (home.workplace, home.problem, home.unkept) == (tree(), "inner/", False)
    assert not home.to_keep(give_up=True)


@pytest.mark.parametrize(
    "before",
    [COLD, (*COLD, SlotStopped("drain")), (*STOPPED, WorkKeepStarted()), (*COLD, WorkplaceWanted())],
    ids=["no work tree", "stopped without one", "being kept", "being made"],
)
def test_there_is_not_always_work_to_keep(before: tuple[SlotEvent, ...]) -> None:
    given_slot(*before).when(KeepWork("slot-0", remove=False)).refused(WrongState)


@pytest.mark.parametrize(
    ("before", "fact"),
    [
        (STOPPED, WorkplaceWanted()),
        (COLD, WorkplaceMade(tree())),
        (COLD, WorkplaceFailed("isolation_failed", "")),
        ((*COLD, WorkplaceWanted()), WorkKeepStarted()),
        (MADE, kept()),
        (MADE, WorkNotKept("x")),
    ],
)
def test_a_fact_that_makes_no_sense_changes_nothing(before: tuple[SlotEvent, ...], fact: SlotEvent) -> None:
    assert given_slot(*before, fact).state == given_slot(*before).state


@pytest.mark.parametrize(
    "before", [STOPPED, (*MADE, SlotQuarantined("slot_failed", ""))], ids=["stopped", "failed"]
)
def test_what_a_dead_owner_was_keeping_is_still_to_be_kept(before: tuple[SlotEvent, ...]) -> None:
    stop = slot.StopSlot("slot-0", "owner_lost")
    after = given_slot(*before, WorkKeepStarted()).when(stop).then(SlotStopped("owner_lost"))
    assert isinstance(after, (slot.Stopped, slot.Failed)) and after.card.housing.to_keep(give_up=False)
    given_slot(*before, WorkKeepStarted(), SlotStopped("owner_lost")).when(stop).then()


# The policies.


def test_nothing_starts_in_a_slot_before_its_work_tree_is_there() -> None:
    story = opened(OWN)
    submit(story, 0)
    story.settle()
    assert isinstance(at(story), slot.Preparing)
    assert story.world.pending and story.wanted() is None


def test_processes_and_tasks_start_in_the_work_tree() -> None:
    story = opened(OWN)
    submit(story, 0)
    story.settle()
    house(story)
    assert story.running(task_name(0)).directory == "/w/slot-0/sub"


def test_a_task_with_a_directory_of_its_own_runs_there() -> None:
    story = housed()
    submit(story, 0, spec(options=Options(working_dir="/elsewhere")))
    story.settle()
    assert story.running(task_name(0)).directory == "/elsewhere"


def test_a_claim_by_hand_waits_for_the_work_tree_too() -> None:
    story = opened(OWN)
    story.do(slot.AddSlot("slot-0"))
    submit(story, 0)
    with pytest.raises(WrongState, match="its work tree is not ready"):
        story.do(Claim(task_name(0), "slot-0", "", NOW))


def test_slots_that_all_failed_for_want_of_a_work_tree_say_so_to_who_submits() -> None:
    story = opened(OWN)
    story.settle()
    story.do(RecordWorkplaceFailed("slot-0", "isolation_failed", "There is no commit.", NOW))
    story.settle()
    with pytest.raises(IsolationFailed, match=r"There is no commit\. The next slot is tried again in 60 s"):
        submit(story, 0)


def test_a_failed_slot_that_is_resumed_tries_again() -> None:
    story = opened(OWN)
    story.settle()
    story.do(RecordWorkplaceFailed("slot-0", "isolation_failed", "There is no commit.", NOW))
    story.do(Resume())
    story.settle()
    assert isinstance(at(story), slot.Preparing)


def test_the_work_is_kept_when_the_owner_stops_and_the_work_tree_stays() -> None:
    story = housed()
    story.do(pool.StopOwner())
    story.settle()
    stopped(story)
    assert story.events_of("slot-0")[-1] == WorkKeepStarted(remove=False)
    story.do(RecordWorkKept("slot-0", kept()))
    assert story.wanted() is None
    assert at(story).card.housing.workplace == tree()


def test_the_next_owner_looks_for_the_work_tree_again() -> None:
    story = housed()
    story.do(Recover({}, NOW))
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", OWN, None, False, NOW))
    story.settle()
    assert isinstance(at(story), slot.Preparing) and at(story).card.housing.stage is Stage.WANTED


def test_an_owner_without_work_trees_gives_them_up_before_anything_starts() -> None:
    story = housed()
    story.do(Recover({}, NOW))
    plain = Settings(slots=1, max_slots=2, working_dir="/project")
    story.do(pool.StartOwner("pool-1", "owner-2", 11, "0.1.0", plain, None, False, NOW))
    story.settle()
    assert isinstance(at(story), slot.Preparing)
    assert story.events_of("slot-0")[-1] == WorkKeepStarted(remove=True)
    story.do(RecordWorkNotKept("slot-0", "inner/"))
    story.settle()
    assert isinstance(at(story), slot.Starting)
    assert at(story).card.options.working_dir is None


def test_a_slot_that_retires_gives_its_work_tree_up() -> None:
    story = housed()
    story.do(slot.DrainSlot("slot-0"))
    story.settle()
    stopped(story)
    assert story.events_of("slot-0")[-1] == WorkKeepStarted(remove=True)
    story.do(RecordWorkKept("slot-0", kept(removed=True)))
    assert at(story).card.housing.workplace is None


def test_a_slot_that_retires_after_its_work_was_kept_gives_its_work_tree_up() -> None:
    story = housed()
    story.do(pool.StartDrain("finish"))
    story.settle()
    stopped(story)
    story.do(RecordWorkKept("slot-0", kept()))
    story.settle()
    story.do(slot.DrainSlot("slot-0"))
    story.settle()
    assert story.events_of("slot-0")[-1] == WorkKeepStarted(remove=True)


def test_a_slot_that_is_taken_back_while_its_work_is_kept_waits_for_that() -> None:
    story = housed()
    story.do(pool.StartDrain("finish"))
    story.settle()
    stopped(story)
    story.do(pool.LiftDrain())
    story.settle()
    submit(story, 0)
    assert isinstance(at(story), slot.Cold) and story.wanted() is None
    story.do(RecordWorkKept("slot-0", kept()))
    story.settle()
    assert isinstance(at(story), slot.Preparing)


def test_a_failed_slot_keeps_its_work_when_the_owner_stops() -> None:
    story = housed()
    wear_out(story)
    assert isinstance(at(story), slot.Failed) and story.wanted() is None
    story.do(pool.StopOwner())
    story.settle()
    assert story.events_of("slot-0")[-1] == WorkKeepStarted(remove=False)


# Conversations.


def conversed(story: Story) -> str:
    """Run a task in slot-0; its conversation."""
    submit(story, 0, spec(slot="slot-0"))
    story.settle()
    session = story.running(task_name(0)).session
    end(story, task_name(0))
    story.settle()
    return session


def resume(story: Story, session: str, directory: str, **options: str) -> str:
    """Submit a task that resumes a conversation which ran in `directory`."""
    order = spec(session=f"resume:{session}", options=Options(**options))  # type: ignore[arg-type]
    story.do(Submit(task_name(1), order, "f", NOW, directory))
    return task_name(1)


def test_a_conversation_is_continued_in_the_work_tree_it_belongs_to() -> None:
    story = housed(Settings(slots=2, max_slots=2, working_dir="/project", worktree=True))
    session = conversed(story)
    submit(story, 2, spec(slot="slot-0"))
    story.settle()
    name = resume(story, session, "/w/slot-0/sub")
    story.settle()
    assert isinstance(at(story, "slot-1"), slot.Idle) and name not in story.world.running
    with pytest.raises(WrongState, match="belongs to another slot's work tree"):
        story.do(Claim(name, "slot-1", "", NOW))


def test_a_conversation_is_not_waited_for_where_it_can_never_be_continued() -> None:
    story = housed(Settings(slots=2, max_slots=2, working_dir="/project", worktree=True))
    session = conversed(story)
    order = spec(session=f"fork:{session}", slot="slot-1")
    story.do(Submit(task_name(1), order, "f", NOW))
    story.settle()
    state = story.state_of(task_name(1))
    assert isinstance(state, task.Failed) and state.code == "session_not_found"


@pytest.mark.parametrize("where", ["/project", "/w/slot-9"])
def test_a_conversation_of_another_directory_is_continued_only_there(where: str) -> None:
    story = housed()
    with pytest.raises(InvalidArgument, match="continued in another directory"):
        resume(story, "00000000-0000-4000-a000-000000000001", where)
    resume(story, "00000000-0000-4000-a000-000000000001", where, working_dir=where)


# What callers see.


def test_status_shows_where_a_slot_works_and_what_was_kept() -> None:
    story = housed()
    (status,) = pool_status(story.world, "0.1.0").slots
    assert status.worktree == WorktreeStatus("/w/slot-0", "claude-pool/slot-0", "b")
    story.do(pool.StopOwner())
    story.settle()
    stopped(story)
    assert slot_state(at(story)) == "draining"
    story.do(RecordWorkKept("slot-0", kept()))
    (status,) = pool_status(story.world, "0.1.0").slots
    assert status.state == "stopped"
    assert status.worktree == WorktreeStatus("/w/slot-0", "claude-pool/slot-0", "b", "h", 2)


def test_status_shows_the_branch_of_a_work_tree_that_was_given_up() -> None:
    given_up = given_slot(*STOPPED, WorkKeepStarted(True), kept(removed=True)).state
    assert isinstance(given_up, slot.Stopped)
    status = slot_status(opened().world, given_up)
    assert status.worktree == WorktreeStatus(None, "claude-pool/slot-0", "b", "h", 2)


def test_a_slot_of_a_pool_without_work_trees_shows_none() -> None:
    story = opened(Settings(slots=1))
    story.settle()
    (status,) = pool_status(story.world, "0.1.0").slots
    assert status.worktree is None
