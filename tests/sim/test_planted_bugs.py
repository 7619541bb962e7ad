"""The simulation can fail: each of these bugs, planted in the core, is found within some seeds."""

# To plant a bug is to put something else in the place of what is private.
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from claude_pool.adapters.whatif import owner as owners
from claude_pool.domain import attempts, chain, coordination, ledger, policies, provider, slot, task
from claude_pool.domain.pool_events import FundsSettled
from claude_pool.domain.records import Fact
from claude_pool.domain.task_events import TaskSealed
from claude_pool.domain.world import World

from .campaign import main
from .simulation import Broken, Simulation, simulate
from .store import SimulatedLog

SEEDS = range(400)

Plant = Callable[[pytest.MonkeyPatch], None]


def nothing(*_args: object, **_named: object) -> tuple[()]:
    """Where something should be decided, nothing is."""
    return ()


def no_settlement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempts, "settle", nothing)


def settled_twice(patch: pytest.MonkeyPatch) -> None:
    once = attempts.settle
    patch.setattr(attempts, "settle", lambda *args: once(*args) * 2)


def reservation_leaked(patch: pytest.MonkeyPatch) -> None:
    right = ledger.evolve

    def evolve(budget: Any, event: Any) -> Any:
        return budget if isinstance(event, FundsSettled) and event.cost == 7 else right(budget, event)

    patch.setattr(ledger, "evolve", evolve)


def no_seal(patch: pytest.MonkeyPatch) -> None:
    right = task.decisions._sealing
    patch.setattr(
        task.decisions,
        "_sealing",
        lambda *args: tuple(event for event in right(*args) if not isinstance(event, TaskSealed)),
    )


def slot_still_free(patch: pytest.MonkeyPatch) -> None:
    """The view does not see that a slot was claimed, so that the next task claims it, too."""
    patch.setattr(slot.evolution, "_on_claimed", lambda state, _event: state)


def conversation_still_free(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "_open_session", lambda *_args: None)


def late_word_believed(patch: pytest.MonkeyPatch) -> None:
    """A word of an earlier attempt counts for the live one."""
    right = attempts.on_spend

    def on_spend(command: Any, world: World) -> tuple[Fact, ...]:
        state = world.tasks.get(command.task_id)
        if isinstance(state, task.Running):
            command = attempts.RecordSpend(command.task_id, state.live.number, command.metered, command.now)
        return right(command, world)

    patch.setattr(attempts, "on_spend", on_spend)


def never_unparked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policies, "_unparkings", nothing)


def unparked_early(patch: pytest.MonkeyPatch) -> None:
    right = policies._is_over
    patch.setattr(policies, "_is_over", lambda park, free, now: right(park, free, now + 500))


def pause_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(provider, "over", lambda *_args: False)


def no_timer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(owners, "next_wake", lambda _world: None)


def no_quarantine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(slot.decisions, "_quarantine", nothing)


def slots_not_recovered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(coordination, "_abandoned", nothing)


def needs_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chain.decisions, "_startable", lambda _work, waiting: list(waiting))


def tail_lost(patch: pytest.MonkeyPatch) -> None:
    """The log loses the last append of an owner that died, although that was acknowledged."""
    right = Simulation.lose_owner

    def lose_owner(self: Simulation, wanted: bool = True) -> None:
        right(self, wanted)
        if self.log.entries and self.log.broken is None:
            _, stream, version, _ = self.log.entries.pop()
            self.log.times.pop()
            self.log._versions[stream] = version - 1

    patch.setattr(Simulation, "lose_owner", lose_owner)


def answer_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Now and then an append is acknowledged and never written."""
    right = SimulatedLog._write

    def write(self: SimulatedLog, facts: Any, now: int) -> Any:
        lost = len(self.entries) % 41 == 40
        return [] if lost else right(self, facts, now)

    patch.setattr(SimulatedLog, "_write", write)


BUGS: tuple[Plant, ...] = (
    no_settlement, settled_twice, reservation_leaked, no_seal, slot_still_free, conversation_still_free,
    late_word_believed, never_unparked, unparked_early, pause_for_ever, no_timer, no_quarantine,
    slots_not_recovered, needs_ignored, tail_lost, answer_before_commit,
)  # fmt: skip


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    for seed in SEEDS:
        try:
            simulate(seed)
        except Broken:
            return
    raise AssertionError(f"{len(SEEDS)} seeds do not find it")


def test_a_failure_tells_the_last_events_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_settlement(monkeypatch)

    assert main(["--seed", "1"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("seed 1, step ") and "settled None (slot_differs)" in told
    assert told.endswith("see it again: tools/sim --seed 1 --verbose\n")
