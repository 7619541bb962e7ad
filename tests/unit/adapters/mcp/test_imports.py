"""The protocol SDK takes a second to import, so only what serves connections may import it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["application", "handover", "relay", "places", "requests", "mcp.toolsets"])
def test_what_relays_and_the_shell_use_does_not_import_the_sdk(module: str) -> None:
    code = (
        f"import sys, claude_pool.adapters.{module}; print(sorted({{'mcp', 'mcp_types'}} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
