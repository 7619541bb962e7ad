"""The environment of a slot."""

from __future__ import annotations

import pytest
from claude_pool.adapters.claude.environment import SlotEnvironment, slot_environment
from hypothesis import given
from hypothesis import strategies as st

_SLOT = SlotEnvironment("pool.slot-0.1", "/run/cp/0-1", depth=2)


def made(environ: dict[str, str], slot: SlotEnvironment = _SLOT) -> dict[str, str]:
    """The slot's environment for a caller with `environ`."""
    return slot_environment(environ, slot)


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "USER", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM"),
        *("HTTPS_PROXY", "no_proxy", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"),
        *("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR"),
        *("IS_SANDBOX", "DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"),
    ],
)
def test_what_a_slot_needs_is_handed_on(name: str) -> None:
    assert made({name: "x"})[name] == "x"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "CLAUDECODE",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_CODE_MESSAGING_SOCKET",
            "CLAUDE_CODE_MESSAGING_TOKEN",
        ),
        *("CLAUDE_PROJECT_DIR", "CLAUDE_PID", "CLAUDE_EFFORT", "AI_AGENT", "MCP_TIMEOUT", "MCP_CONNECTION"),
        *("PGPASSWORD", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("LD_PRELOAD", "NODE_OPTIONS", "PYTHONPATH", "BASH_ENV", "SSH_AUTH_SOCK", "PWD"),
    ],
)
def test_what_a_slot_does_not_need_is_kept_back(name: str) -> None:
    assert name not in made({name: "x"})


def test_cloud_credentials_go_where_that_cloud_is_used() -> None:
    environ = {"AWS_REGION": "eu", "GOOGLE_APPLICATION_CREDENTIALS": "f", "CLAUDE_CODE_USE_BEDROCK": "1"}
    slot = made(environ)
    assert slot["AWS_REGION"] == "eu" and "GOOGLE_APPLICATION_CREDENTIALS" not in slot
    slot = made({**environ, "CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_USE_VERTEX": "true"})
    assert "AWS_REGION" not in slot and slot["GOOGLE_APPLICATION_CREDENTIALS"] == "f"


def test_the_user_may_hand_on_more_by_name() -> None:
    slot = SlotEnvironment("c", "/run/x", pass_env=("GITHUB_TOKEN", "ABSENT"))
    assert made({"GITHUB_TOKEN": "t"}, slot)["GITHUB_TOKEN"] == "t"
    assert "ABSENT" not in made({"GITHUB_TOKEN": "t"}, slot)


def test_every_slot_has_a_place_of_its_own_and_the_pools_rules() -> None:
    slot = made({"TMPDIR": "/tmp/shared", "XDG_RUNTIME_DIR": "/run/user/0", "CLAUDE_CODE_MAX_RETRIES": "10"})
    assert slot == {
        "CLAUDE_POOL_COOKIE": "pool.slot-0.1",
        "CLAUDE_POOL_DEPTH": "2",
        "TMPDIR": "/run/cp/0-1",
        "XDG_RUNTIME_DIR": "/run/cp/0-1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "120000",
        "API_TIMEOUT_MS": "305000",
    }


@pytest.mark.parametrize(
    ("silence_ms", "stall", "request_"),
    [(1, "10000", "5001"), (60_000, "24000", "65000"), (3_600_000, "120000", "3605000")],
)
def test_the_patience_of_the_cli_follows_the_pools(silence_ms: int, stall: str, request_: str) -> None:
    slot = made({}, SlotEnvironment("c", "/run/x", silence_ms=silence_ms))
    assert slot["CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS"] == stall
    assert slot["API_TIMEOUT_MS"] == request_


@given(st.dictionaries(st.text(min_size=1), st.text()), st.lists(st.text()))
def test_nothing_is_invented(environ: dict[str, str], passed: list[str]) -> None:
    ours = made({})
    slot = made(environ, SlotEnvironment(_SLOT.cookie, _SLOT.private_dir, 2, tuple(passed)))
    assert {name: slot[name] for name in ours} == ours
    assert all(slot[name] == environ[name] for name in slot.keys() - ours.keys())


@pytest.mark.parametrize(("depth", "most", "told"), [(1, 1, None), (1, 3, "3"), (2, 2, None), (2, 3, "3")])
def test_a_slot_that_may_have_a_pool_is_told_how_far_they_may_go(
    depth: int, most: int, told: str | None
) -> None:
    slot = made({}, SlotEnvironment("c", "/run/x", depth, max_depth=most))
    assert (slot["CLAUDE_POOL_DEPTH"], slot.get("CLAUDE_POOL_MAX_DEPTH")) == (str(depth), told)
