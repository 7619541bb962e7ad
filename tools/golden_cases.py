#!/usr/bin/env python3
"""Records the cases under tests/golden/cases: short lives of a pool with the fake CLI, which later versions
play again. Names on the command line record only these. A case that is there stays, unless it is removed:
a change of behaviour that is wanted is a reason to record it anew.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from claude_pool.adapters.cases.archive import write_case  # noqa: E402  # the root is on the path only now

from tests.support.recorded_runs import SCENES, record  # noqa: E402

KEPT = ROOT / "tests" / "golden" / "cases"


def main(names: list[str]) -> int:
    """Record what is missing."""
    KEPT.mkdir(exist_ok=True)
    for name in names or SCENES:
        path = KEPT / f"{name}.zip"
        if not path.exists():
            with tempfile.TemporaryDirectory() as folder:
                size = write_case(record(SCENES[name], Path(folder)), str(path))
            print(f"{name}: {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
