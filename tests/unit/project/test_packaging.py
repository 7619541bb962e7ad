"""What is shipped is what is there."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def packages_on_disk() -> set[str]:
    """Every folder of the two layers that holds Python code, by its import name."""
    found: set[str] = set()
    for layer in ("domain", "adapters"):
        for path in (ROOT / layer).rglob("__init__.py"):
            found.add(".".join(("claude_pool", *path.parent.relative_to(ROOT).parts)))
    return found


def test_every_package_of_the_layers_is_declared() -> None:
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert set(document["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_the_wheel_holds_every_module_and_all_that_is_read_at_run_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=110)

    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())

    wanted = {
        f"claude_pool/{path.relative_to(ROOT)}"
        for layer in ("domain", "adapters")
        for path in (ROOT / layer).rglob("*.py")
    }
    wanted |= {
        f"claude_pool/{path.relative_to(ROOT)}"
        for path in (ROOT / "adapters" / "skills" / "builtin").rglob("*.*")
    }
    wanted |= {"claude_pool/adapters/claude/prices.toml", "claude_pool/adapters/cli/route_cases.json"}
    assert wanted <= names
    assert not any(name.startswith(("domain/", "adapters/")) for name in names)
