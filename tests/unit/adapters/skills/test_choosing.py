"""Which folders of skills follow from a pool's options."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.config.model import resolve
from claude_pool.adapters.skills.choosing import library_of
from claude_pool.adapters.skills.library import Library
from claude_pool.domain.skills import Source


class Bench:
    """A project and a home with a skill each, and one more folder of skills."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.environ = {"HOME": str(folder / "home"), "PATH": "/bin", "SECRET": "s"}
        self.more = folder / "more"
        for skills, name in (
            (self.work / ".claude-pool" / "skills", "mine"),
            (folder / "home" / ".claude-pool" / "skills", "own"),
            (self.more, "extra"),
        ):
            path = skills / name / "SKILL.md"
            path.parent.mkdir(parents=True)
            path.write_text("---\ndescription: d\n---\n!`pwd`")

    def library(self, **flags: object) -> Library:
        effective = resolve({"state_dir": str(self.work / "st"), **flags}, self.environ, str(self.work))
        library = library_of(effective, self.environ)
        library.refresh()
        return library


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_all_sources_are_there_unless_something_is_said(bench: Bench) -> None:
    library = bench.library()

    assert {each.source for each in library.all().values()} == {
        Source.BUILTIN, Source.GLOBAL, Source.PROJECT,
    }  # fmt: skip
    assert {"mine", "own", "refactor"} <= set(library.all())
    assert set(library.workflows()) == {"issue_to_pr", "refactor_and_test", "review_and_fix"}


@pytest.mark.parametrize(
    ("flags", "gone"),
    [
        ({"no_builtins": True}, "refactor"),
        ({"no_project_skills": True}, "mine"),
        ({"no_global_skills": True}, "own"),
        ({"disable_skill": "own"}, "own"),
        ({"skills_dir": "../more"}, "mine"),
    ],
)
def test_each_option_leaves_out_what_it_says(bench: Bench, flags: dict[str, object], gone: str) -> None:
    left = set(bench.library(**flags).all())

    assert gone not in left
    assert len({"refactor", "mine", "own"} & left) == 2


def test_a_chosen_folder_holds_and_is_written_to(bench: Bench) -> None:
    library = bench.library(skills_dir="../more")

    assert library.get("extra").source is Source.PROJECT
    assert library.save("own", None)[0] == str(bench.more / "own" / "SKILL.md")


def test_commands_run_only_where_that_was_said(bench: Bench) -> None:
    assert not bench.library().runs_commands(bench.library().get("mine"))
    allowed = bench.library(allow_skill_commands=True)
    assert [allowed.runs_commands(allowed.get(name)) for name in ("mine", "own", "refactor")] == [
        True, True, False,
    ]  # fmt: skip
