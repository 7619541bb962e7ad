"""The shell's verbs with the real owner and slots of the fake CLI: what only the two together can show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import COMMAND, Shell, a_shell
from tests.support.stand_in import PATIENCE, gone, until


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with a_shell(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The same for many tests, where what was asked before makes no difference."""
    with a_shell(tmp_path_factory.mktemp("used")) as made:
        yield made


def test_each_option_of_a_task_is_told_with_its_source(used: Shell) -> None:
    used.run("run", "hello", "-m", "haiku", "-p", "acceptEdits", "-s", "be brief", "--allowed-tools", "Read")
    task_id = used.json("tasks")["tasks"][0]["task_id"]

    options = used.json("task", task_id, "--explain")["options"]

    assert options["model"] == {"value": "haiku", "source": "task"}
    assert options["permission_mode"] == {"value": "acceptEdits", "source": "task"}
    assert options["allowed_tools"] == {"value": ["Read"], "source": "task"}
    assert options["working_dir"]["source"] == "pool"
    assert "model = haiku  (task)" in used.run("task", task_id, "--explain")
    assert "task-aaaaaaaaaaaaaaaa" in used.run("task", "task-aaaaaaaaaaaaaaaa", "--explain", code=2)


def test_an_embedded_owner_ends_with_its_command(shell: Shell) -> None:
    assert shell.run("run", "hello", "--embedded").startswith("echo: hello")

    assert gone(int((shell.state / "owner.lock").read_text()))
    assert shell.json("status")["completed_tasks"] == 1


def test_an_embedded_owner_does_not_outlive_a_command_that_is_killed(shell: Shell) -> None:
    command = subprocess.Popen(
        [str(COMMAND), "run", "hello", "--embedded", "--state-dir", "state"],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    lock = shell.folder / "state" / "owner.lock"
    try:
        until(lambda: lock.exists() and lock.read_text().strip(), "the owner")
    finally:
        os.kill(command.pid, signal.SIGKILL)
        command.wait(PATIENCE)

    until(lambda: gone(int(lock.read_text())), "the end of the owner")


def test_an_embedded_owner_gives_way_to_one_that_is_at_work(used: Shell) -> None:
    used.run("submit", "hello")

    assert "[store_in_use] " in used.run("run", "hello", "--embedded", code=3)


def test_a_budget_is_set_asked_about_and_reset_and_each_change_says_what_was_before(shell: Shell) -> None:
    shell.run("run", "hello", "--soft-budget-usd", "0.0001")
    assert shell.run("budget", "set", "2.5", "--soft", "2") == (
        "pool: limit none -> $2.500000, soft limit $0.000100 -> $2.000000\n"
    )
    assert (
        shell.run("budget", "set", "none", "--day")
        == "day: limit none (as before), soft limit none (as before)\n"
    )
    assert shell.run("budget", "set", "--soft", "0.0001", "--tag", "night") == (
        "tag:night: limit none (as before), soft limit none -> $0.000100\n"
    )
    shell.run("budget", "set", "--soft", "0.000001")
    (question,) = shell.json("questions")
    assert (question["kind"], question["scope"]) == ("soft_limit", "pool")
    shell.run("submit", "more")
    assert shell.run("answer", question["question_id"], "continue", "--amount", "1") == "pool answered\n"
    spent = shell.json("budget")["spent_microdollars"]
    assert shell.run("budget", "reset").startswith(f"pool: spent $0.{spent:06} -> $0.000000\n")
    for words in (["nan"], ["1:30"], [], ["1", "--day", "--tag", "x"], ["0"]):
        assert "[invalid_argument] " in shell.run("budget", "set", *words, code=2)
    shell.run("stop")
    assert [line.split()[0] for line in shell.run("budget").splitlines()] == [
        "SCOPE",
        "pool",
        "day",
        "tag:night",
    ]


def test_who_waits_at_a_soft_limit_is_told_how_to_go_on(shell: Shell) -> None:
    shell.run("run", "hello", "--soft-budget-usd", "0.000001")
    (question,) = shell.json("questions")

    shell.run("submit", "more")

    said = shell.run("wait", "--timeout", "1", code=124)

    assert said.count(f"claude-pool answer {question['question_id']} continue|stop") == 1


def test_wrong_options_are_a_usage_error_wherever_they_are_found(used: Shell) -> None:
    for words in (["run", "hello", "-n", "99"], ["run", "hello", "-n", "99", "--embedded"]):
        assert "[invalid_argument] slots (flag --slots): 99 slots are not between 1 and 16" in used.run(
            *words, code=2
        )
    served = used.raw("serve", "-n", "99")
    assert (served.returncode, served.stdout) == (2, "")


def test_prices_of_ones_own_are_charged_and_wrong_ones_stop_the_pool_before_it_starts(shell: Shell) -> None:
    others = "output = 1\ncache_read = 1\ncache_write_5m = 1\ncache_write_1h = 1"
    row = f"[models.claude-opus-5-5]\ninput = {{}}\n{others}"
    file = shell.folder / "mine.toml"
    file.write_text(row.format("nan"))
    said = shell.run("run", "hello", "-m", "opus", "--prices", "mine.toml", code=2)
    assert f"[invalid_argument] prices: {file}: models.claude-opus-5-5.input: NaN is not a price" in said
    file.write_text(row.format(1_000))
    view = shell.json("run", "hello", "-m", "opus", "--prices", "mine.toml")
    assert view["cost_microdollars"] == 100 * 1_000 + 20


def test_a_log_can_be_read_while_the_owner_writes_it(used: Shell) -> None:
    used.run("run", "hello")

    names = [json.loads(line)["name"] for line in used.run("replay", "--json").splitlines()]

    assert names[0] == "pool.opened"
    assert "task.completed" in names
    assert used.run("replay", "--check") == "the log is whole, and every fold of it agrees\n"
