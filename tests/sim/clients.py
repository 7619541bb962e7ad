"""Those who use a simulated pool, and their own account of what they were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from claude_pool.adapters.whatif.owner import Entry
from claude_pool.domain import chain, ledger, pool, slot, soft_limits, task
from claude_pool.domain.acceptance import Submit, SubmitChain
from claude_pool.domain.chain_events import ChainSubmitted, Plan, Step
from claude_pool.domain.claims import claim_for
from claude_pool.domain.coordination import Command, Resume
from claude_pool.domain.errors import PoolError, StoreError
from claude_pool.domain.messaging import COORDINATOR, BroadcastMessage, ReadMessages, SendMessage
from claude_pool.domain.questions import AnswerQuestion
from claude_pool.domain.task_events import (
    CancelRequested,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskSubmitted,
)
from claude_pool.domain.values import Options, TaskSpec, Text
from claude_pool.domain.world import World

from tests.support.domain_chains import plan, step
from tests.support.domain_story import session_name, task_name

from .store import Crash

if TYPE_CHECKING:
    from claude_pool.adapters.whatif.owner import Owner

    from .simulation import Simulation

ROLE = "builder"
NAMES = ("a", "b", "c", "d")
RETRIES = 40
"""So often a client asks again that got no answer."""


class Clients:
    """All callers of one pool. What they were told is in `told`; `check` holds it against the log."""

    def __init__(self, sim: Simulation) -> None:
        """Nobody has asked for anything."""
        self._sim = sim
        self._told: list[Entry] = []
        self._submitted: dict[str, str] = {}
        self._wanted: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._messages = 0

    def plan(self, until: int) -> None:
        """Everything that they will do by then."""
        draw = self._sim.random
        for number in range(draw.randint(10, 14)):
            self._sim.later(draw.randrange(until * 2 // 3), self._submission(number))
        for number in range(draw.choice((0, 0, 1, 2))):
            self._sim.later(draw.randrange(until // 2), self._chain(number))
        for kind, act in self._acts().items():
            if kind in self._sim.faults.rates:
                for _ in range(draw.randint(1, 3)):
                    self._sim.later(draw.randrange(until), self._counted(kind, act))
        for at in range(1_000, until, 1_500):
            self._sim.later(at, self.answer)

    def _counted(self, kind: str, act: Callable[[], object]) -> Callable[[], None]:
        def happens() -> None:
            self._sim.faults.struck[kind] += 1
            act()

        return happens

    # Submissions.

    def _submission(self, number: int) -> Callable[[], None]:
        spec = self._spec()
        task_id, fingerprint = task_name(number), f"arguments-{number}"
        submit = Submit(task_id, spec, fingerprint, 0)
        return self._accepted(
            task_id, fingerprint, lambda now: Submit(task_id, submit.spec, fingerprint, now)
        )

    def _chain(self, number: int) -> Callable[[], None]:
        order = self._plan()
        chain_id, fingerprint = f"chain-{NAMES[number] * 16}", f"arguments-of-chain-{number}"
        return self._accepted(
            chain_id, fingerprint, lambda now: SubmitChain(chain_id, order, fingerprint, now)
        )

    def _accepted(
        self, stream: str, fingerprint: str, command: Callable[[int], Command]
    ) -> Callable[[], None]:
        """Submit, and ask again with the same key until there is an answer."""
        self._wanted[stream] = fingerprint
        left = RETRIES

        def ask() -> None:
            nonlocal left
            left -= 1
            answered = False
            try:
                answered = self._submit(stream, fingerprint, command)
            finally:
                if not answered and left:
                    self._sim.later(self._sim.random.randint(100, 2_000), ask)

        return ask

    def _submit(self, stream: str, fingerprint: str, command: Callable[[int], Command]) -> bool:
        """Whether the owner said yes or no."""
        owner, strikes = self._sim.begin(), self._sim.faults.strikes
        if owner is None:
            return False
        if not self._known(stream, fingerprint):
            try:
                written = owner.ask(command(owner.now))
            except StoreError:
                return False
            except PoolError:
                return True
            if strikes("crash_before_answer"):
                raise Crash
            self._told += written
        self._submitted[stream] = fingerprint
        if strikes("same_key_again"):
            self._sim.later(500, lambda: self._repeat(stream, fingerprint))
        return True

    def _known(self, stream: str, fingerprint: str) -> bool:
        """Whether the log has it: the key was used before, with the same arguments."""
        before = self._sim.log.stream(stream)
        if before:
            first = before[0]
            assert isinstance(first, (TaskSubmitted, ChainSubmitted))
            assert first.fingerprint == fingerprint, "a key stands for something else"
        return bool(before)

    def _repeat(self, stream: str, fingerprint: str) -> None:
        assert self._known(stream, fingerprint), f"{stream} was acknowledged and is lost"

    def _spec(self) -> TaskSpec:
        draw = self._sim.random.choice
        return TaskSpec(
            Text("work", size=4),
            Options(
                model=draw((None, None, "opus")),
                max_budget=draw((None, None, None, 30, 90)),
                timeout_ms=draw((None, None, 5_000)),
            ),
            draw((None, None, None, "fresh", "slot", f"resume:{session_name(1)}")),
            draw((None, None, None, None, "slot-0", ROLE)),
            draw((0, 0, 1)),
            draw(((), (), ("a",))),
            draw((0, 0, 1, 2)),
            draw(("resume", "rerun", "ask")),
            draw((None, None, None, 2)),
        )

    def _plan(self) -> Plan:
        draw = self._sim.random
        steps: list[Step] = []
        for number in range(draw.randint(1, len(NAMES))):
            needs = tuple(name for name in NAMES[:number] if draw.random() < 0.5)
            uses = ("previous_output", *(f"steps.{need}.output" for need in needs))
            steps.append(
                step(
                    NAMES[number],
                    *needs,
                    uses=uses,
                    recovery=draw.choice((None, "mend")),
                    recovery_uses=("error", *uses),
                    on_failure=draw.choice(("stop", "continue", "skip_rest")),
                    retries=draw.choice((0, 0, 1)),
                    review=draw.choice((None, None, None, 2)),
                    max_budget=draw.choice((None, None, None, 30)),
                )
            )
        return plan(
            *steps,
            isolation=draw.choice(("none", "none", "worktree")),
            max_budget=draw.choice((None, None, 2, 100)),
            timeout_ms=draw.choice((None, None, 5_000)),
        )

    # What else they do.

    def _acts(self) -> dict[str, Callable[[], object]]:
        draw = self._sim.random
        limits = (None, None, 1, 100, 1_000)
        return {
            "other_arguments": self._other_arguments,
            "cancel": self._cancel,
            "cancel_chain": self._cancel_chain,
            "budget_change": lambda: self._ask(
                draw.choice(
                    (
                        ledger.ResetBudget(),
                        ledger.SetLimits(draw.choice(("pool", "day", "tag:a")), draw.choice(limits), None),
                    )
                )
            ),
            "soft_limit": lambda: self._ask(
                ledger.SetLimits(draw.choice(("pool", "day", "tag:a")), None, draw.choice((1, 60, 240)))
            ),
            "scaling": lambda: self._ask(
                draw.choice((pool.SetTargetSlots(draw.randint(0, 5)), pool.ScaleSlots(draw.choice((-1, 1)))))
            ),
            "drain": lambda: self._hold(pool.StartDrain(draw.choice(("finish", "cancel"))), pool.LiftDrain()),
            "pause": self._pause,
            "stop": lambda: self._ask(pool.StopOwner(False)),
            "stop_now": lambda: self._ask(pool.StopOwner(True)),
            "revival": self._revive,
            "claim_by_hand": self._claim,
            "messages": self._write,
            "context_change": lambda: self._ask(pool.SetContext("branch", draw.choice(("a", "b")))),
        }

    def _ask(self, command: Command) -> Sequence[Entry]:
        """Ask once; what is refused or gets no answer is let be."""
        owner = self._sim.begin()
        if owner is None:
            return ()
        try:
            written = owner.ask(command)
        except PoolError:
            return ()
        if self._sim.faults.strikes("crash_before_answer"):
            raise Crash
        self._told += written
        return written

    def _owned(self) -> tuple[Owner, World] | None:
        owner = self._sim.begin()
        return None if owner is None else (owner, owner.world)

    def _hold(self, command: Command, release: Command) -> None:
        self._ask(command)
        self._sim.later(self._sim.random.choice((500, 20_000)), lambda: self._ask(release))

    def _pause(self) -> None:
        owner, ms = self._sim.begin(), self._sim.random.choice((None, 0, 3_000))
        if owner is not None:
            until = None if ms is None else owner.now + ms
            self._hold(pool.PausePool("maintenance", until), Resume())

    def _other_arguments(self) -> None:
        """The same key with other arguments is an error, and no task."""
        for stream, fingerprint in list(self._submitted.items())[:1]:
            before = self._sim.log.stream(stream)[0]
            assert isinstance(before, (TaskSubmitted, ChainSubmitted))
            assert before.fingerprint == fingerprint != "others"

    def _cancel(self) -> None:
        names = [name for name in self._submitted if name.startswith("task-")]
        if not names:
            return
        task_id = self._sim.random.choice(names)
        owner = self._sim.begin()
        if owner is None:
            return
        try:
            self._told += owner.ask(task.CancelTask(task_id, owner.now))
        except PoolError:
            return
        self._cancelled.add(task_id)
        if self._sim.random.random() < 0.5:
            self._sim.later(100, lambda: self._ask(task.CancelTask(task_id, owner.now)))

    def _cancel_chain(self) -> None:
        owned = self._owned()
        names = [] if owned is None else list(owned[1].chains)
        if owned is not None and names:
            self._ask(chain.CancelChain(self._sim.random.choice(names), owned[0].now))

    def _revive(self) -> None:
        owned = self._owned()
        if owned is not None and owned[1].slots:
            slot_id = self._sim.random.choice(list(owned[1].slots))
            role = self._sim.random.choice((ROLE, "slot-1"))
            act = self._sim.random.choice((slot.ReviveSlot(slot_id), slot.ConfigureSlot(slot_id, role=role)))
            self._ask(act)

    def _claim(self) -> None:
        owned = self._owned()
        if owned is None or not owned[1].slots:
            return
        slot_id = self._sim.random.choice(list(owned[1].slots))
        try:
            command = claim_for(owned[1], slot_id, self._sim.surroundings, owned[0].now)
        except PoolError:
            return
        self._ask(command)

    def _write(self) -> None:
        owned = self._owned()
        if owned is None:
            return
        self._messages += 1
        now, draw = owned[0].now, self._sim.random.choice
        message_id, content = f"msg-{self._messages}", Text("x" * 5, size=5)
        self._ask(
            draw(
                (
                    SendMessage(message_id, "slot-1", draw(("slot-0", COORDINATOR)), content, now),
                    BroadcastMessage(message_id, COORDINATOR, content, now),
                    ReadMessages(draw(("slot-0", COORDINATOR)), COORDINATOR, now, None),
                )
            )
        )

    def answer(self) -> None:
        """Somebody looks after what waits for a person."""
        owner = self._sim.owner
        if owner is None:
            return
        for command in self._answers(owner, patient=not self._sim.healing):
            try:
                self._told += owner.ask(command)
            except PoolError:
                continue

    def _answers(self, owner: Owner, patient: bool) -> list[Command]:
        world, now, strikes = owner.world, owner.now, self._sim.faults.strikes
        answers: list[Command] = []
        for question, task_id in world.questions.items():
            if not strikes("question_unanswered"):
                answers.append(AnswerQuestion(task_id, question, "allow", None, None, now))
        for asked in soft_limits.open_questions(world.open_pool().budget, now):
            choice = self._sim.random.choice(("continue", "stop")) if patient else "continue"
            answers.append(soft_limits.AnswerSoftLimit(asked.question_id, choice, None, now))
        for task_id, state in world.tasks.items():
            if isinstance(state, task.PendingReview):
                rejects = strikes("rejection")
                why = Text("no", size=2)
                answers.append(
                    task.RejectTask(task_id, why, now) if rejects else task.ApproveTask(task_id, now)
                )
            elif isinstance(state, task.Sealed):
                if patient and task.resumable(state.job):
                    answers.append(task.ReopenTask(task_id, True, now))
                else:
                    answers.append(task.CancelTask(task_id, now))
        return answers

    # Their account.

    def check(self) -> None:
        """Whatever was acknowledged is in the log, once; and nothing is there that nobody wanted."""
        entries = self._sim.log.entries
        for entry in self._told:
            there = entries[entry[0] - 1] if entry[0] <= len(entries) else None
            assert there == entry, f"{entry[1]} {entry[3]} was acknowledged and is lost"
        ends: dict[str, str] = {}
        for _, stream, _, event in entries:
            match event:
                case TaskSubmitted(task_id, spec, fingerprint) if spec.part is None:
                    assert self._wanted.get(task_id) == fingerprint, f"nobody wanted {task_id}"
                case ChainSubmitted(chain_id, _, fingerprint):
                    assert self._wanted.get(chain_id) == fingerprint, f"nobody wanted {chain_id}"
                case CancelRequested() | TaskCancelled() | TaskCompleted() | TaskFailed():
                    ends.setdefault(stream, event.NAME)
                case _:
                    pass
        for stream, fingerprint in self._submitted.items():
            assert self._known(stream, fingerprint), f"{stream} was acknowledged and is lost"
        for task_id in self._cancelled:
            assert task_id in ends, f"{task_id} was cancelled, and goes on"
