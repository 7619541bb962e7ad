"""Two tasks, chains or logs held against each other, from what their logs say."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from claude_pool.domain.chain_board import ChainCard, StepCard
from claude_pool.domain.comparison import Pair, Part, align
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.task_board import TaskCard
from claude_pool.domain.values import Text, kind_of

from .places import Places
from .reading import LogReader
from .views import View

_LABEL_LENGTH = 40


def compare(left: str, right: str, here: Places, opened: Callable[[Places], LogReader]) -> View:
    """Hold `left` against `right`: each a task's or chain's id in the log of `here`, a state directory for
    all of its log, or both as `DIRECTORY:ID`.

    `opened` opens a log; each is closed again.

    Raises:
        InvalidArgument: one of them is none of these, or the two are not of a kind.
        NotFound: there is no such task or chain. StoreError: a log cannot be read.
    """
    kinds, sides = zip(*(_parts(text, here, opened) for text in (left, right)), strict=True)
    if kinds[0] != kinds[1]:
        problem = f"a {kinds[0]} and a {kinds[1]} cannot be compared; give two of a kind"
        raise InvalidArgument(argument="--diff", problem=problem)
    pairs = align(*sides)
    return {
        "kind": kinds[0],
        "left": left,
        "right": right,
        "same": not any(pair.differences for pair in pairs),
        "parts": [_pair_view(pair) for pair in pairs],
    }


def _parts(text: str, here: Places, opened: Callable[[Places], LogReader]) -> tuple[str, tuple[Part, ...]]:
    folder, _, subject = text.rpartition(":")
    if kind_of(subject) is None:
        folder, subject = text, ""
    places = _elsewhere(folder) if folder else here
    reader = opened(places)
    try:
        match kind_of(subject):
            case "task":
                return "task", (_task_part(reader.task_card(subject), "task", "task"),)
            case "chain":
                return "chain", tuple(_steps(reader, reader.chain_card(subject)))
            case None:
                return "log", tuple(_everything(reader))
            case kind:
                raise InvalidArgument(argument="--diff", problem=f"a {kind} cannot be compared: {text}")
    finally:
        reader.close()


def _elsewhere(folder: str) -> Places:
    """The places of a log that is only read: nothing of them but its files is touched."""
    state = os.path.realpath(folder)
    places = Places(state, os.path.join(state, "socket"), state, state)
    if not os.path.isfile(places.log):
        problem = f"{folder} is no task, no chain and no state directory with a log"
        raise InvalidArgument(argument="--diff", problem=problem)
    return places


def _everything(reader: LogReader) -> Iterable[Part]:
    """All work of a log: chains by their order, other tasks by their prompt, which another run has, too."""
    chains: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for card in reader.task_cards():
        if card.part is None:
            digest = _digest(card.prompt)
            seen[digest] += 1
            label = " ".join((card.prompt.inline or card.prompt.head or "").split())[:_LABEL_LENGTH]
            yield _task_part(card, f"{digest} {seen[digest]}", label)
        else:
            place = chains.setdefault(card.part.chain_id, f"chain {len(chains) + 1}")
            name = f"{place} {card.part.step}" + (" (recovery)" if card.part.run > 1 else "")
            yield _task_part(card, name, name)


def _steps(reader: LogReader, chain: ChainCard) -> Iterable[Part]:
    for step in chain.steps:
        if step.task_id is None:
            yield Part(step.name, step.name, step.state)
        else:
            yield _step_part(step, _task_part(reader.task_card(step.task_id), step.name, step.name))


def _step_part(step: StepCard, part: Part) -> Part:
    """A step's cost and attempts are those of all its runs."""
    return replace(part, state=step.state, cost=step.cost, attempts=step.attempts)


def _task_part(card: TaskCard, key: str, label: str) -> Part:
    output = card.structured_output or card.output
    return Part(
        key,
        label,
        card.state,
        None if card.error is None else card.error.code,
        "" if output is None or not output.size else _digest(output),
        card.cost,
        card.elapsed_ms,
        card.attempts,
        card.model,
    )


def _digest(text: Text) -> str:
    """The SHA-256 of a text, wherever it lies: a file has it for its name."""
    return text.blob or hashlib.sha256((text.inline or "").encode("utf-8", "replace")).hexdigest()


def _pair_view(pair: Pair) -> View:
    return {
        "part": pair.label,
        "differences": list(pair.differences),
        "left": None if pair.left is None else _part_view(pair.left),
        "right": None if pair.right is None else _part_view(pair.right),
    }


def _part_view(part: Part) -> View:
    return {
        "state": part.state,
        "error": part.code,
        "output_sha256": part.output or None,
        "cost_microdollars": part.cost,
        "elapsed_ms": part.elapsed_ms,
        "attempts": part.attempts,
        "model": part.model,
    }
