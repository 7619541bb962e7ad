"""A pool's log in memory with its live view, driven as a service does: decide, append, fold, react."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from claude_pool.domain import pool, slot, task
from claude_pool.domain.acceptance import Submit
from claude_pool.domain.attempts import RecordEnd
from claude_pool.domain.coordination import Command, decide
from claude_pool.domain.policies import next_command
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor, Event, Fact, Meta, Recorded
from claude_pool.domain.surroundings import Surroundings
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens
from claude_pool.domain.world import World

POLICY_STEPS = 500
"""Far more policy commands than any reaction of these small pools needs."""

NOW = 1_000_000
"""The time (ms) at which stories begin."""


def task_name(number: int) -> str:
    """The id of the test's task `number`, counting from 0."""
    digits = [number >> shift & 31 for shift in range(75, -1, -5)]
    return "task-" + "".join("abcdefghijklmnopqrstuvwxyz234567"[digit] for digit in digits)


def session_name(number: int) -> str:
    """A conversation id of the test's own."""
    return f"00000000-0000-4000-a000-{number:012d}"


def outcome(
    end: End = End.SUCCEEDED,
    code: str | None = None,
    *,
    cost: int = 0,
    retryable: bool = False,
    turns: int = 1,
    message: str | None = None,
) -> Outcome:
    """What came of an attempt, in few words; a failure has code `provider_error` unless another is given."""
    failed = end is End.FAILED
    return Outcome(
        end,
        code or ("provider_error" if failed else None),
        message or ("It did not work." if failed else None),
        retryable,
        Text(inline="done", size=4) if end is End.SUCCEEDED else Text(),
        turns=turns,
        cost=cost,
        tokens=Tokens(input=turns),
    )


class Story:
    """Facts in order, and the view that they make. `watchers` see each append before it is folded."""

    def __init__(self) -> None:
        """An empty log."""
        self.world = World()
        self.log: list[Recorded] = []
        self.surroundings = Surroundings({})
        self.watchers: list[Callable[[Sequence[Fact]], None]] = []
        self._versions: dict[str, int] = {}

    def append(self, *facts: Fact) -> tuple[Fact, ...]:
        """Record facts, as one append, and fold them."""
        for watch in self.watchers:
            watch(facts)
        for fact in facts:
            version = self._versions[fact.stream] = self._versions.get(fact.stream, 0) + 1
            position = len(self.log) + 1
            meta = Meta(NOW, "cmd", "cmd", Actor.COORDINATOR)
            self.log.append(Recorded(position, fact.stream, version, fact.event, meta, b""))
            self.world.apply(position, fact.stream, version, fact.event)
        return facts

    def do(self, command: Command) -> tuple[Fact, ...]:
        """Decide a command and record its facts.

        Raises:
            PoolError: it was refused; nothing changed.
        """
        facts = decide(command, self.world)
        return self.append(*facts) if facts else ()

    def wanted(self, now: int = NOW) -> Command | None:
        """What the policies ask for at `now`."""
        return next_command(self.world, self.surroundings, now)

    def settle(self, now: int = NOW) -> list[Command]:
        """Carry out what the policies ask for until they ask for nothing; each command must leave a fact."""
        carried_out: list[Command] = []
        while (command := self.wanted(now)) is not None:
            assert len(carried_out) < POLICY_STEPS, f"the policies do not come to rest: {carried_out[-6:]}"
            assert self.do(command), f"a policy asks for what changes nothing: {command}"
            carried_out.append(command)
        return carried_out

    def replayed(self) -> World:
        """The view that a new process would fold from the same log."""
        world = World()
        for r in self.log:
            world.apply(r.position, r.stream, r.version, r.event)
        return world

    def events_of(self, stream: str) -> list[Event]:
        """The events of one stream."""
        return [r.event for r in self.log if r.stream == stream]

    def state_of(self, task_id: str) -> task.Task:
        """A task in any state, folded from its own stream."""
        state: task.Task = task.ABSENT
        for event in self.events_of(task_id):
            state = task.evolve(state, event)  # type: ignore[arg-type]  # a task's stream holds task events
        return state

    def running(self, task_id: str) -> task.LiveAttempt:
        """The live attempt of a task that runs."""
        state = self.world.tasks[task_id]
        assert isinstance(state, task.Running)
        return state.live


def opened(settings: Settings | None = None, limit: int | None = None, owner: str = "owner-1") -> Story:
    """A pool whose first owner has just started; no policy has reacted yet."""
    story = Story()
    story.do(
        pool.StartOwner("pool-1", owner, 10, "0.1.0", settings or Settings(), limit, limit is not None, NOW)
    )
    return story


def warmed(settings: Settings | None = None, limit: int | None = None) -> Story:
    """A pool whose slots have all started and are idle with an empty conversation."""
    story = opened(settings, limit)
    story.settle()
    answer_launches(story)
    return story


def answer_launches(story: Story) -> None:
    """Every process that is being started answers."""
    for slot_id, state in list(story.world.slots.items()):
        if isinstance(state, slot.Starting) or (isinstance(state, slot.Busy) and state.process is None):
            story.do(slot.RecordLaunched(slot_id, state.launch, 100 + state.launch, "2.1.330"))


def answer_clears(story: Story) -> None:
    """Every conversation that is being cleared is empty now."""
    for slot_id, state in list(story.world.slots.items()):
        if isinstance(state, slot.Clearing):
            story.do(slot.RecordCleared(slot_id, session_name(len(story.log))))


def spec(
    *,
    slot: str | None = None,
    session: str | None = None,
    priority: int = 0,
    retries: int = 0,
    options: Options | None = None,
    max_budget: int | None = None,
) -> TaskSpec:
    """A task's order."""
    chosen = options or Options()
    if max_budget is not None:
        chosen = replace(chosen, max_budget=max_budget)
    prompt = Text(inline="work", size=4)
    return TaskSpec(prompt, chosen, session=session, slot=slot, priority=priority, retries=retries)


def submit(story: Story, number: int, order: TaskSpec | None = None, now: int = NOW) -> str:
    """Have the pool accept task `number`; its id."""
    task_id = task_name(number)
    story.do(Submit(task_id, order or spec(), "fingerprint", now))
    return task_id


def end(
    story: Story,
    task_id: str,
    what: Outcome | None = None,
    *,
    alive: bool = True,
    rss_mb: int = 0,
    now: int = NOW,
) -> tuple[Fact, ...]:
    """The live attempt of the task ends."""
    live = story.running(task_id)
    return story.do(
        RecordEnd(task_id, live.number, live.slot_id, what or outcome(), live.session, alive, rss_mb, now)
    )


def wear_out(story: Story, slot_id: str = "slot-0", times: int = 3) -> int:
    """The slot's process dies so often, a second after it was started again; the time after the last."""
    for second in range(times):
        story.do(slot.RecordProcessEnded(slot_id, False, -9, 0, "It died.", NOW + second * 1_000))
        story.settle(NOW + (second + 1) * 1_000 - (second + 1 == times) * 1_000)
        answer_launches(story)
    return NOW + (times - 1) * 1_000
