"""The command line says what it can do, at once and without what only work needs."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.one_process import Ended, run_each

HEAVY = ("mcp", "pydantic", "eventsourcing", "msgspec", "rich", "asyncio", "sqlite3")
HEAVIER_THAN_TYPER = tuple(name for name in HEAVY if name != "pydantic")
"""Typer reads the parameters of a verb with pydantic; what lists the verbs does without."""

VERBS = (
    *("serve", "run", "submit", "wait", "cancel", "tasks", "task", "slots", "context", "status", "replay"),
    *("why", "cost", "forecast", "doctor", "demo", "drain", "stop", "resume", "approve", "reject", "send"),
    *("messages", "chain", "skills", "questions", "answer", "auto", "route", "budget", "report"),
    *("backup", "restore", "export", "import", "rerun", "fork"),
)

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "200"}

_REPORT = "import sys; sys.stderr.write(','.join(m for m in %r if m in sys.modules))\n"
_MAIN = "from claude_pool.adapters.cli.main import main\ntry:\n    main()\nfinally:\n    "


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=ENVIRON,
    )


def claude_pool(*arguments: str, heavy: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`claude-pool`; on standard error, which modules of `heavy` it imported."""
    return run(_MAIN + _REPORT % (heavy,), *arguments)


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], HEAVY),
        (["-h"], HEAVY),
        (["--version"], HEAVIER_THAN_TYPER),
        (["run", "--help"], HEAVIER_THAN_TYPER),
        (["serve", "--help"], HEAVIER_THAN_TYPER),
    ],
)
def test_help_imports_nothing_heavy(words: list[str], heavy: tuple[str, ...]) -> None:
    asked = claude_pool(*words, heavy=heavy)

    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout


def test_the_relay_imports_nothing_heavy() -> None:
    heavy = (*HEAVY, "typer", "subprocess", "dataclasses", "tomllib")
    asked = run("import claude_pool.adapters.cli.serve\n" + _REPORT % (heavy,))

    assert (asked.returncode, asked.stderr) == (0, "")


def test_every_verb_is_listed() -> None:
    listed = re.findall(r"^  ([a-z]+)  ", claude_pool("--help").stdout, re.MULTILINE)

    assert sorted(listed) == sorted(VERBS)


@pytest.fixture(scope="module")
def helped() -> dict[tuple[str, ...], Ended]:
    """What the help of every verb came to."""
    return run_each([(verb, "--help") for verb in VERBS], ENVIRON, Path("/"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(helped: dict[tuple[str, ...], Ended], verb: str) -> None:
    asked = helped[verb, "--help"]

    assert asked.code == "0"
    assert "Usage: " in asked.output


def test_the_flags_of_serve_are_all_listed() -> None:
    from claude_pool.adapters.config.options import OPTIONS

    text = claude_pool("serve", "--help").stdout

    for option in OPTIONS:
        assert option.flag in text
        assert option.short is None or f"{option.short}, " in text
    assert "--toolsets" in text


def test_help_takes_less_than_three_tenths_of_a_second_of_work() -> None:
    def work(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    asked = f"import sys; sys.argv[1:] = ['--help']\n{_MAIN}pass"
    tries = [(work(asked), work("pass")) for _ in range(4)]
    # beside others a processor takes longer for everything; a bare start tells by how much
    most = max(0.3, 10 * min(bare for _, bare in tries))
    assert min(of_help for of_help, _ in tries) < most
