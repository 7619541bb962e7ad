"""A small seeded engine: makes an input of a target from a number, tries it, and tells what broke.

An input is bytes, whatever the target makes of them. The same seed and number give the same input, so that a
find can be made again; what was found once lies in `corpus/TARGET/` and is tried first, always.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

CORPUS = Path(__file__).parent / "corpus"

MOST_SECONDS = 1.0
"""No input may take more of the processor's time."""

Probe = Callable[[bytes], None]
"""Tries an input. What it raises is a find: typed errors that the target may raise it takes itself."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed: how an input is made, and the ground (a folder of its own) on which it is tried."""

    name: str
    make: Callable[[Random], bytes]
    ground: Callable[[Path], AbstractContextManager[Probe]]


@dataclass(frozen=True)
class Find:
    """An input that broke something. `number` is that of its making, or None: it is of the corpus."""

    target: str
    number: int | None
    given: bytes
    problem: str


def corpus(target: Target) -> Iterator[bytes]:
    """The inputs that are kept for a target, in the order of their names."""
    for path in sorted((CORPUS / target.name).glob("*")):
        yield path.read_bytes()


def made(target: Target, seed: int, number: int) -> bytes:
    """Input `number` of a target. Some are inputs of the corpus, changed."""
    chance = Random(f"{seed} {target.name} {number}")
    kept = list(corpus(target))
    if kept and chance.random() < 0.1:
        return changed_bytes(chance, chance.choice(kept))
    return target.make(chance)


def campaign(
    target: Target, folder: Path, runs: int, seed: int, progress: Callable[[int], object] = id
) -> list[Find]:
    """Try the corpus and then `runs` inputs; what broke. `progress` is told after each."""
    finds: list[Find] = []
    with target.ground(folder) as probe:
        given = ((None, each) for each in corpus(target))
        for number, each in (*given, *((number, None) for number in range(runs))):
            data = made(target, seed, cast("int", number)) if each is None else each
            if (problem := tried(probe, data)) is not None:
                finds.append(Find(target.name, number, data, problem))
            progress(number or 0)
    return finds


def tried(probe: Probe, data: bytes) -> str | None:
    """What is wrong with how a target takes `data`; None: nothing.

    What took too long is tried again: beside others a processor may take its time once.
    """
    seconds = 0.0
    for _ in range(3):
        began = time.process_time()
        try:
            probe(data)
        except Exception:  # whatever it is, it is what is looked for
            return traceback.format_exc(limit=-6)
        seconds = time.process_time() - began
        if seconds <= MOST_SECONDS:
            return None
    return f"it took {seconds:.1f} s"


# ---------------------------------------------------------------- what to write

NUMBERS = (
    0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 0.1, -0.0,
    1e308,
    1e-320, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip

TEXTS = (
    "", " ", "\0", "a\0b", "\n", "\r\n", "\u2028", "\ufeff", "\ud800", "\udfff\ud800", "💥", "é", "ß", "İ",
    "٣",
    "'", '"', "\\", "`", "$(id)", "${HOME}", "`id`", "; rm -rf /", "| cat", "&& true", "-rf", "--help", "-",
    "..", "../../etc/passwd", "/etc/passwd", "~/x", "a/b", ".", "con", "x" * 300, "x" * 5_000,
    "{previous_output}",
    "{steps.a.output}", "{steps.a.output", "{{x}}", "{error}", "{}", "%s", "%(x)s", "@/etc/passwd",
    "/clear", "/compact",
    "<script>", "\x1b[2J", "\x7f", "\u202e", "\u200b", "NaN", "null", "true", "1e999", "0x10", "[", "{",
    "]}", "---",
    "--- ", "&a", "*a", "!!python/object:x", "<<: *a", "? x", "task-aaaaaaaaaaaaaaaa", "slot-0",
    "slot-999999",
    "chain-aaaaaaaaaaaaaaaa", "msg-aaaaaaaaaaaaaaaa", "question-aaaaaaaaaaaaaaaa", "pool", "resume:",
    "fork:x", "\t", "a b",
    "resume:00000000-0000-0000-0000-000000000000",
)  # fmt: skip


def text(chance: Random) -> str:
    """Some text, mostly a nasty one."""
    match chance.randrange(5):
        case 0:
            return "".join(chr(chance.randrange(0xD800)) for _ in range(chance.randrange(20)))
        case 1:
            return "".join(chance.choice(TEXTS) for _ in range(chance.randrange(1, 5)))
        case 2:
            return "".join(chance.choice("abc-_./: \n{}[]\"'#,0") for _ in range(chance.randrange(30)))
        case _:
            return chance.choice(TEXTS)


def value(chance: Random, depth: int = 3) -> Any:
    """Some JSON value, and some that JSON has no word for."""
    kind = chance.randrange(8 if depth else 5)
    if kind < 2:
        return text(chance)
    if kind == 2:
        return chance.choice(NUMBERS)
    if kind == 3:
        return chance.randrange(-10, 1_000)
    if kind == 4:
        return chance.choice((None, True, False))
    if kind == 5:
        return nested(chance)
    if kind == 6:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {text(chance): value(chance, depth - 1) for _ in range(chance.randrange(4))}


def nested(chance: Random) -> Any:
    """A list or an object in a list in an object, and so on."""
    found: Any = chance.choice((1, "x", None))
    for _ in range(chance.choice((2, 20, 200, 900))):
        found = [found] if chance.random() < 0.5 else {"a": found}
    return found


def changed(chance: Random, given: Any, rate: float = 0.15) -> Any:
    """`given` with some of its parts exchanged, doubled, renamed or gone."""
    if chance.random() < rate * 0.5:
        return value(chance)
    if isinstance(given, dict):
        fields = [
            (key if chance.random() > rate * 0.2 else text(chance), changed(chance, each, rate))
            for key, each in cast("dict[str, Any]", given).items()
            if chance.random() > rate * 0.3
        ]
        if chance.random() < rate:
            fields.append((text(chance), value(chance)))
        return dict(fields)
    if isinstance(given, list):
        items = [
            changed(chance, each, rate) for each in cast("list[Any]", given) if chance.random() > rate * 0.3
        ]
        if items and chance.random() < rate:
            items += [chance.choice(items)] * chance.choice((1, 3, 200))
        return items
    if chance.random() < rate:
        return chance.choice((str(given), [given], {"x": given}, None, chance.choice(NUMBERS), text(chance)))
    return given


def written(chance: Random, given: Any) -> bytes:
    """`given` as JSON text, with lone surrogates as bytes or as escapes."""
    loose = chance.random() < 0.5
    return json.dumps(given, ensure_ascii=loose).encode("utf-8", "surrogatepass")


def changed_bytes(chance: Random, given: bytes) -> bytes:
    """`given` with a few bytes or pieces exchanged, doubled, put in or cut."""
    data = bytearray(given)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice((1, 2, 8, 64)))
        match chance.randrange(6):
            case 0:
                data[at:to] = b""
            case 1:
                data[at:at] = bytes(data[at:to]) * chance.choice((1, 2, 50))
            case 2 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 3:
                data[at:at] = text(chance).encode("utf-8", "surrogatepass")
            case 4:
                data[at:to] = chance.choice(
                    (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\n", b"\r", b"\xf0\x9f", b"1e999")
                )
            case _:
                data[at:] = b"" if chance.random() < 0.1 else data[at:]
    return bytes(data)


def one_of(chance: Random, given: Sequence[bytes]) -> bytes:
    """One of some inputs, changed."""
    return changed_bytes(chance, chance.choice(given))
