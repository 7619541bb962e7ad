"""The scripted API as the real CLI sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from claude_pool.adapters.demo.directives import Usage
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api

from tests.support.cli_process import CliProcess, running_cli
from tests.support.real_cli import bundled_cli, cli_environment, network_namespace

pytestmark = pytest.mark.real

FLAGS = ("--model=haiku", "--permission-mode=bypassPermissions", "--setting-sources=", "--strict-mcp-config")


@pytest.fixture(name="api")
def _api() -> Generator[ScriptedApi]:
    with running_api() as api:
        yield api


@contextmanager
def running(folder: Path, api: ScriptedApi) -> Generator[CliProcess]:
    environment = cli_environment(folder, api.url)
    environment |= {"CLAUDE_CODE_MAX_RETRIES": "0", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"}
    with running_cli(bundled_cli(), environment, folder, FLAGS) as cli:
        yield cli


@pytest.fixture(name="cli")
def _cli(tmp_path: Path, api: ScriptedApi) -> Generator[CliProcess]:
    """A process of its own, whose calls are all that the API has."""
    with running(tmp_path, api) as cli:
        yield cli


@pytest.fixture(scope="module", name="one_for_all")
def _one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Generator[CliProcess]:
    with running_api() as api, running(tmp_path_factory.mktemp("warm"), api) as cli:
        yield cli


@pytest.fixture(name="warm")
def _warm(one_for_all: CliProcess) -> CliProcess:
    """A process that other tests used before, in a new conversation."""
    one_for_all.begin_again()
    return one_for_all


def test_a_plain_prompt_is_echoed(warm: CliProcess) -> None:
    result = warm.ask("hello world")
    assert (result["result"], result["is_error"]) == ("echo: hello world", False)


def test_a_tool_call_runs_and_its_result_comes_back(warm: CliProcess) -> None:
    result = warm.ask('[[tool: Bash {"command":"echo from-bash"}]] [[result]]')
    assert (result["result"], result["num_turns"]) == ("from-bash", 2)


def test_two_tools_of_one_message_both_run(warm: CliProcess) -> None:
    warm.ask('[[tool: Bash {"command":"echo one"}]] [[with: Bash {"command":"echo two"}]]')
    results = [line["message"]["content"][0]["content"] for line in warm.of_type("user")]
    assert sorted(results) == ["one", "two"]


def test_an_http_error_ends_the_turn_with_its_status(cli: CliProcess, api: ScriptedApi) -> None:
    result = cli.ask("[[status: 529]]")
    assert (result["api_error_status"], result["is_error"], len(api.calls)) == (529, True, 1)


def test_the_usage_that_the_cli_reports_is_the_usage_served(cli: CliProcess, api: ScriptedApi) -> None:
    result = cli.ask("[[usage: input=1000 output=200 cache_read=50 cache_write=30 cache_write_1h=70]] hi")
    usage = result["model_usage_since_last_result"]["claude-haiku-5-5"]
    assert api.usage_by_model() == {"claude-haiku-5-5": Usage(1000, 200, 50, 30, 70)}
    assert (usage["inputTokens"], usage["outputTokens"], usage["cacheReadInputTokens"]) == (1000, 200, 50)
    assert usage["cacheCreationEphemeral5mInputTokens"] == 30
    assert usage["cacheCreationEphemeral1hInputTokens"] == 70


def test_an_interrupted_stream_is_recorded_with_what_was_served_until_then(
    cli: CliProcess, api: ScriptedApi
) -> None:
    cli.prompt("[[usage: input=500 output=400]] [[slow: 1ms x 4]] [[reply: abcd]] [[stall after: 2]]")
    cli.until_piece()
    cli.until_piece()
    cli.control("interrupt")
    cli.until_type("result")
    assert api.wait_until_closed(1).end == "aborted"
    assert api.calls[0].served == Usage(500, 200)


def test_earlier_prompts_are_recalled_until_a_clear(warm: CliProcess) -> None:
    warm.ask("one")
    assert warm.ask("[[recall]]")["result"] == '["one"]'
    warm.ask("/clear")
    assert warm.ask("[[recall]]")["result"] == "[]"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("[[stop: max_tokens]] first [[then]] [[reply: second]]", "second"),
        ("[[refuse]] first [[then]] [[reply: second]]", "second"),
        ("[[empty]] [[then]] [[reply: second]]", "second"),
    ],
)
def test_what_the_cli_asks_by_itself_is_answered_by_the_next_step(
    warm: CliProcess, prompt: str, said: str
) -> None:
    assert warm.ask(prompt)["result"] == said


@pytest.mark.parametrize(
    "fault", ["[[cut after: 2]]", "[[error after: 2]]", "[[html]]", "[[status: 400 credit]]"]
)
def test_a_broken_answer_ends_the_turn_as_an_error(warm: CliProcess, fault: str) -> None:
    result = warm.ask(f"{fault} one two three")
    assert (result["is_error"], result["terminal_reason"]) == (True, "api_error")


def test_a_fault_for_one_time_is_over_at_the_next_request(warm: CliProcess) -> None:
    assert warm.ask("[[cut after: 1]] [[times: 1]] [[reply: whole again]]")["result"] == "whole again"


_ALONE = """
import socket, subprocess, sys
from pathlib import Path
from claude_pool.adapters.demo.scripted_api import running_api
from tests.support.real_cli import bundled_cli, cli_environment
folder = Path(sys.argv[1])
with running_api() as api:
    command = [bundled_cli(), "-p", "hello", "--model=haiku", "--bare"]
    environment = cli_environment(folder, api.url)
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=30)
    print(done.stdout.decode())
try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(not network_namespace(), reason="this machine lets nobody have a network of their own")
def test_the_cli_is_content_with_a_network_that_has_only_loopback(tmp_path: Path) -> None:
    words = (*network_namespace(), sys.executable, "-c", _ALONE, str(tmp_path))
    root = Path(__file__).parents[4]
    done = subprocess.run(words, cwd=root, capture_output=True, timeout=60, check=True, text=True)
    assert done.stdout.split("\n") == ["echo: hello", "", "Network is unreachable", ""]


def test_the_environment_refuses_an_api_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only talk to this machine"):
        cli_environment(tmp_path, "https://api.anthropic.com")
