"""A repository and a pool's workplaces in it, for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.git.workplaces import GitWorkplaces

from tests.support.real_git import Repository, repository


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """A repository on branch `main` with the file `a.txt`."""
    return repository(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the workplaces; nobody has made it yet."""
    return tmp_path / "state" / "worktrees"


@pytest.fixture
def places(source: Repository, root: Path) -> GitWorkplaces:
    """The workplaces of a pool."""
    return source.workplaces(root)
