"""Real git repositories, in a world where nothing of the machine's own configuration counts."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from claude_pool.adapters.git.workplaces import GitWorkplaces


@dataclass(frozen=True)
class Repository:
    """A repository of a test's own, and a home for the user it belongs to."""

    path: Path
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        """What its user's commands see."""
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "GIT_CONFIG_SYSTEM": "/dev/null"}

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a git command of the user prints; it must succeed."""
        command = ["git", "-c", "user.name=user", "-c", "user.email=user@example.org", *arguments]
        ran = subprocess.run(
            command, cwd=cwd or self.path, env=self.environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def commit(self, name: str, content: str, cwd: Path | None = None) -> str:
        """Write a file and commit everything; the new commit."""
        write((cwd or self.path) / name, content)
        self.git("add", "-A", cwd=cwd)
        self.git("commit", "-q", "-m", f"Write {name}", cwd=cwd)
        return self.git("rev-parse", "HEAD", cwd=cwd)

    def show(self, ref: str, name: str) -> str:
        """The content of a file as a ref has it."""
        return self.git("show", f"{ref}:{name}")

    def files(self, ref: str) -> list[str]:
        """The names of all files of a ref."""
        return self.git("ls-tree", "-r", "--name-only", ref).splitlines()

    def branches(self) -> list[str]:
        """The names of the pool's branches."""
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads/claude-pool").splitlines()

    def workplaces(self, root: Path) -> GitWorkplaces:
        """The workplaces of a pool that this user runs, in the folder `root`."""
        return GitWorkplaces(str(root), self.environ)


def write(path: Path, content: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def repository(folder: Path, name: str = "project", *, bare: bool = False, empty: bool = False) -> Repository:
    """A repository in `folder/name` on branch `main`; with one commit of `a.txt`, unless `empty`."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    made = Repository(folder / name, home)
    made.path.mkdir(exist_ok=True)
    made.git("init", "-q", "-b", "main", *(["--bare"] if bare else []))
    if not empty and not bare:
        made.commit("a.txt", "one\n")
    return made
