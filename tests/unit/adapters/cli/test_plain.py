"""A plain look at a pool imports no parser of flags, and nothing that only an owner works with."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pytest
from claude_pool.adapters.cli.plain import VERBS, plain_call

from tests.unit.adapters.cli.test_help import HEAVY

_NOT_READ_WITH = (*(name for name in HEAVY if name not in ("msgspec", "sqlite3")),
                  "claude_pool.adapters.cli.app", "claude_pool.adapters.service")  # fmt: skip
_MAIN = (
    "import sys\nfrom claude_pool.adapters.cli.main import main\ntry:\n    sys.exit(main())\nfinally:\n"
    f"    sys.stderr.write(','.join(m for m in {_NOT_READ_WITH!r} if m in sys.modules))"
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a log in it."""
    from claude_pool.adapters.places import Places, prepare
    from claude_pool.adapters.store.registry import default_codec
    from claude_pool.adapters.store.sqlite import SqliteEventLog

    at = str(tmp_path / "state")
    places = Places(at, at + "/socket", at, at)
    prepare(places)
    SqliteEventLog.open(Path(places.log), default_codec()).close()
    return tmp_path / "state"


def look(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _MAIN, "--state-dir", str(state), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(state)},
    )


@pytest.mark.parametrize("words", [("status", "--json"), ("why", "pool"), ("replay",), ("tasks",)])
def test_a_look_imports_only_what_it_reads_with(state: Path, words: tuple[str, ...]) -> None:
    asked = look(state, *words)

    assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("task", "task-1"), ("why", "nothing")])
def test_a_look_says_the_same_as_the_whole_command_line(state: Path, words: tuple[str, ...]) -> None:
    plain, whole = look(state, *words), look(state, *words, "--state-dir", str(state))

    assert "claude_pool.adapters.cli.app" not in plain.stderr
    assert "claude_pool.adapters.cli.app" in whole.stderr
    assert (plain.returncode, plain.stdout) == (whole.returncode, whole.stdout)


@pytest.mark.parametrize(
    "words",
    [(), ("run", "work"), ("status", "--help"), ("status", "more"), ("why",), ("why", "a", "b"),
     ("why", "--tree", "a"), ("tasks", "--limit", "3"), ("replay", "--check")],
)  # fmt: skip
def test_everything_else_is_read_by_the_parser(words: tuple[str, ...]) -> None:
    assert plain_call(words, {}) is None


def test_a_flag_of_another_name_is_read_by_the_parser() -> None:
    assert plain_call(["status"], {"state_dirs": "/nowhere"}) is None
    assert plain_call(["status"], {"state_dir": "/nowhere"}) is not None


@pytest.mark.parametrize("verb", VERBS)
def test_a_plain_verb_needs_as_many_arguments_as_its_function(verb: str) -> None:
    module, takes = VERBS[verb]
    function = getattr(import_module(f"claude_pool.adapters.cli.{module}"), verb)
    _shell, *parameters = signature(function).parameters.values()

    assert [each.default is Parameter.empty for each in parameters] == sorted(
        (index < takes for index in range(len(parameters))), reverse=True
    )
