"""What earlier tasks took and cost, and draws from that for tasks that are still to come.

A draw is made from the finished tasks that were most like the one to come. Within one simulated run, what
was drawn goes back in twice (Pólya's urn, that is the predictive distribution of the Bayesian bootstrap):
the fewer samples there are, the further apart the runs lie, as they should.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import shake_128

LEAST_SAMPLES = 5
"""With fewer finished tasks of a kind, a task is compared with a wider kind; with fewer of any, with none."""
MOST_SAMPLES = 500
"""Of each kind, only so many of the latest count."""

Drawn = tuple[int, int]
"""How long a task ran in all its attempts together (ms), and what they cost (microdollars)."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a task is known by before it runs: its model, skill (without digest), step's name and tags."""

    model: str | None = None
    skill: str | None = None
    step: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A task that ended: what it was, how long its attempts ran together (ms), and what they cost."""

    traits: Traits
    ran_ms: int
    cost: int


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """The samples that a task is compared with, and by what they are like it.

    `likeness` is one of skill, step, model and tag, tag, model, all.
    """

    likeness: str
    samples: tuple[Drawn, ...]


class History:
    """The tasks that ended, by kind."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """`samples` come the latest first."""
        self.size = len(samples)
        self._models: dict[str, str | None] = {}
        self._known = tuple(dict.fromkeys(s.traits.model for s in samples if s.traits.model is not None))
        found: dict[tuple[str, ...], list[Drawn]] = {}
        for sample in samples:
            for name in _told(sample.traits):
                kept = found.setdefault(name, [])
                if len(kept) < MOST_SAMPLES:
                    kept.append((sample.ran_ms, sample.cost))
        self._kinds = {
            name: Kind(name[0], tuple(kept)) for name, kept in found.items() if len(kept) >= LEAST_SAMPLES
        }

    def like(self, traits: Traits) -> Kind | None:
        """The narrowest kind with enough samples; None: there are too few of any."""
        asked = (self._kinds.get(name) for name in self._asked(traits))
        return next((kind for kind in asked if kind is not None), None)

    def _asked(self, traits: Traits) -> Iterator[tuple[str, ...]]:
        model = None if traits.model is None else self._model(traits.model)
        if traits.skill is not None:
            yield ("skill", traits.skill)
        if traits.step is not None:
            yield ("step", traits.step)
        for tag in traits.tags:
            yield ("tag", tag) if model is None else ("model and tag", model, tag)
        if model is not None:
            yield ("model", model)
        yield ("all",)

    def _model(self, asked: str) -> str | None:
        """The model of the history that was meant by what a caller asks for, which may be a short name."""
        if asked not in self._models:
            name = asked.partition("[")[0]
            self._models[asked] = next((m for m in self._known if m == name or name in m), None)
        return self._models[asked]


def _told(traits: Traits) -> Iterator[tuple[str, ...]]:
    """All kinds that a task belongs to."""
    yield ("all",)
    if traits.model is not None:
        yield ("model", traits.model)
        yield from (("model and tag", traits.model, tag) for tag in traits.tags)
    yield from (("tag", tag) for tag in traits.tags)
    if traits.step is not None:
        yield ("step", traits.step)
    if traits.skill is not None:
        yield ("skill", traits.skill)


def numbers(seed: int, run: int, count: int) -> tuple[int, ...]:
    """`count` even-handed numbers in [0, 2**32), the same for the same `seed` and `run` on any machine.

    They are the output of SHAKE-128 for the two, read as little-endian words.
    """
    stream = shake_128(struct.pack("<QQ", seed, run)).digest(4 * count)
    return struct.unpack(f"<{count}I", stream)


def drawn(kinds: Sequence[Kind], which: Sequence[int], chances: Sequence[int]) -> list[Drawn]:
    """One draw for each task, in order; `which` says of which of `kinds` it is, `chances` are `numbers`."""
    urns = [list(kind.samples) for kind in kinds]
    found: list[Drawn] = []
    for index, chance in zip(which, chances, strict=True):
        urn = urns[index]
        one = urn[chance * len(urn) >> 32]
        urn.append(one)
        found.append(one)
    return found


def outlasting(kind: Kind, ran_ms: int) -> tuple[Drawn, ...]:
    """What a task of this kind may come to in all that has already run for `ran_ms`.

    Where no sample ran as long, it is taken to go on for as long as a whole one, and to cost as much more
    than the dearest.
    """
    longer = tuple(each for each in kind.samples if each[0] > ran_ms)
    if longer:
        return longer
    dearest = max(cost for _, cost in kind.samples)
    return tuple((ran_ms + ms, dearest + cost) for ms, cost in kind.samples)
