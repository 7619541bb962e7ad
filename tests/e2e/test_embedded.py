"""`serve --embedded`: an owner whose life is its standard input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.commands import COMMAND, a_shell
from tests.support.past import until_state
from tests.support.waiting import until_sync


def line(number: int, method: str, params: dict[str, Any]) -> str:
    """One request."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def test_an_embedded_owner_answers_on_its_standard_streams_and_ends_with_them(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        with subprocess.Popen(
            [str(COMMAND), "serve", "--embedded"],
            cwd=shell.folder, env=shell.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as owner:  # fmt: skip
            assert owner.stdin
            assert owner.stdout
            owner.stdin.write(line(1, "initialize", HELLO))
            owner.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
            owner.stdin.flush()
            assert json.loads(owner.stdout.readline())["id"] == 1
            call = {"name": "pool_run", "arguments": {"prompt": "[[reply: embedded]] hi"}}
            owner.stdin.write(line(2, "tools/call", call))
            owner.stdin.flush()
            answer = json.loads(owner.stdout.readline())
            assert answer["result"]["structuredContent"]["output"] == "embedded"

            owner.stdin.close()

            assert owner.wait(30) == 0
        assert "pool.owner_stopped" in shell.run("replay")


def test_work_that_an_embedded_owner_leaves_is_sealed(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        with subprocess.Popen(
            [str(COMMAND), "serve", "--embedded"],
            cwd=shell.folder, env=shell.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as owner:  # fmt: skip
            until_sync(lambda: bool(list(tmp_path.rglob("owner.address"))))
            task_id = shell.run("submit", "[[hang]] for ever").strip()
            until_state(shell, task_id, "running")
            assert owner.stdin

            owner.stdin.close()

            assert owner.wait(30) == 0
        assert shell.json("task", task_id)["state"] == "sealed"
