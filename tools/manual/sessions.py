"""Sessions in the documents: run for real, and held against what stands there.

A session is a block of `console` behind `<!-- session: NAME -->`. Lines with `$ ` are commands, `> ` goes on
with one; what follows is what it prints. All sessions of a page are one shell: variables and files stay. What
differs from run to run (ids, times, sizes, paths) is written as `…`, and any text fits there.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial
from pathlib import Path

BLOCK = re.compile(r"(<!-- session: ([\w-]+) -->\n```console\n)(.*?)(```)", re.DOTALL)
END = "==end of command=="
VARIES = (
    (re.compile(r"\b(task|chain|msg|question)-[a-z2-7]{16}\b"), r"\1-…"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: UTC|Z)?"), "…"),
    (re.compile(r"^ *\d+(?= +…)", re.MULTILINE), "…"),
    (re.compile(r"(?<= )\d+(?= +accepted| +attempt| +completed)|\b\d+(?= events\b)"), "…"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "…"),
    (re.compile(r"\bslot-\d\b"), "slot-…"),
    (re.compile(r"(?<![\w.$])\d+(?:\.\d+)? ?(?:ms|s|MB|MiB|KB|kB)\b"), "…"),
    (re.compile(r"[0-9a-f]{12,64}"), "…"),
    (re.compile(r"(?:/tmp|/var|/home)/[\w./-]+"), "…"),
)
"""What is another in every run, and how it is written."""
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Command:
    """What is typed, and what stands below it."""

    typed: str
    printed: str


def commands(text: str) -> list[Command]:
    """The commands of one session."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1][0].append(line[2:])
        elif found:
            found[-1][1].append(line)
    return [Command("\n".join(typed), "\n".join(printed)) for typed, printed in found]


def plain(text: str) -> str:
    """What is printed, with what differs from run to run as `…`."""
    for pattern, instead in VARIES:
        text = pattern.sub(partial(_instead, instead), text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _instead(short: str, found: re.Match[str]) -> str:
    """What stands for `found`, as wide as it where a column follows."""
    told = found.expand(short)
    return told.ljust(len(found[0])) if found.string[found.end() : found.end() + 2] == "  " else told


def fits(wanted: str, printed: str) -> bool:
    """Whether what was printed is what stands there, up to a `…` in each line."""
    one, two = wanted.splitlines(), plain(printed).splitlines()
    return len(one) == len(two) and all(
        re.fullmatch(".*".join(map(re.escape, _even(line).split("…"))), _even(other)) is not None
        for line, other in zip(one, two, strict=True)
    )


def _even(line: str) -> str:
    """The line, however wide its columns are."""
    return re.sub(r"\s+", " ", line)


def run(page: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What the commands of all sessions of a page print, one after another in one shell in `folder`.

    Raises:
        subprocess.TimeoutExpired: they took longer than two minutes.
    """
    typed = [command.typed for block in BLOCK.finditer(page) for command in commands(block[3])]
    script = "".join(f"{each}\nprintf '%s\\n' '{END}'\n" for each in typed)
    # a file, not a pipe: nobody waits for what the commands leave running
    with (folder / ".session").open("w+", encoding="utf-8") as said:
        subprocess.run(
            ["bash", "-c", script],
            cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        said.seek(0)
        return said.read().split(f"{END}\n")[: len(typed)]


def drift(page: str, printed: list[str]) -> list[str]:
    """The differences between what stands on a page and what was printed, as a diff a command."""
    said = iter(printed)
    found: list[str] = []
    for block in BLOCK.finditer(page):
        for command in commands(block[3]):
            now = next(said, "")
            if not fits(command.printed, now):
                lines = unified_diff(
                    command.printed.splitlines(), plain(now).splitlines(), "the page", "printed", lineterm=""
                )
                found += [f"{block[2]}: $ {command.typed}", *lines]
    return found


def refreshed(page: str, printed: list[str]) -> str:
    """The page with what was printed; what still fits stays as it stands."""
    said = iter(printed)

    def block(match: re.Match[str]) -> str:
        return match[1] + "".join(_lines(match[3], said)) + match[4]

    return BLOCK.sub(block, page)


def _lines(text: str, said: Iterator[str]) -> Iterator[str]:
    for command in commands(text):
        now = next(said, "")
        first, *more = command.typed.splitlines()
        yield f"$ {first}\n"
        yield from (f"> {line}\n" for line in more)
        shown = command.printed if fits(command.printed, now) else plain(now)
        if shown:
            yield f"{shown}\n"
