"""Which value of an option holds, where it came from, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from claude_pool.adapters.config.layers import Files, Layers, combine, user_file
from claude_pool.domain.errors import InvalidArgument


class Bench:
    """A home with a user's file, a project with its file, and a way to combine them."""

    def __init__(self, tmp_path: Path) -> None:
        self.base = tmp_path / "here"
        self.home = tmp_path / "home"
        self.user = tmp_path / "user" / "config.toml"
        self.project = tmp_path / "project" / "claude-pool.toml"
        for folder in (self.base, self.home, self.user.parent, self.project.parent):
            folder.mkdir()

    def combine(self, flags: dict[str, object] | None = None, **environ: str) -> Layers:
        files = Files(str(self.user), str(self.project))
        return combine(flags or {}, {"HOME": str(self.home), **environ}, files, str(self.base))

    def refused(self, flags: dict[str, object] | None = None, **environ: str) -> str:
        with pytest.raises(InvalidArgument) as refusal:
            self.combine(flags, **environ)
        return refusal.value.message


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_layer_gives_way_to_the_one_above_it(bench: Bench) -> None:
    seen = [bench.combine().values["model"]]
    bench.project.write_text('[pool]\nmodel = "project"\n')
    seen.append(bench.combine().values["model"])
    bench.user.write_text('[pool]\nmodel = "user"\n')
    seen.append(bench.combine().values["model"])
    seen.append(bench.combine(CLAUDE_POOL_MODEL="variable").values["model"])
    seen.append(bench.combine({"model": "flag"}, CLAUDE_POOL_MODEL="variable").values["model"])

    assert seen == [None, "project", "user", "variable", "flag"]


def test_every_value_remembers_where_it_came_from(bench: Bench) -> None:
    bench.project.write_text("[pool]\nmax_slots = 5\n")
    bench.user.write_text("[pool]\nmin_slots = 2\n")
    layers = bench.combine({"slots": "3"}, CLAUDE_POOL_EFFORT="high")

    assert [layers.sources[name] for name in ("slots", "effort", "min_slots", "max_slots", "session")] == [
        "flag --slots",
        "environment CLAUDE_POOL_EFFORT",
        f"user file {bench.user}",
        f"project file {bench.project}",
        "default",
    ]


def test_explicit_is_what_flags_and_variables_set(bench: Bench) -> None:
    bench.user.write_text("[pool]\nmin_slots = 2\n")

    layers = bench.combine({"slots": "3", "model": None}, CLAUDE_POOL_SLOTS="4", CLAUDE_POOL_BUDGET_USD="5")

    assert layers.explicit == {"slots": 3, "budget_usd": 5.0}


def test_an_empty_variable_sets_nothing(bench: Bench) -> None:
    assert bench.combine(CLAUDE_POOL_SLOTS="").explicit == {}


@pytest.mark.parametrize(
    ("flag", "raw", "value"),
    [
        ("slots", " 4 ", 4),
        ("budget_usd", "2.5", 2.5),
        ("task_timeout", 90, 90.0),
        ("worktree", "yes", True),
        ("worktree", "off", False),
        ("permission_mode", "ACCEPTEDITS", "acceptEdits"),
        ("effort", "min", "low"),
        ("allowed_tools", "Read, Bash(git log, git diff),", ("Read", "Bash(git log, git diff)")),
        ("disable_skill", ["a", "b"], ("a", "b")),
        ("mcp_config", ' {"mcpServers": {}}', '{"mcpServers": {}}'),
    ],
)
def test_a_value_is_read_by_its_kind(bench: Bench, flag: str, raw: object, value: object) -> None:
    assert bench.combine({flag: raw}).values[flag] == value


def test_relative_paths_count_from_where_they_were_written(bench: Bench) -> None:
    bench.user.write_text('[pool]\nskills_dir = "../skills"\nclaude = "~/bin/claude"\n')
    layers = bench.combine({"state_dir": "state"}, CLAUDE_POOL_WORKING_DIR="work")

    assert [layers.values[name] for name in ("state_dir", "working_dir", "skills_dir", "claude")] == [
        str(bench.base / "state"),
        str(bench.base / "work"),
        str(bench.user.parent.parent / "skills"),
        str(bench.home / "bin" / "claude"),
    ]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"CLAUDE_POOL_SLOTS": "abc"},
            "CLAUDE_POOL_SLOTS: 'abc' is not a whole number of slots",
        ),
        (
            {"CLAUDE_POOL_SLOTS": "2.5"},
            "CLAUDE_POOL_SLOTS: '2.5' is not a whole number of slots",
        ),
        (
            {"CLAUDE_POOL_SLOTS": "9" * 5000},
            "'999999999999999999999999999999999999999… is not a whole number",
        ),
        (
            {"CLAUDE_POOL_BUDGET_USD": "NaN"},
            "CLAUDE_POOL_BUDGET_USD: 'NaN' is not dollars from",
        ),
        (
            {"CLAUDE_POOL_BUDGET_USD": "1e999"},
            "CLAUDE_POOL_BUDGET_USD: '1e999' is not dollars",
        ),
        ({"CLAUDE_POOL_WORKTREE": "maybe"}, "CLAUDE_POOL_WORKTREE: 'maybe' is neither true nor false"),
        ({"CLAUDE_POOL_SLTOS": "2"}, "no such variable; did you mean 'CLAUDE_POOL_SLOTS'?"),
        ({"CLAUDE_POOL_PERMISSION_MODE": "acceptEdit"}, "did you mean 'acceptEdits'?"),
    ],
)
def test_a_wrong_variable_is_named(bench: Bench, environ: dict[str, str], message: str) -> None:
    assert message in bench.refused({}, **environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pool]\nslotz = 2\n", " [pool] slotz: unknown key; did you mean 'slots'?"),
        ("[pools]\nslots = 2\n", ": unknown table or key 'pools'"),
        ("slots = 2\n", ": unknown table or key 'slots'"),
        ("pool = 2\n", ": pool is not a table"),
        ("[pool]\nslots = true\n", " [pool] slots: True is not a whole number"),
        ("[pool]\nslots = 2.0\n", " [pool] slots: 2.0 is not a whole number"),
        ("[pool]\nbudget_usd = nan\n", " [pool] budget_usd: nan is not dollars from 0.000001 to 1000000"),
        ("[pool]\nworktree = 1\n", " [pool] worktree: 1 is neither true nor false"),
        ('[pool]\nallowed_tools = ["Read", 1]\n', " [pool] allowed_tools: 1 is not a text"),
        ("[pool]\nskills_dir = ''\n", " [pool] skills_dir: is empty"),
        ('[pool]\nmodel = "\\u0000"\n', " [pool] model: holds a NUL character"),
        ("[pool\n", ": is not valid TOML"),
        ("[pool]\na = " + "[" * 100_000, ": is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(bench: Bench, text: str, message: str) -> None:
    bench.user.write_text(text)

    assert f"{bench.user}{message}" in bench.refused()


def test_a_file_that_is_no_text_is_refused(bench: Bench) -> None:
    bench.user.write_bytes(b"\xff\xfe")

    assert "is not valid TOML" in bench.refused()


def test_a_pipe_in_place_of_a_file_is_refused_rather_than_waited_for(bench: Bench) -> None:
    os.mkfifo(bench.project)

    assert "is not a regular file" in bench.refused()


@pytest.mark.parametrize(
    "line",
    [
        'claude = "bin/claude"',
        "trust_project = true",
        'state_dir = "state"',
        'pass_env = ["AWS_SECRET_ACCESS_KEY"]',
        'mcp_config = "servers.json"',
        'prices = "prices.toml"',
        'allow_project_keys = ["claude"]',
        'permission_mode = "bypassPermissions"',
        'permission_mode = "auto"',
        'working_dir = "/"',
        'skills_dir = "../elsewhere"',
    ],
)
def test_a_projects_file_may_not_raise_its_own_rights_unless_the_user_says_so(
    bench: Bench, line: str
) -> None:
    name = line.split(" ", maxsplit=1)[0]
    bench.project.write_text(f"[pool]\n{line}\n")

    refusal = bench.refused()
    assert f"{bench.project} [pool] {name}: a" in refusal
    assert f'allow it with allow_project_keys = ["{name}"]' in refusal
    bench.user.write_text(f'[pool]\nallow_project_keys = ["{name}"]\n')
    assert bench.combine().sources[name] in (f"project file {bench.project}", f"user file {bench.user}")
    bench.user.unlink()
    assert name in bench.combine({"allow_project_keys": name}).values


def test_a_link_in_the_project_does_not_lead_a_path_out_of_it(bench: Bench) -> None:
    (bench.project.parent / "skills").symlink_to(bench.home)
    bench.project.write_text('[pool]\nskills_dir = "skills"\n')

    assert "may not lead out of the project" in bench.refused()


@pytest.mark.parametrize("mode", ["plan", "default", "dontAsk", "acceptEdits"])
def test_a_projects_file_may_choose_a_careful_mode(bench: Bench, mode: str) -> None:
    bench.project.write_text(f'[pool]\npermission_mode = "{mode}"\n')

    assert bench.combine().values["permission_mode"] == mode


def test_only_known_keys_can_be_allowed(bench: Bench) -> None:
    assert "unknown key 'claud'; did you mean 'claude'?" in bench.refused({"allow_project_keys": "claud"})


def test_the_users_file_lies_in_the_configuration_folder() -> None:
    assert user_file({"HOME": "/h"}) == "/h/.config/claude-pool/config.toml"
    assert user_file({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == "/x/claude-pool/config.toml"
    assert user_file({"HOME": "/h", "XDG_CONFIG_HOME": "x"}) == "/h/.config/claude-pool/config.toml"
