"""Which permission questions are put to somebody, and what the CLI is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from claude_pool.adapters.claude.permissions import DENIED, OPEN_QUESTIONS, Permissions
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.claude.transcript import TranscriptFile
from claude_pool.adapters.claude.turn import Patience, RunningTurn
from claude_pool.domain.ports import Ask, Leave, Turn
from claude_pool.domain.values import Denial


class Desk:
    """Permissions with everything around them; who is asked thinks until a test decides."""

    def __init__(self, folder: Path, mode: str | None, asks: bool) -> None:
        turn = Turn("task-a.1", "s", "do", permission_mode=mode, asks=asks)
        transcript = TranscriptFile(folder / "t.jsonl", fresh=True)
        self.running = RunningTurn(
            turn, transcript, price_list(), Patience(1, 1, 1), lambda _attempt, _spent: None
        )
        self.answers: dict[str, Mapping[str, object]] = {}
        self.denials: list[Denial] = []
        self.asked: dict[str, asyncio.Future[Leave]] = {}
        self.whole: dict[str, Mapping[str, object]] = {}
        self.permissions = Permissions(
            self._respond,
            lambda _, denial: self.denials.append(denial),
            self._put,
            lambda name: self.whole.get(name),
        )

    def _respond(self, name: str, answer: Mapping[str, object]) -> None:
        self.answers[name] = answer

    async def _put(self, ask: Ask) -> Leave:
        self.asked[ask.request_id] = asyncio.get_running_loop().create_future()
        return await self.asked[ask.request_id]

    async def ask(self, tool: str, name: str = "r1") -> None:
        """The CLI asks."""
        request = {"subtype": "can_use_tool", "tool_name": tool, "tool_use_id": name, "input": {"a": 1}}
        self.permissions.take(name, request, self.running)
        await asyncio.sleep(0)


def at_desk(
    folder: Path, scene: Callable[[Desk], Awaitable[None]], mode: str | None = "default", asks: bool = True
) -> None:
    """Play a scene."""

    async def play() -> None:
        desk = Desk(folder, mode, asks)
        await scene(desk)
        desk.permissions.close()

    asyncio.run(play())


@pytest.mark.parametrize("mode", ["default", "plan", "dontAsk", None])
@pytest.mark.parametrize("asks", [True, False])
def test_the_pools_own_tools_are_always_allowed(tmp_path: Path, mode: str | None, asks: bool) -> None:
    async def scene(desk: Desk) -> None:
        await desk.ask("mcp__pool__slot_send_message")
        assert desk.answers == {"r1": {"behavior": "allow", "updatedInput": {"a": 1}}}

    at_desk(tmp_path, scene, mode, asks)


@pytest.mark.parametrize(
    ("tool", "mode", "asks"),
    [
        ("Bash", "default", False),
        ("Bash", "plan", True),
        ("Bash", None, True),
        ("Bash", "dontAsk", True),
        ("ExitPlanMode", "default", True),
        ("mcp__poolish__x", "default", False),
    ],
)
def test_where_nobody_may_be_asked_the_cli_is_told_no_at_once(
    tmp_path: Path, tool: str, mode: str | None, asks: bool
) -> None:
    async def scene(desk: Desk) -> None:
        await desk.ask(tool)
        assert desk.answers == {"r1": {"behavior": "deny", "message": DENIED}}
        assert desk.denials == [Denial(tool, DENIED)]

    at_desk(tmp_path, scene, mode, asks)


@pytest.mark.parametrize(("tool", "mode"), [("Bash", "acceptEdits"), ("AskUserQuestion", "plan")])
def test_a_question_waits_for_its_answer(tmp_path: Path, tool: str, mode: str) -> None:
    async def scene(desk: Desk) -> None:
        await desk.ask(tool)
        assert desk.answers == {}
        desk.asked["r1"].set_result(Leave(True, updated_input='{"b": 2}'))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.answers == {"r1": {"behavior": "allow", "updatedInput": {"b": 2}}}

    at_desk(tmp_path, scene, mode)


def test_a_tool_that_is_allowed_gets_what_the_model_wrote_and_not_what_was_shown(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        desk.whole["r1"] = {"a": "with a secret"}
        await desk.ask("Bash")
        desk.asked["r1"].set_result(Leave(True))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.answers == {"r1": {"behavior": "allow", "updatedInput": {"a": "with a secret"}}}

    at_desk(tmp_path, scene)


def test_there_is_a_most_of_open_questions(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        for number in range(OPEN_QUESTIONS + 1):
            await desk.ask("Bash", f"r{number}")
        assert list(desk.answers) == [f"r{OPEN_QUESTIONS}"]

    at_desk(tmp_path, scene)


def test_a_question_that_is_taken_back_gets_no_answer_and_leaves_the_others(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.ask("Bash", "r1")
        await desk.ask("Bash", "r2")
        desk.permissions.withdraw("r1")
        desk.permissions.withdraw("stranger")
        await asyncio.sleep(0)
        assert desk.asked["r1"].cancelled() and not desk.asked["r2"].done()
        assert desk.answers == {}

    at_desk(tmp_path, scene)


def test_without_a_turn_nobody_is_asked(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        desk.permissions.take("r1", {"tool_name": "Bash"}, None)
        assert desk.answers == {"r1": {"behavior": "deny", "message": DENIED}}

    at_desk(tmp_path, scene)
