"""Which value of an option holds for a task and where it came from; what a process is bound to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claude_pool.domain.claiming import pool_options
from claude_pool.domain.options import derived_session, launch_key, resolve
from claude_pool.domain.pool import Open
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Options, is_session_id

NOBODY = (None, None, None)


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "effort",
        "system_prompt",
        "permission_mode",
        "max_turns",
        "fallback_model",
        "timeout_ms",
        "working_dir",
    ],
)
def test_of_a_single_value_the_nearest_layer_wins(name: str) -> None:
    def layer(value: str) -> Options:
        return replace(Options(), **{name: value})  # type: ignore[arg-type]  # any value serves to tell layers apart

    nothing = Options()
    for task, slot, pool, expected in (
        (layer("t"), layer("s"), layer("p"), ("t", "task")),
        (nothing, layer("s"), layer("p"), ("s", "slot")),
        (nothing, nothing, layer("p"), ("p", "pool")),
    ):
        resolved = resolve(task, slot, pool)
        assert (getattr(resolved.options, name), resolved.sources[name]) == expected


def test_an_option_that_nobody_sets_has_no_source() -> None:
    resolved = resolve(Options(), Options(), Options())
    assert resolved.options == Options(permission_mode="plan")
    assert resolved.sources == {"permission_mode": "default"}


def test_an_empty_text_is_a_value() -> None:
    assert (
        resolve(Options(system_prompt=""), Options(), Options(system_prompt="p")).options.system_prompt == ""
    )


def test_allowed_tools_of_all_layers_are_joined_once_each_the_nearest_last() -> None:
    resolved = resolve(
        Options(allowed_tools=("Edit", "Read")),
        Options(allowed_tools=("Bash",)),
        Options(allowed_tools=("Read",)),
    )
    assert resolved.options.allowed_tools == ("Read", "Bash", "Edit")
    assert resolved.sources["allowed_tools"] == "task+slot+pool"


def test_a_prohibition_of_the_pool_holds_beside_the_tasks_own() -> None:
    resolved = resolve(
        Options(disallowed_tools=("Bash",)),
        Options(disallowed_tools=("Edit",)),
        Options(disallowed_tools=("Web",)),
    )
    assert resolved.options.disallowed_tools == ("Web", "Bash")
    assert resolved.sources["disallowed_tools"] == "task+pool"


def test_servers_are_merged_by_name_and_the_nearest_wins() -> None:
    resolved = resolve(
        Options(mcp_servers=(("b", "task"),)),
        Options(mcp_servers=(("a", "slot"),)),
        Options(mcp_servers=(("a", "pool"), ("b", "pool"), ("c", "pool"))),
    )
    assert resolved.options.mcp_servers == (("a", "slot"), ("b", "task"), ("c", "pool"))
    assert resolved.sources["mcp_servers"] == "task+slot+pool"


def test_tools_schema_and_budget_come_from_the_task_alone() -> None:
    mine = Options(tools=(), json_schema="{}", max_budget=5)
    other = Options(tools=("Read",), json_schema="[]", max_budget=9)
    resolved = resolve(mine, other, other)
    assert (resolved.options.tools, resolved.options.json_schema, resolved.options.max_budget) == (
        (),
        "{}",
        5,
    )
    assert {resolved.sources[name] for name in ("tools", "json_schema", "max_budget")} == {"task"}
    without = resolve(Options(), other, other)
    assert (without.options.tools, without.options.json_schema, without.options.max_budget) == (
        None,
        None,
        None,
    )
    assert not {"tools", "json_schema", "max_budget"} & set(without.sources)


def test_the_pools_layer_holds_its_directory_and_time_limit() -> None:
    at = Open(
        "pool-1", settings=Settings(working_dir="/project", task_timeout_ms=9, options=Options(model="m"))
    )
    assert pool_options(at) == Options(model="m", working_dir="/project", timeout_ms=9)


def test_what_the_pools_options_say_goes_before_its_settings() -> None:
    chosen = Options(working_dir="/other", timeout_ms=5)
    at = Open("pool-1", settings=Settings(working_dir="/project", task_timeout_ms=9, options=chosen))
    assert pool_options(at) == chosen


def test_a_directory_among_the_pools_options_leaves_its_time_limit_in_force() -> None:
    at = Open("pool-1", settings=Settings(task_timeout_ms=9, options=Options(working_dir="/other")))
    assert pool_options(at).timeout_ms == 9


@pytest.mark.parametrize(
    "changed",
    [
        Options(working_dir="/other"),
        Options(system_prompt="Be brief."),
        Options(allowed_tools=("Read",)),
        Options(disallowed_tools=("Read",)),
        Options(tools=()),
        Options(mcp_servers=(("a", "{}"),)),
        Options(json_schema="{}"),
        Options(max_turns=1),
        Options(fallback_model="m"),
    ],
)
def test_an_option_that_a_process_is_started_with_makes_another_key(changed: Options) -> None:
    assert launch_key(changed, NOBODY, "") != launch_key(Options(), NOBODY, "")


@pytest.mark.parametrize(
    "changed",
    [
        Options(model="m"),
        Options(effort="high"),
        Options(permission_mode="plan"),
        Options(timeout_ms=1),
        Options(max_budget=1),
    ],
)
def test_an_option_that_changes_in_process_leaves_the_key(changed: Options) -> None:
    assert launch_key(changed, NOBODY, "") == launch_key(Options(), NOBODY, "")


def test_identity_and_surroundings_belong_to_the_key() -> None:
    keys = {
        launch_key(Options(), NOBODY, ""),
        launch_key(Options(), ("Ada", None, None), ""),
        launch_key(Options(), (None, "Ada", None), ""),
        launch_key(Options(), NOBODY, "digest"),
    }
    assert len(keys) == 4


def test_a_text_that_is_no_unicode_has_a_key_too() -> None:
    assert len(launch_key(Options(system_prompt="\udcff"), NOBODY, "")) == 16


def test_a_derived_session_is_an_id_and_depends_on_every_part() -> None:
    session = derived_session("owner", "task-a.1")
    assert is_session_id(session)
    assert session == derived_session("owner", "task-a.1")
    assert len({session, derived_session("owner", "task-a.2"), derived_session("other", "task-a.1")}) == 3
    assert derived_session("a", "bc") != derived_session("ab", "c")


def test_a_task_that_bypasses_permissions_needs_a_process_of_its_own() -> None:
    careful = launch_key(Options(permission_mode="acceptEdits"), (None,), "")
    bypassing = launch_key(Options(permission_mode="bypassPermissions"), (None,), "")

    assert careful == launch_key(Options(permission_mode="plan"), (None,), "")
    assert careful != bypassing
