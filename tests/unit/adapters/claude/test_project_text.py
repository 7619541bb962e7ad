"""The instructions of a repository, as they are handed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from claude_pool.adapters.claude.project_text import TEXT_LIMIT, imports, project_text


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository with a folder `sub` in it, and a file of its own beside it."""
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / "sub").mkdir()
    (tmp_path / "outside.md").write_text("OUTSIDE")
    return root


def told(directory: Path) -> str:
    """What slots in `directory` are told; empty where it is nothing."""
    return project_text(str(directory)) or ""


def test_a_repository_without_instructions_tells_nothing(repository: Path) -> None:
    assert project_text(str(repository)) is None


def test_a_directory_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    assert project_text(str(tmp_path / "absent")) is None


def test_the_instructions_come_with_their_path(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("\ufeffBe kind.\n")
    assert told(repository) == (f"Contents of {repository / 'CLAUDE.md'} (project instructions):\n\nBe kind.")


def test_the_instructions_of_all_folders_come_from_the_root_down(repository: Path) -> None:
    (repository / "sub" / "CLAUDE.md").write_text("SECOND")
    (repository / ".claude").mkdir()
    (repository / ".claude" / "CLAUDE.md").write_text("FIRST")
    (repository / "sub" / "CLAUDE.local.md").write_text("THIRD")
    text = told(repository / "sub")
    assert text.index("FIRST") < text.index("SECOND") < text.index("THIRD")


def test_the_folders_above_and_beside_the_repository_say_nothing(repository: Path) -> None:
    (repository.parent / "CLAUDE.md").write_text("ABOVE")
    (repository / "sub" / "CLAUDE.md").write_text("BELOW")
    assert told(repository) == ""


def test_a_linked_work_tree_is_a_repository_of_its_own(repository: Path) -> None:
    tree = repository / "tree"
    tree.mkdir()
    (tree / ".git").write_text("gitdir: ../.git/worktrees/tree\n")
    (repository / "CLAUDE.md").write_text("MAIN")
    (tree / "CLAUDE.md").write_text("LINKED")
    assert "LINKED" in told(tree) and "MAIN" not in told(tree)


def test_outside_of_a_repository_only_the_directory_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "CLAUDE.md").write_text("ABOVE")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "CLAUDE.md").write_text("HERE")
    assert "HERE" in told(tmp_path / "here") and "ABOVE" not in told(tmp_path / "here")


# ---------------------------------------------------------------------------- imports


def test_imports_inside_the_repository_come_first_and_once(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("See @docs/rules.md and @docs/rules.md and @./docs/more.md. TOP")
    (repository / "docs").mkdir()
    (repository / "docs" / "rules.md").write_text("RULES @more.md")
    (repository / "docs" / "more.md").write_text("MORE")
    text = told(repository)
    assert text.count("RULES") == text.count("MORE") == 1
    assert text.index("MORE") < text.index("RULES") < text.index("TOP")


def test_imports_that_go_in_circles_end(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("A @b.md")
    (repository / "b.md").write_text("B @CLAUDE.md")
    assert told(repository).count("Contents of") == 2


def test_imports_end_at_a_depth(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("@1.md")
    for number in range(1, 10):
        (repository / f"{number}.md").write_text(f"LEVEL{number} @{number + 1}.md")
    assert "LEVEL5" in told(repository) and "LEVEL6" not in told(repository)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("@a.md and @b/c.md", ("a.md", "b/c.md")),
        (r"@a\ b.md", ("a b.md",)),
        ("mail x@y.z `@code` (@p)", ()),
        ("```\n@fenced\n```\n@after", ("after",)),
        ("@/etc/passwd @~/secret", ()),
        ("@../up.md", ("../up.md",)),
    ],
)
def test_what_counts_as_an_import(content: str, found: tuple[str, ...]) -> None:
    assert imports(content) == found


@pytest.mark.parametrize("path", ["../outside.md", "sub/../../outside.md", ".git/config", "absent.md"])
def test_an_import_that_leads_out_is_left_alone(repository: Path, path: str) -> None:
    (repository / ".git" / "config").write_text("OUTSIDE")
    (repository / "CLAUDE.md").write_text(f"@{path} INSIDE")
    assert "INSIDE" in told(repository) and "OUTSIDE" not in told(repository)


# ---------------------------------------------------------------------------- hostile files


@pytest.mark.parametrize("name", ["CLAUDE.md", "import.md"])
def test_a_link_that_leads_out_is_not_followed(repository: Path, name: str) -> None:
    (repository / name).symlink_to(repository.parent / "outside.md")
    if name != "CLAUDE.md":
        (repository / "CLAUDE.md").write_text(f"@{name}")
    assert "OUTSIDE" not in told(repository)


def test_a_folder_link_that_leads_out_is_not_followed(repository: Path) -> None:
    (repository / "docs").symlink_to(repository.parent)
    (repository / "CLAUDE.md").write_text("@docs/outside.md INSIDE")
    assert "OUTSIDE" not in told(repository)


def test_a_link_inside_the_repository_is_followed(repository: Path) -> None:
    (repository / "AGENTS.md").write_text("BOTH NAMES")
    (repository / "CLAUDE.md").symlink_to("AGENTS.md")
    assert "BOTH NAMES" in told(repository)


def test_a_link_to_itself_is_nothing(repository: Path) -> None:
    (repository / "CLAUDE.md").symlink_to("CLAUDE.md")
    assert told(repository) == ""


def test_a_pipe_does_not_hang_the_reader(repository: Path) -> None:
    os.mkfifo(repository / "CLAUDE.md")
    assert told(repository) == ""


def test_a_directory_of_that_name_is_nothing(repository: Path) -> None:
    (repository / "CLAUDE.md").mkdir()
    assert told(repository) == ""


def test_a_file_over_the_limit_is_left_out(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("x" * (TEXT_LIMIT + 1))
    (repository / "CLAUDE.local.md").write_text("SMALL")
    assert "SMALL" in told(repository) and "xxx" not in told(repository)


def test_the_whole_text_stays_within_the_limit(repository: Path) -> None:
    (repository / "CLAUDE.md").write_text("@1.md @2.md @3.md")
    for number in range(1, 4):
        (repository / f"{number}.md").write_text(f"PART{number}" + "x" * 30_000)
    text = told(repository)
    assert len(text.encode()) <= TEXT_LIMIT + 1_000
    assert "PART2" in text and "PART3" not in text


def test_bytes_that_are_no_text_do_not_stop_it(repository: Path) -> None:
    (repository / "CLAUDE.md").write_bytes(b"a\xffb\x00c")
    assert "a\N{REPLACEMENT CHARACTER}b" in told(repository)
