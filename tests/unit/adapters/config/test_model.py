"""Whole configurations: found, checked, handed on as JSON, and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from claude_pool.adapters.config.credentials import credentials, digests
from claude_pool.adapters.config.layers import Files
from claude_pool.adapters.config.model import Effective, PoolOptions, resolve, resolve_files
from claude_pool.adapters.config.options import OPTIONS
from claude_pool.adapters.config.settings import differences, pool_depth, settle
from claude_pool.domain.errors import InvalidArgument


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "GIT_CEILING_DIRECTORIES": str(tmp_path), **more}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_the_model_has_exactly_the_options_and_defaults_of_the_table() -> None:
    assert {option.name: option.default for option in OPTIONS} == PoolOptions().model_dump()


def test_the_files_of_the_user_and_of_the_project_are_found(tmp_path: Path, project: Path) -> None:
    (tmp_path / "home/.config/claude-pool").mkdir(parents=True)
    (tmp_path / "home/.config/claude-pool/config.toml").write_text("[pool]\nslots = 3\n")
    (project / "claude-pool.toml").write_text("[pool]\nslots = 4\nmax_slots = 8\n")

    found = resolve({}, environment(tmp_path), str(project))

    assert (found.options.slots, found.options.max_slots) == (3, 8)
    assert found.sources["max_slots"] == f"project file {project}/claude-pool.toml"
    assert found.places.project_dir == str(project)


def test_working_dir_and_state_dir_say_whose_pool_it_is(tmp_path: Path, project: Path) -> None:
    (tmp_path / "aside").mkdir()
    flags: dict[str, object] = {"working_dir": "../project", "state_dir": "here"}

    found = settle(flags, environment(tmp_path), str(tmp_path / "aside"))

    assert found.places.project_dir == str(project)
    assert found.places.state_dir == str(tmp_path / "aside" / "here")


def test_a_projects_file_moves_the_state_only_where_that_is_allowed(tmp_path: Path, project: Path) -> None:
    (project / "claude-pool.toml").write_text('[pool]\nstate_dir = "mine"\n')
    with pytest.raises(InvalidArgument, match="may not set this"):
        settle({}, environment(tmp_path), str(project))

    found = settle({"allow_project_keys": "state_dir"}, environment(tmp_path), str(project))

    assert found.places.state_dir == str(project / "mine")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"slots": "0"}, "--slots: '0' is not a whole number of slots from 1 to 1000"),
        ({"slots": "17"}, "slots (flag --slots): 17 slots are not between 1 and 16"),
        ({"slots": "5", "max_slots": "4"}, "slots (flag --slots): 5 slots are not between 1 and 4"),
        ({"min_slots": "5", "max_slots": "4"}, "min_slots 5 is above max_slots 4"),
        (
            {"max_slots": "1000000"},
            "--max-slots: '1000000' is not a whole number of slots from 1 to 1000",
        ),
        ({"budget_usd": "-1"}, "--budget-usd: '-1' is not dollars from 0.000001 to 1000000"),
        (
            {"budget_usd": "1e300"},
            "--budget-usd: '1e300' is not dollars from 0.000001 to 1000000",
        ),
        (
            {"budget_usd": "1", "soft_budget_usd": "1.5"},
            "soft_budget_usd (flag --soft-budget-usd): 1.5 is above budget_usd, 1",
        ),
        (
            {"task_budget_usd": "0"},
            "--task-budget-usd: '0' is not dollars from 0.000001 to 1000000",
        ),
        ({"task_timeout": "-5"}, "--task-timeout: '-5' is not seconds from 0.001 to 2592000"),
        ({"idle_exit": "-1"}, "--idle-exit: '-1' is not 0 or seconds from 0.001 to 31622400"),
        ({"model": ""}, "model (flag --model): String should have at least 1 character"),
        ({"pass_env": "A=B"}, "pass_env (flag --pass-env): String should match pattern"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_place_it_came_from(
    tmp_path: Path, project: Path, flags: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        resolve(flags, environment(tmp_path), str(project))

    assert message in refusal.value.message


def test_the_default_number_of_slots_keeps_within_narrower_bounds(tmp_path: Path, project: Path) -> None:
    environ = environment(tmp_path)

    assert resolve({"max_slots": "1"}, environ, str(project)).options.slots == 1
    assert resolve({"min_slots": "3"}, environ, str(project)).options.slots == 3


def test_money_and_time_come_as_whole_microdollars_and_milliseconds() -> None:
    options = PoolOptions(budget_usd=0.1, task_budget_usd=2.675, task_timeout=0.5)

    assert (options.budget, options.task_budget, options.task_timeout_ms) == (100_000, 2_675_000, 500)
    assert (PoolOptions().budget, PoolOptions().task_budget, PoolOptions().task_timeout_ms) == (
        None,
        None,
        None,
    )


def test_settings_survive_the_way_to_the_owner(tmp_path: Path, project: Path) -> None:
    flags: dict[str, object] = {"allowed_tools": "Read,Grep", "slots": "4"}
    environ = environment(tmp_path, ANTHROPIC_API_KEY="k")
    settings = settle(flags, environ, str(project))

    received = Effective.from_document(json.loads(json.dumps(settings.document())))

    assert received.options == resolve(flags, environ, str(project)).options
    assert received.options.allowed_tools == ("Read", "Grep")
    assert (received.places, received.environment) == (settings.places, settings.environment)
    assert Effective.from_document(json.loads(json.dumps(received.document()))) == received


def test_an_incomplete_document_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="settings: incomplete"):
        Effective.from_document({"places": {}})


def test_given_files_are_taken_in_place_of_those_found(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[pool]\nslots = 7\n")

    options, sources = resolve_files(
        {}, {"HOME": "/h"}, Files(user=str(tmp_path / "one.toml")), str(tmp_path)
    )

    assert (options.slots, sources["slots"]) == (7, f"user file {tmp_path}/one.toml")


def test_no_secret_stands_in_the_settings(tmp_path: Path, project: Path) -> None:
    environ = environment(tmp_path, ANTHROPIC_API_KEY="hunter2", AWS_SECRET_ACCESS_KEY="hunter2")

    document = json.dumps(settle({}, environ, str(project)).document())

    assert "hunter2" not in document
    assert "ANTHROPIC_API_KEY" in document


def test_digests_tell_values_apart_by_name() -> None:
    one, other = digests({"ANTHROPIC_API_KEY": "a", "HOME": "a"}), digests({"ANTHROPIC_API_KEY": "b"})

    assert one["ANTHROPIC_API_KEY"] != other["ANTHROPIC_API_KEY"]
    assert one["ANTHROPIC_API_KEY"] != one["HOME"]
    assert all(len(digest) == 16 for digest in one.values())


def test_only_variables_of_the_account_and_provider_count() -> None:
    environ = {
        "HOME": "/h",
        "PATH": "/bin",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDECODE": "1",
        "AWS_REGION": "x",
    }

    assert sorted(credentials(environ)) == ["AWS_REGION", "CLAUDE_CODE_OAUTH_TOKEN", "HOME"]


def test_differences_name_options_and_variables(tmp_path: Path, project: Path) -> None:
    owner = resolve({"allowed_tools": "Read"}, environment(tmp_path, ANTHROPIC_API_KEY="a"), str(project))
    options = owner.options.model_dump(mode="json")

    def ask(flags: dict[str, object], **environ: str) -> list[str]:
        caller = settle(flags, environment(tmp_path, **environ), str(project))
        explicit = json.loads(json.dumps(caller.layers.explicit))
        return differences(options, owner.environment, explicit, caller.environment)

    assert ask({}, ANTHROPIC_API_KEY="a") == []
    assert ask({"slots": "2", "allowed_tools": "Read", "idle_exit": "60"}, ANTHROPIC_API_KEY="a") == []
    assert ask({"slots": "3", "model": "x"}, ANTHROPIC_API_KEY="a") == ["model", "slots"]
    assert ask({}, ANTHROPIC_API_KEY="b") == ["ANTHROPIC_API_KEY"]
    assert ask({}) == ["ANTHROPIC_API_KEY"]
    assert ask({}, ANTHROPIC_API_KEY="a", AWS_REGION="x") == ["AWS_REGION"]


def test_a_caller_that_sends_no_digests_is_not_compared_by_environment() -> None:
    assert differences({}, {"HOME": "x"}, {}, {}) == []


def test_places_and_the_way_of_starting_are_not_differences() -> None:
    explicit = {"state_dir": "/a", "working_dir": "/b", "embedded": True, "allow_project_keys": ["claude"]}

    assert differences(PoolOptions().model_dump(mode="json"), {}, explicit, {}) == []


@pytest.mark.parametrize(
    ("mark", "depth"), [(None, 0), ("0", 0), ("1", 1), (" 2 ", 2), ("x", 1), ("-1", 1), ("", 1)]
)
def test_a_mark_of_a_slot_that_is_no_number_counts_as_one(mark: str | None, depth: int) -> None:
    assert pool_depth({} if mark is None else {"CLAUDE_POOL_DEPTH": mark}) == depth
