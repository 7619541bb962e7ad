"""A simulated owner: what the service of a real one does with the core, without its threads and sockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from claude_pool.adapters.system import RealSystem
from claude_pool.domain.coordination import Command, decide
from claude_pool.domain.errors import PoolError, StoreError
from claude_pool.domain.policies import Surroundings, looks_again_after, next_command, next_wake
from claude_pool.domain.records import Fact

from .store import Entry, SimulatedLog

MOST_REACTIONS = 2_000
"""Far more policy commands than any reaction of these small pools needs."""


class Ended(Exception):
    """The owner cannot go on: what happened cannot be recorded, so it ends and the next one recovers."""


class Owner:
    """One life of an owner: the view it folded when it began, and its clock."""

    def __init__(self, log: SimulatedLog, system: RealSystem, surroundings: Surroundings) -> None:
        """It reads the log. `listen` hears of each of its appends after the view has folded it."""
        self.log = log
        self.system = system
        self.world = log.opened()
        system.begin_after(log.times[-1] if log.times else 0)
        self.surroundings = surroundings
        self.listen: Callable[[Sequence[Fact]], None] = lambda _facts: None
        self.policies_on = False
        self.reacting = False

    @property
    def now(self) -> int:
        """Its time, in ms."""
        return self.system.now()

    def tell(self, command: Command) -> list[Entry]:
        """Record what happened: what cannot be recorded ends the owner.

        Raises:
            PoolError: the core refuses it. Ended, Crash: the owner is gone.
        """
        facts = decide(command, self.world)
        try:
            return self._append(facts)
        except StoreError as error:
            raise Ended from error

    def ask(self, command: Command) -> list[Entry]:
        """What a caller wants.

        Raises:
            PoolError: it is refused, or cannot be recorded. Crash: the owner is gone.
        """
        return self._append(decide(command, self.world))

    def _append(self, facts: Sequence[Fact]) -> list[Entry]:
        if not facts:
            return []
        expected = {fact.stream: self.world.versions.get(fact.stream, 0) for fact in facts}
        written = self.log.append(facts, expected, self.now)
        for entry in written:
            self.world.apply(*entry)
        self.listen(facts)
        return written

    def react(self) -> int | None:
        """Let the policies have their way; when (ms) the timer is to ring next.

        Raises:
            Ended, Crash: the owner is gone.
        """
        if not self.policies_on:
            return None
        command: Command | None = None
        for _ in range(MOST_REACTIONS):
            command = next_command(self.world, self.surroundings, self.now)
            if command is None:
                wake, look = next_wake(self.world), looks_again_after(self.world)
                return (
                    wake if look is None else min(self.now + look, self.now + look if wake is None else wake)
                )
            self.reacting = True
            try:
                done = self.ask(command)
            except StoreError as error:
                raise Ended from error
            except PoolError as error:
                raise AssertionError(f"a policy asks for what is refused: {command}: {error}") from error
            finally:
                self.reacting = False
            assert done, f"a policy asks for what changes nothing: {command}"
        raise AssertionError(f"the policies do not come to rest: {command}")
