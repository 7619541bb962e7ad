"""The live view: it knows what is alive, counts what is over, and tells two folds apart."""

from __future__ import annotations

from collections import OrderedDict

from claude_pool.domain import chain, pool, slot, task
from claude_pool.domain.catalogue import EVENTS
from claude_pool.domain.chain_events import Plan
from claude_pool.domain.coordination import Recover
from claude_pool.domain.pool import Open
from claude_pool.domain.pool_events import DrainLifted, PoolOpened
from claude_pool.domain.snapshot import canonical, digest
from claude_pool.domain.task_events import TaskCancelled, TaskUnparked
from claude_pool.domain.values import End
from claude_pool.domain.world import SHOWN_SESSIONS, Closed, World

from tests.support.domain_story import end, outcome, spec, submit, task_name, warmed


def test_an_empty_log_has_an_empty_pool() -> None:
    assert World().open_pool() == Open("")


def test_positions_and_versions_are_those_of_the_log() -> None:
    world = World()
    world.apply(1, "pool", 1, PoolOpened("pool-1", 5))
    world.apply(2, "pool", 2, DrainLifted())
    assert (world.position, world.versions) == (2, {"pool": 2})


def test_a_stream_of_an_unknown_kind_only_moves_the_position() -> None:
    world = World()
    world.apply(1, "else-1", 1, PoolOpened("pool-1", 5))
    assert (world.position, world.versions, world.open_pool()) == (1, {"else-1": 1}, Open(""))


def test_a_copy_stays_as_it_was() -> None:
    story = warmed()
    submit(story, 0)
    copy, before = story.world.copy(), canonical(story.world)

    submit(story, 1)

    assert canonical(copy) == before != canonical(story.world)


def test_a_finished_task_is_counted_and_forgotten() -> None:
    story = warmed()
    for number, what in enumerate((outcome(), outcome(End.FAILED))):
        task_id = submit(story, number)
        story.settle()
        end(story, task_id, what)
    cancelled = submit(story, 2)
    story.do(task.CancelTask(cancelled, 0))
    world = story.world
    assert (world.completed, world.failed, world.cancelled) == (1, 1, 1)
    assert (world.tasks, world.ranks, world.pending, world.running) == ({}, {}, [], {})
    assert [stream for stream in world.versions if stream.startswith("task-")] == []


def test_a_sealed_task_stays_until_someone_decides() -> None:
    story = warmed()
    task_id = submit(story, 0)
    story.settle()
    story.do(Recover({}, 0))
    assert (list(story.world.sealed), list(story.world.tasks)) == ([task_id], [task_id])
    story.do(task.CancelTask(task_id, 0))
    assert (story.world.sealed, story.world.tasks, story.world.cancelled) == ({}, {}, 1)


def test_the_queue_is_in_claim_order_whatever_was_taken_out_of_it() -> None:
    story = warmed()
    story.do(pool.PausePool("provider_limit"))
    tasks = [submit(story, number, spec(priority=number % 2)) for number in range(5)]
    story.do(task.ParkTask(tasks[1], "budget"))
    story.do(task.CancelTask(tasks[2], 0))
    story.do(task.UnparkTask(tasks[1]))
    assert [name for _, _, name in story.world.pending] == [tasks[1], tasks[3], tasks[0], tasks[4]]


def test_a_fact_about_a_task_that_is_not_there_changes_nothing_that_is() -> None:
    world = World()
    world.apply(1, task_name(0), 1, TaskUnparked())
    assert world.tasks == {}


def test_a_fact_about_a_slot_that_is_not_there_changes_nothing_that_is() -> None:
    story = warmed()
    before = dict(story.world.slots)
    story.world.apply(99, "slot-9", 1, story.events_of("slot-0")[-1])
    assert story.world.slots == before


def test_a_fact_of_a_stream_of_another_kind_is_left_to_others() -> None:
    story = warmed()
    before = dict(story.world.slots)
    story.world.apply(99, "chain-aaaaaaaaaaaaaaaa", 1, TaskCancelled())
    assert story.world.slots == before


def test_a_request_to_a_running_task_leaves_it_where_it_is() -> None:
    story = warmed()
    first, second = submit(story, 0), submit(story, 1)
    story.settle()
    sessions = dict(story.world.sessions)
    story.do(task.CancelTask(first, 0))
    assert story.world.sessions == sessions
    assert list(story.world.running) == [first, second]


def test_a_replay_gives_the_same_view() -> None:
    story = warmed(limit=100)
    for number in range(3):
        submit(story, number, spec(retries=1))
    story.settle()
    end(story, task_name(0), outcome(End.FAILED, retryable=True))
    story.do(slot.ConfigureSlot("slot-1", name="Ada"))
    assert canonical(story.replayed()) == canonical(story.world)
    assert digest(story.replayed()) == digest(story.world)


def test_the_streams_of_tasks_and_all_others_give_two_views_that_join_to_the_whole() -> None:
    story = warmed(limit=100)
    for number in range(3):
        submit(story, number)
    story.settle()
    end(story, task_name(0), outcome(End.SUCCEEDED))
    tasks, others = World(), World()
    for recorded in story.log:
        part = tasks if recorded.stream.startswith("task-") else others
        part.apply(recorded.position, recorded.stream, recorded.version, recorded.event)
    assert canonical(others.joined(tasks)) == canonical(story.world)
    assert canonical(others) != canonical(story.world) != canonical(tasks)


def test_of_the_questions_that_two_views_closed_the_last_ones_are_kept_in_their_order() -> None:
    tasks, others = World(), World()
    both = {f"q{number}": Closed("answered", number) for number in range(2 * SHOWN_SESSIONS)}
    tasks.closed = OrderedDict((name, each) for name, each in both.items() if each.position % 3)
    others.closed = OrderedDict((name, each) for name, each in both.items() if not each.position % 3)
    assert list(others.joined(tasks).closed) == list(both)[-SHOWN_SESSIONS:]


def test_views_that_are_joined_stay_as_they_were() -> None:
    tasks, others = World(), World()
    joined = others.joined(tasks)
    joined.versions["pool"] = 1
    joined.chains["chain-a"] = chain.Running(chain.Work("chain-a", Plan(()), "", 0))
    assert (canonical(tasks), canonical(others)) == (canonical(World()), canonical(World()))


def test_the_canonical_text_holds_every_part_of_the_view() -> None:
    """A part that the text leaves out could differ between two folds, and nobody would see it."""
    before = canonical(World())
    for name, value in vars(World()).items():
        changed = World()
        setattr(changed, name, _other(value))
        assert canonical(changed) != before, name


def _other(value: object) -> object:
    match value:
        case int():
            return value + 1
        case dict():
            return {"slot-0": "task-aaaaaaaaaaaaaaaa"}
        case list():
            return [(0, 1, "task-aaaaaaaaaaaaaaaa")]
        case _:
            return Open("pool-1")


def test_stored_names_are_unique_and_of_the_form_subject_dot_fact() -> None:
    names = [kind.NAME for kind in EVENTS]
    assert len(set(names)) == len(names)
    assert all(name.count(".") == 1 for name in names)
    assert all(kind.VERSION >= 1 for kind in EVENTS)
