"""Many commands of `claude-pool` one after another in one process: what they print, not how they start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_EACH = """
import json, sys
from claude_pool.adapters.cli.main import main
for words in json.loads(sys.argv.pop(1)):
    sys.argv[1:] = words
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    sys.stdout.write(f"\\0{code or 0}\\0")
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: str
    output: str


def run_each(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], folder: Path
) -> dict[tuple[str, ...], Ended]:
    """How each of the commands ended, by its words."""
    ran = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps(commands)],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    *parts, rest = ran.stdout.split("\0")
    assert rest == "" and len(parts) == 2 * len(commands), ran.stdout
    ends = [Ended(code, output) for output, code in zip(parts[::2], parts[1::2], strict=True)]
    return dict(zip(map(tuple, commands), ends, strict=True))
