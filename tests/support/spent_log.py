"""Logs of pools that have lived: weeks of work made by the domain's own decisions in seconds.

Work of several models, tags and skills is done alone and in chains. Some of it fails and is tried again, is
rejected, cancelled, or lost with its owner, and slots start turns that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from claude_pool.domain import chain, ledger, pool, task
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.chain_events import Plan, Step
from claude_pool.domain.coordination import Command, Recover
from claude_pool.domain.errors import BudgetExceeded
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.ports import EventLog
from claude_pool.domain.records import Actor, Fact, Meta
from claude_pool.domain.values import End, Options, Outcome, TaskSpec, Text, Tokens, derived_id

from .domain_cli_model import Clearing, CliModel, Launching, Stopping, Turning
from .domain_story import Story

BEGAN = 1_767_250_000_000
"""2026-01-01, early in the morning."""

MODELS = {"haiku": 3, "sonnet": 20, "opus": 90}
"""Models, with what a token costs beside the other models'."""

_TAGS = ("nightly", "review", "docs", "urgent")
_SKILLS = ("code_review@0011223344556677", "write_tests@8899aabbccddeeff")
_MINUTE = 60_000
_PATIENCE = 400


class Life:
    """A pool of `slots` slots at work. The same `seed` gives the same life."""

    def __init__(
        self,
        seed: int = 1,
        slots: int = 4,
        limit: int | None = None,
        *,
        story: Story | None = None,
        pace: int = 20 * _MINUTE,
    ) -> None:
        """Its first owner starts. `story` (default: a new one) is where it happens; up to `pace` ms pass
        between two looks at the slots."""
        self.appends: list[tuple[tuple[Fact, ...], int]] = []
        self.story = Story() if story is None else story
        self.attempts = 0
        self._random = Random(seed)
        self._cli = CliModel()
        self._now = BEGAN
        self._settings = Settings(
            slots=slots,
            options=Options(model="sonnet"),
            working_dir="/project",
            task_budget=limit and limit // 8,
        )
        self._limit = limit
        self._pace = pace
        self._owners = 0
        self._works = 0
        self.story.watchers += [self._cli.observe, self._keep]
        self._start()

    def live(self, attempts: int) -> Life:
        """Go on until so many attempts have ended, and then until nothing is left to do."""
        while self.attempts < attempts:
            self.go_on()
        for _ in range(_PATIENCE):
            if not self.story.world.tasks and not self.story.world.chains and not self._cli.effects:
                break
            self._pass(quietly=True)
        assert not self.story.world.tasks, "the work does not come to its end"
        return self

    def go_on(self) -> None:
        """Some minutes of work, with something new to do where there is little."""
        if len(self.story.world.tasks) < 2 * self._settings.slots:
            self.order()
        self._pass()

    def _keep(self, facts: Sequence[Fact]) -> None:
        self.appends.append((tuple(facts), self._now))

    def _chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def _start(self) -> None:
        self._owners += 1
        self._tell(
            pool.StartOwner(
                "pool-1", f"owner-{self._owners}", 10, "0.1.0", self._settings, self._limit,
                self._limit is not None, self._now,
            )
        )  # fmt: skip

    def _tell(self, command: Command) -> None:
        self.story.do(command)
        self.story.settle(self._now)

    def order(self) -> None:
        """Something new to do."""
        self._works += 1
        name = str(self._works)
        try:
            if self._chance(15):
                steps = tuple(
                    Step(each, self._spec(), needs) for each, needs in (("plan", ()), ("do", ("plan",)))
                )
                plan = Plan(steps, "none", "none", "", tags=("chained",))
                self._tell(SubmitChain(derived_id("chain", name), plan, name, self._now))
            else:
                self._tell(Submit(derived_id("task", name), self._spec(), name, self._now))
        except BudgetExceeded:
            self._works -= 1

    def _spec(self) -> TaskSpec:
        at_random = self._random
        return TaskSpec(
            Text("Mend the parser.", size=16),
            Options(model=at_random.choice([None, *MODELS])),
            tags=tuple(at_random.sample(_TAGS, at_random.choice([0, 1, 1, 2]))),
            retries=2,
            review=2 if self._chance(10) else None,
            skill=at_random.choice([None, None, *_SKILLS]),
        )

    def _pass(self, *, quietly: bool = False) -> None:
        """Some minutes pass; what is under way goes on, and something may come in between."""
        self._now += self._random.randrange(1, self._pace)
        self.story.settle(self._now)
        for slot_id, effect in list(self._cli.effects.items()):
            match effect:
                case Launching():
                    self._tell(self._cli.launched(slot_id, self._now))
                case Turning():
                    if quietly or self._chance(80):
                        self._end(slot_id)
                case Clearing():
                    self._tell(self._cli.cleared_now(slot_id))
                case Stopping():
                    self._tell(self._cli.gone(slot_id, expected=True, now=self._now))
                case _:
                    raise AssertionError(f"these pools do not do this: {effect}")
        for task_id, state in list(self.story.world.tasks.items()):
            if isinstance(state, task.PendingReview):
                self._judge(task_id, approves=quietly or self._chance(60))
            if isinstance(state, task.Sealed):
                self._tell(task.ReopenTask(task_id, resume=False, now=self._now))
        if not quietly:
            self._disturb()

    def _disturb(self) -> None:
        unspent = self.story.world.open_pool().budget.unspent
        if self._limit is not None and unspent is not None and unspent < self._limit // 4:
            self._tell(ledger.ResetBudget())
        if self._chance(3):
            self._tell(ledger.ChargeFunds("slot-0", self._random.randrange(1, 5_000), "unsolicited"))
        running = list(self.story.world.running)
        if running and self._chance(4):
            self._tell(task.CancelTask(self._random.choice(running), self._now))
        chains = list(self.story.world.chains)
        if chains and self._chance(1):
            self._tell(chain.CancelChain(self._random.choice(chains), self._now))
        if running and self._chance(2):
            self._crash()

    def _judge(self, task_id: str, *, approves: bool) -> None:
        why = Text("not yet", size=7)
        self._tell(
            task.ApproveTask(task_id, self._now) if approves else task.RejectTask(task_id, why, self._now)
        )

    def _crash(self) -> None:
        """The owner dies; of some attempts a transcript is left."""
        self._cli.crash()
        seen: dict[str, Outcome] = {}
        for task_id in self.story.world.running:
            state = self.story.world.tasks[task_id]
            assert isinstance(state, task.Running)
            self.attempts += 1
            if self._chance(70):
                seen[task.live_attempt_id(state)] = replace(
                    self._outcome(None), end=End.INTERRUPTED, estimated=True
                )
        self._now += _MINUTE
        self.story.do(Recover(seen, self._now))
        self._start()

    def _end(self, slot_id: str) -> None:
        effect = self._cli.effects[slot_id]
        assert isinstance(effect, Turning)
        state = self.story.world.tasks[effect.claim.attempt.rpartition(".")[0]]
        assert isinstance(state, task.Running)
        self.attempts += 1
        what, alive = self._outcome(state.job.spec.options.model), True
        if state.live.cancel or state.live.interrupt is not None:
            what = replace(what, end=End.INTERRUPTED, estimated=True)
        elif self._chance(10):
            what = _failed(what, "provider_error", retryable=True)
        elif self._chance(4):
            what = _failed(what, "turn_limit", retryable=False)
        elif self._chance(3):
            what, alive = _failed(what, "slot_failed", retryable=True), False
        self._tell(self._cli.turn_ended(slot_id, what, alive=alive, rss_mb=300, now=self._now))

    def _outcome(self, model: str | None) -> Outcome:
        name = model or "sonnet"
        tokens = Tokens(*(self._random.randrange(1, most) for most in (5_000, 3_000, 40_000, 9_000)))
        cost = MODELS[name] * (tokens.input + 5 * tokens.output + tokens.cache_read // 10) // 10
        return Outcome(
            End.SUCCEEDED, output=Text("Mended.", size=7), turns=self._random.randrange(1, 9),
            model=f"claude-{name}-5", cost=cost, tokens=tokens,
        )  # fmt: skip


def _failed(what: Outcome, code: str, *, retryable: bool) -> Outcome:
    return replace(
        what, end=End.FAILED, code=code, message="It did not work.", retryable=retryable, output=Text(),
        estimated=True,
    )  # fmt: skip


def write(life: Life, log: EventLog, together: int = 1) -> None:
    """Append what has happened to an empty log, `together` appends of the life at once."""
    versions: dict[str, int] = {}
    for number in range(0, len(life.appends), together):
        batch = life.appends[number : number + together]
        facts = [fact for several, _ in batch for fact in several]
        expected = {fact.stream: versions.get(fact.stream, 0) for fact in facts}
        log.append(facts, expected, Meta(batch[0][1], "cmd", "cmd", Actor.COORDINATOR))
        for fact in facts:
            versions[fact.stream] = versions.get(fact.stream, 0) + 1
