"""`claude-pool skills`: the files as they are, or what a running owner knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stand_in import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / ".claude-pool" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_skills_are_listed_without_an_owner(bench: Bench) -> None:
    write(bench.work, "skills/mine/SKILL.md", "---\ndescription: Mine.\narguments: [a]\n---\nDo {a}.")
    write(bench.folder / "home", "skills/own/SKILL.md", "---\ndescription: Own.\n---\nDo.")

    listed = bench.run("skills", "list")
    project = bench.run("skills", "list", "--source", "project", "--json")

    assert listed.stdout.splitlines()[0].split() == ["SKILL", "SOURCE", "SCOPE", "ARGUMENTS", "DESCRIPTION"]
    assert {"mine", "own", "refactor"} <= {line.split()[0] for line in listed.stdout.splitlines()}
    assert [each["name"] for each in json.loads(project.stdout)["skills"]] == ["mine"]
    assert bench.pids() == []


def test_a_running_owner_is_asked(bench: Bench) -> None:
    row: dict[str, Any] = {
        "name": "added",
        "source": "runtime",
        "scope": "task",
        "arguments": [],
        "description": "d",
    }
    whole: dict[str, Any] = {**row, "prompt": "Do it.", "config": {}}
    bench.script(
        results={
            "pool_skill_list": [{"skills": [row], "problems": ["x/SKILL.md:3: is not YAML"]}],
            "pool_skill_get": [whole],
        }
    )
    assert bench.run("context", "set", "k", "v").returncode == 0  # an owner is started

    listed = bench.run("skills", "list", "--scope", "task")
    shown = bench.run("skills", "show", "added")

    assert listed.stdout.splitlines()[1].split() == ["added", "runtime", "task", "d"]
    assert listed.stderr == "x/SKILL.md:3: is not YAML\n"
    assert shown.stdout.endswith("\nDo it.\n")
    assert ("pool_skill_list", {"scope": "task"}) in bench.calls()


def test_a_skill_is_shown_with_its_prompt(bench: Bench) -> None:
    shown = bench.run("skills", "show", "code_review")
    missing = bench.run("skills", "show", "code_reviw")

    assert "\nReview {target}." in shown.stdout
    assert (missing.returncode, missing.stderr[:65]) == (
        2,
        "[not_found] There is no skill 'code_reviw'. Did you mean 'code_re",
    )


def test_sound_files_pass_the_check(bench: Bench) -> None:
    checked = bench.run("skills", "check")

    assert (checked.returncode, checked.stdout) == (0, "15 skills and 3 workflows can be used\n")


def test_every_bad_file_is_told_by_the_check(bench: Bench) -> None:
    bad = write(bench.work, "skills/bad/SKILL.md", "---\nname: bad\nname: bad\n---\nx")
    flow = write(
        bench.work, "workflows/flow.yaml", "description: d\nsteps:\n  - name: a\n    skill: refacto\n"
    )

    checked = bench.run("skills", "check")
    as_json = json.loads(bench.run("skills", "check", "--json").stdout)

    assert checked.returncode == 5
    assert checked.stdout == (
        f"{bad}:3: has the key 'name' twice, first in line 2\n"
        f"{flow}: step a needs the skill 'refacto'; did you mean 'refactor'?\n"
        "15 skills and 4 workflows can be used\n"
    )
    assert [each["line"] for each in as_json["problems"]] == [3, 0]


def test_a_warning_does_not_fail_the_check(bench: Bench) -> None:
    path = write(bench.work, "skills/odd/SKILL.md", "---\ndescription: d\nlicens: MIT\n---\nx")

    checked = bench.run("skills", "check")

    assert checked.returncode == 0
    assert checked.stdout.splitlines()[0] == (
        f"{path}:3: has an unknown key 'licens'; did you mean 'license'? (warning)"
    )


def test_a_projects_file_may_not_let_skills_run_commands(bench: Bench) -> None:
    (bench.work / "claude-pool.toml").write_text("[pool]\nallow_skill_commands = true\n")

    refused = bench.run("skills", "check")

    assert refused.returncode == 2
    assert "a project's file may not set this" in refused.stderr


def test_sources_can_be_left_out(bench: Bench) -> None:
    write(bench.work, "skills/mine/SKILL.md", "---\ndescription: Mine.\n---\nDo.")
    bench.environ |= {"CLAUDE_POOL_NO_BUILTINS": "1", "CLAUDE_POOL_DISABLE_SKILL": "mine"}

    checked = bench.run("skills", "check")

    assert checked.stdout == "0 skills and 0 workflows can be used\n"
