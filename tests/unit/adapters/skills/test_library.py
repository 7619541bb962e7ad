"""Where skills come from, which of them holds, and what becomes of bad files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from claude_pool.adapters.skills.library import Folders, Library, RenderedSkill
from claude_pool.domain.errors import InvalidArgument, NotFound, WrongState
from claude_pool.domain.skills import Skill, SkillArgument, Source
from claude_pool.domain.values import Options

BUILTIN = {
    "code_review", "implement", "write_tests", "refactor", "summarize", "pre_push", "create_pr",
    "rebase_onto_main", "issue_triage", "plan_then_execute", "pool_dashboard", "chain_watcher",
    "loop_monitor", "issue_watcher", "chain_implement_issue",
}  # fmt: skip


class Bench:
    """A project and a home, each with a folder of skills."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.project = self.root / ".claude-pool" / "skills"
        self.home = folder / "home" / ".claude-pool" / "skills"
        for each in (self.project, self.home):
            each.mkdir(parents=True)

    def library(
        self, builtin: bool = False, disabled: tuple[str, ...] = (), commands: bool = False
    ) -> Library:
        folders = Folders(builtin, str(self.home), str(self.project), None, str(self.root), (str(self.home),))
        library = Library(folders, disabled, {"PATH": os.environ["PATH"]} if commands else None)
        library.refresh()
        return library

    def write(self, where: Path, name: str, prompt: str, matter: str = "") -> Path:
        path = where / name / "SKILL.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"---\nname: {name}\ndescription: Says {name}.\n{matter}---\n\n{prompt}\n")
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def rendered(library: Library, name: str, for_chain: bool = False, **arguments: str) -> RenderedSkill:
    return asyncio.run(library.render(name, arguments, for_chain))


# ---------------------------------------------------------------------- sources


def test_the_built_in_skills_are_there_and_without_fault() -> None:
    library = Library()
    library.refresh()

    assert set(library.all()) == BUILTIN
    assert library.problems == ()


def test_each_source_gives_way_to_the_one_above_it(bench: Bench) -> None:
    seen: list[tuple[str, list[str]]] = []

    def look(library: Library) -> None:
        seen.append((library.get("refactor").source, [str(each) for each in library.beneath("refactor")]))

    look(bench.library(builtin=True))
    bench.write(bench.home, "refactor", "global")
    look(bench.library(builtin=True))
    bench.write(bench.project, "refactor", "project")
    library = bench.library(builtin=True)
    look(library)
    library.add(Skill("refactor", "d", "runtime"))
    look(library)

    assert seen == [
        ("builtin", []),
        ("global", ["builtin"]),
        ("project", ["builtin", "global"]),
        ("runtime", ["builtin", "global", "project"]),
    ]


def test_a_disabled_skill_is_left_out_whatever_its_source(bench: Bench) -> None:
    bench.write(bench.project, "mine", "x")

    library = bench.library(builtin=True, disabled=("mine", "refactor", "refacto"))

    assert set(library.all()) == BUILTIN - {"refactor"}
    assert [str(each) for each in library.problems] == [
        "disable_skill: there is no skill 'refacto'; did you mean 'refactor'?"
    ]


def test_skills_are_found_by_scope_and_source(bench: Bench) -> None:
    bench.write(bench.project, "mine", "x", "metadata:\n  scope: chain\n")
    library = bench.library(builtin=True)

    assert [each.skill.name for each in library.listed("chain", "project")] == ["mine"]
    assert {each.source for each in library.listed(source="builtin")} == {Source.BUILTIN}


@pytest.mark.parametrize(("scope", "source"), [("tasks", None), (None, "globl"), ("", None)])
def test_an_unknown_filter_is_refused(bench: Bench, scope: str | None, source: str | None) -> None:
    with pytest.raises(InvalidArgument, match="there is no"):
        bench.library().listed(scope, source)


def test_an_unknown_skill_is_refused_with_a_suggestion(bench: Bench) -> None:
    with pytest.raises(NotFound, match=r"'refacto'\. Did you mean 'refactor'\?"):
        bench.library(builtin=True).get("refacto")


@pytest.mark.parametrize("name", ["../x", "-x", "a/b", "@", "x" * 200, "", "\0", "é"])
def test_what_cannot_be_a_name_is_not_found(bench: Bench, name: str) -> None:
    with pytest.raises(NotFound):
        bench.library().get(name)


# ---------------------------------------------------------------------- files


def test_a_bad_file_is_told_of_and_the_others_are_read(bench: Bench) -> None:
    bench.write(bench.project, "good", "x")
    bad = bench.write(bench.project, "bad", "x", "metadata: 1\n")

    library = bench.library()

    assert list(library.all()) == ["good"]
    assert [str(each) for each in library.problems] == [f"{bad}:4: metadata should be a mapping (key: value)"]


def test_a_json_skill_is_told_how_to_be_written_now(bench: Bench) -> None:
    (bench.project / "old.json").write_text("{}")

    (problem,) = bench.library().problems

    assert problem.problem.startswith("is a skill in JSON, which is not supported; write old/SKILL.md")


def outside(bench: Bench, kind: str) -> Path:
    """Something that is no regular file in the place of a skill's."""
    folder = bench.project / "odd"
    path = folder / "SKILL.md"
    secret = bench.write(bench.root, "odd", "secret")
    if kind == "linked folder":
        folder.symlink_to(secret.parent)
        return folder
    folder.mkdir()
    match kind:
        case "link":
            path.symlink_to(secret)
        case "dangling link":
            path.symlink_to(bench.root / "nowhere")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "large":
            path.write_bytes(b"---\n" + b"x" * 10_000_000)
        case "binary":
            path.write_bytes(b"---\nname: odd\n\xff\n---\nx")
        case _:
            pass
    return folder / "SKILL.md"


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("link", ": is a symbolic link; put the file itself there"),
        ("dangling link", ": is a symbolic link; put the file itself there"),
        ("linked folder", ": is a symbolic link; put the folder itself there"),
        ("folder", ": is not a regular file"),
        ("pipe", ": is not a regular file"),
        ("large", ": has more than 256 KB"),
        ("binary", ":3: is not UTF-8 text"),
        ("missing", ": No such file or directory"),
    ],
)
def test_only_small_regular_files_are_read(bench: Bench, kind: str, problem: str) -> None:
    path = outside(bench, kind)
    at = path / "SKILL.md" if kind == "linked folder" else path

    library = bench.library()

    assert [str(each) for each in library.problems] == [f"{at}{problem}"]
    assert library.all() == {}


def test_other_entries_are_no_skills(bench: Bench) -> None:
    (bench.project / "README.md").write_text("x")
    (bench.project / ".git").mkdir()

    assert (bench.library().all(), bench.library().problems) == ({}, ())


def test_two_files_of_one_name_are_told_of(bench: Bench) -> None:
    first = bench.write(bench.project, "a", "x")
    second = bench.write(bench.project, "b", "y")
    second.write_text(first.read_text())

    library = bench.library()

    assert library.get("a").directory == str(first.parent)
    assert str(library.problems[-1]) == f"{second}: is named a like the skill in {first.parent}"


@pytest.mark.parametrize(
    ("matter", "problem"),
    [
        ("permission_mode: bypassPermissions", "a project skill may go up to acceptEdits"),
        ("permission_mode: auto", "a project skill may go up to acceptEdits"),
        ("mcp_servers: {a: {command: x}}", "sets mcp_servers, which a project's skill may not"),
    ],
)
def test_a_project_is_not_trusted_with_more_than_its_own_file_is(
    bench: Bench, matter: str, problem: str
) -> None:
    bench.write(bench.project, "x", "x", f"metadata:\n  config:\n    {matter}\n")

    library = bench.library()

    assert library.all() == {}
    assert problem in library.problems[0].problem


def test_what_changes_on_disk_holds_at_the_next_use(bench: Bench) -> None:
    library = bench.library()
    seen: list[object] = [library.version]

    bench.write(bench.project, "x", "one")
    seen.append(rendered(library, "x").prompt)
    bench.write(bench.project, "x", "two!")
    seen.append(rendered(library, "x").prompt)
    (bench.project / "x" / "SKILL.md").unlink()
    with pytest.raises(NotFound):
        rendered(library, "x")

    assert (seen, library.version) == ([1, "one", "two!"], 4)


def test_files_are_not_read_again_while_they_stay_as_they_are(bench: Bench) -> None:
    bench.write(bench.project, "x", "one")
    library = bench.library()

    assert [library.refresh(), library.refresh(), library.version] == [False, False, 1]


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    library = Library(Folders(False, str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "c")))

    assert (library.refresh(), library.all(), library.problems) == (True, {}, ())


# ---------------------------------------------------------------------- rendering


def test_a_rendered_skill_says_exactly_which_it_was(bench: Bench) -> None:
    bench.write(
        bench.project, "x", "Do {a}.", "metadata:\n  arguments: [{name: a}]\n  config: {model: haiku}\n"
    )
    library = bench.library()

    found = rendered(library, "x", a="it")

    assert (found.prompt, found.options) == ("Do it.", Options(model="haiku"))
    assert found.label == f"x@{library.get('x').digest[:16]}"


def test_a_value_attaches_no_file_and_runs_no_command(bench: Bench) -> None:
    bench.write(bench.project, "x", "{a}{b}", "metadata:\n  arguments: [{name: a}, {name: b}]\n")

    library = bench.library()

    assert rendered(library, "x", a="/clear @secret").prompt == " /clear \u200b@secret"
    assert rendered(library, "x", a="see @", b="secret").prompt == "see \u200b@secret"


def test_a_step_of_a_chain_keeps_the_placeholders_of_chains(bench: Bench) -> None:
    bench.write(bench.project, "x", "{a} {_previous_output}", "metadata:\n  arguments: [{name: a}]\n")

    found = rendered(bench.library(), "x", for_chain=True, a="{steps.plan.output}")

    assert found.prompt == "{steps.plan.output} {previous_output}"


def test_the_directory_of_a_skill_is_told(bench: Bench) -> None:
    path = bench.write(bench.project, "x", "Run ${CLAUDE_SKILL_DIR}/go")

    assert rendered(bench.library(), "x").prompt == f"Run {path.parent}/go"


def test_commands_stay_as_written_unless_they_are_allowed(bench: Bench) -> None:
    bench.write(bench.project, "x", "See !`touch canary`")

    assert rendered(bench.library(), "x").prompt == "See !`touch canary`"
    assert not (bench.root / "canary").exists()


def test_allowed_commands_run_in_the_project(bench: Bench) -> None:
    bench.write(bench.project, "x", "In !`basename $PWD`, @{_previous_output} !`echo @secret`")

    assert rendered(bench.library(commands=True), "x").prompt == "In project, @ \u200b@secret"


def test_commands_of_added_skills_never_run(bench: Bench) -> None:
    library = bench.library(commands=True)
    library.add(Skill("x", "d", "See !`touch canary`"))

    assert rendered(library, "x").prompt == "See !`touch canary`"
    assert not (bench.root / "canary").exists()


@pytest.mark.parametrize(
    "value",
    [
        '"; touch canary; "',
        "$(touch canary)",
        "`touch canary`",
        "!`touch canary`",
        "'; touch canary #",
        "\n touch canary",
    ],
)
@pytest.mark.parametrize(
    "command", ["echo $ARGUMENTS", 'echo "$ARGUMENT_A"', "echo {a}", "echo $0 $ARGUMENTS[0]"]
)
def test_no_argument_reaches_a_shell(bench: Bench, command: str, value: str) -> None:
    bench.write(bench.project, "x", f"!`{command}` {{a}}", "metadata:\n  arguments: [{name: a}]\n")

    prompt = rendered(bench.library(commands=True), "x", a=value).prompt

    assert prompt.endswith(value)
    assert not (bench.root / "canary").exists()


def test_a_placeholder_in_a_command_is_a_warning(bench: Bench) -> None:
    bench.write(bench.project, "x", "!`gh {a}`", "metadata:\n  arguments: [{name: a}]\n")

    (problem,) = bench.library().problems

    assert (problem.skipped, problem.problem) == (
        False, '{a} is not replaced in a command; write "$ARGUMENT_A"',
    )  # fmt: skip


# ---------------------------------------------------------------------- changing


def test_an_added_skill_is_checked_as_a_file_would_be(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="skill: it cannot be named"):
        bench.library().add(Skill("../x", "d", "p"))
    with pytest.raises(InvalidArgument, match="half of a character"):
        bench.library().add(Skill("x", "d", "p \ud800"))
    with pytest.raises(InvalidArgument, match="declares the argument a twice"):
        bench.library().add(Skill("x", "d", "p", (SkillArgument("a"), SkillArgument("a"))))


def test_a_removed_skill_uncovers_the_one_below(bench: Bench) -> None:
    bench.write(bench.project, "x", "project")
    library = bench.library()
    library.add(Skill("x", "d", "runtime"))

    first, below = library.remove("x")
    second, nothing = library.remove("x")

    assert (first.source, below and below.source) == (Source.RUNTIME, Source.PROJECT)
    assert (second.source, nothing) == (Source.PROJECT, None)
    assert (bench.project / "x" / "SKILL.md").exists()
    with pytest.raises(NotFound):
        library.remove("x")


def test_a_saved_skill_comes_back_with_every_field(bench: Bench) -> None:
    library = bench.library()
    skill = Skill(
        "x", "Does: x", "Do {a}.", (SkillArgument("a", "An a.", True, "integer"),),
        Options(model="haiku", allowed_tools=("Bash(a, b)", "Read")), "chain", "[a]",
    )  # fmt: skip
    library.add(skill)
    added = library.get("x")

    path, replaced = library.save("x", None)
    saved = bench.library().get("x")

    assert (path, replaced) == (str(bench.project / "x" / "SKILL.md"), False)
    assert (saved.skill, saved.digest, saved.source) == (skill, added.digest, Source.PROJECT)
    assert library.save("x", None) == (path, True)
    assert os.listdir(bench.project / "x") == ["SKILL.md"]


def test_an_ejected_skill_is_the_same_file_and_holds_instead(bench: Bench) -> None:
    library = bench.library(builtin=True)
    builtin = library.get("refactor")

    path = library.eject("refactor", None)
    library.refresh()

    assert Path(path).read_text() == builtin.text
    assert (library.get("refactor").source, library.get("refactor").digest) == ("project", builtin.digest)
    with pytest.raises(WrongState):
        library.eject("refactor", None)


def test_only_a_built_in_skill_can_be_ejected(bench: Bench) -> None:
    bench.write(bench.project, "x", "x")

    with pytest.raises(NotFound, match="built-in skill 'x'"):
        bench.library(builtin=True).eject("x", None)


def test_a_skill_is_saved_where_the_caller_says(bench: Bench) -> None:
    bench.write(bench.project, "x", "x")
    library = bench.library()

    assert library.save("x", "more/skills")[0] == str(bench.root / "more" / "skills" / "x" / "SKILL.md")
    assert library.save("x", str(bench.home))[0] == str(bench.home / "x" / "SKILL.md")


@pytest.mark.parametrize("folder", ["..", "../other", "/etc", "link", "a/../../b", "a\0b"])
def test_nothing_is_saved_outside_of_the_project(bench: Bench, folder: str) -> None:
    bench.write(bench.project, "x", "x")
    (bench.root / "link").symlink_to(bench.root.parent)

    with pytest.raises(InvalidArgument):
        bench.library().save("x", folder)


def test_saving_goes_through_no_link(bench: Bench) -> None:
    bench.write(bench.home, "x", "x")
    (bench.project / "x").symlink_to(bench.root)
    (bench.project / "y").mkdir()
    library = bench.library()

    with pytest.raises(InvalidArgument):
        library.save("x", None)
    assert not (bench.root / "SKILL.md").exists()


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_written_through(bench: Bench) -> None:
    bench.write(bench.home, "x", "x")
    precious = bench.root / "precious"
    precious.write_text("keep")
    (bench.project / "x").mkdir()
    (bench.project / "x" / "SKILL.md").symlink_to(precious)

    bench.library().save("x", None)

    assert precious.read_text() == "keep"
    assert not (bench.project / "x" / "SKILL.md").is_symlink()


def test_a_pool_without_a_folder_of_skills_saves_where_it_is_told() -> None:
    library = Library()
    library.refresh()

    with pytest.raises(InvalidArgument, match="this pool has no folder of skills"):
        library.save("refactor", None)
