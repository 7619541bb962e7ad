"""A permission question is put to the person behind a client that can show a form."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.elicitation import INPUT_SHOWN, form_text
from claude_pool.adapters.mcp.serving import Serving
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.domain.questions import Question
from claude_pool.domain.values import Outcome, Text
from mcp.server import Server

from tests.support.scripted_driver import LiveTurn, said
from tests.support.scripted_pool import WAIT_SECONDS, Wire, scripted_pool, server_of, wired
from tests.unit.adapters.mcp.test_wire import ENVELOPE

FORMS: dict[str, Any] = {"elicitation": {}}
BASH = json.dumps({"command": "touch x"})


async def obedient(live: LiveTurn) -> Outcome:
    """Asks once, and says what it was told."""
    leave = await live.ask("Bash", BASH)
    return said(f"{leave.allowed} {leave.message}")


@contextlib.asynccontextmanager
async def client(
    server: Server[Serving], capabilities: dict[str, Any] | None = None, conflict: str | None = None
) -> AsyncGenerator[Wire]:
    """A connected client of the older protocol that has initialised; it can show forms unless it says."""
    connection = Connection(toolsets=chosen_toolsets("all"), conflict=conflict)
    async with wired(server, connection, handshake=False) as wire:
        await wire.initialize(FORMS if capabilities is None else capabilities)
        await wire.view("pool_status")
        yield wire


def played(
    folder: Path, scene: Callable[[Wire, Server[Serving]], Awaitable[None]], seconds: float = 60
) -> None:
    """Play a scene with a client that shows forms."""

    async def play() -> None:
        async with scripted_pool(folder, obedient, question_ms=round(seconds * 1000)) as running:
            server = server_of(running)
            async with client(server) as wire:
                await asyncio.wait_for(scene(wire, server), WAIT_SECONDS)

    asyncio.run(play())


async def submit(wire: Wire) -> str:
    return str((await wire.view("pool_submit", prompt="do it"))["task_id"])


async def shown(wire: Wire) -> dict[str, Any]:
    """The form that the client is asked to show."""
    return await wire.heard_of("elicitation/create")


async def fill(wire: Wire, form: dict[str, Any], **reply: Any) -> None:
    """Answer the request for `form`."""
    await wire.send(json.dumps({"jsonrpc": "2.0", "id": form["id"], "result": reply}).encode())


async def told(wire: Wire, task_id: str) -> str:
    """What the slot was told in the end, as the task's output."""
    cursor = 0
    view: dict[str, Any] = {"state": "running"}
    while view["state"] == "running":
        waited = await wire.view("pool_wait", task_ids=[task_id], cursor=cursor)
        (view,), cursor = waited["tasks"], waited["cursor"]
    assert view["state"] == "completed", view
    return str(view["output"])


async def only_question(wire: Wire) -> str:
    (question,) = (await wire.view("pool_list_questions"))["questions"]
    return str(question["question_id"])


def forms(wire: Wire) -> int:
    """How many forms the client was asked to show, of what it has read."""
    return sum(message.get("method") == "elicitation/create" for message in wire.heard)


@pytest.mark.parametrize(
    ("reply", "slot_hears"),
    [
        ({"action": "accept", "content": {"choice": "allow"}}, "True "),
        ({"action": "accept", "content": {"choice": "allow", "message": "fine"}}, "True "),
        ({"action": "accept", "content": {"choice": "deny", "message": "not here"}}, "False not here"),
        (
            {"action": "accept", "content": {"choice": "deny", "message": ""}},
            "False You may not use this tool here. Go on without it.",
        ),
        ({"action": "decline"}, "False You may not use this tool here. Go on without it."),
    ],
)
def test_what_a_person_says_in_the_form_is_the_answer(
    tmp_path: Path, reply: dict[str, Any], slot_hears: str
) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        await fill(wire, await shown(wire), **reply)
        assert await told(wire, task_id) == slot_hears
        assert forms(wire) == 1

    played(tmp_path, scene)


def test_the_form_says_who_asks_for_what_and_has_a_choice_and_a_message(tmp_path: Path) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        params = (await shown(wire))["params"]
        first, last = params["message"].split("\n")
        assert first == f"Task {task_id} asks: May it use Bash: {BASH}"
        assert last.startswith("Without an answer by 20") and last.endswith(", in 60 s, it is denied.")
        schema = params["requestedSchema"]
        assert schema["required"] == ["choice"]
        assert schema["properties"]["choice"]["enum"] == ["allow", "deny"]
        assert schema["properties"]["message"]["type"] == "string"

    played(tmp_path, scene)


def test_the_answer_is_recorded_as_the_coordinators(tmp_path: Path) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        await fill(wire, await shown(wire), action="accept", content={"choice": "allow"})
        await told(wire, task_id)
        events = (await wire.view("pool_replay"))["events"]
        assert [e["actor"] for e in events if e["name"] == "question.answered"] == ["coordinator"]

    played(tmp_path, scene)


@pytest.mark.parametrize(
    "reply",
    [
        {"result": {"action": "cancel"}},
        {"result": {"action": "accept"}},
        {"result": {"action": "accept", "content": {"choice": "perhaps"}}},
        {"result": {"action": "shrug"}},
        {"error": {"code": -32603, "message": "no screen"}},
    ],
)
def test_a_form_that_is_closed_without_an_answer_leaves_the_question_open(
    tmp_path: Path, reply: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        async with client(server) as last:
            task_id = await submit(wire)
            form = await shown(last)
            await last.send(json.dumps({"jsonrpc": "2.0", "id": form["id"], **reply}).encode())
            await last.view("pool_answer_question", question_id=await only_question(last), choice="allow")
            assert await told(wire, task_id) == "True "
            assert (forms(wire), forms(last)) == (0, 1)

    played(tmp_path, scene)
    assert caplog.messages == []


def test_a_form_that_nobody_fills_is_taken_back_at_the_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        form = await shown(wire)
        taken_back = await wire.heard_of("notifications/cancelled")
        assert taken_back["params"]["requestId"] == form["id"]
        assert (await told(wire, task_id)).startswith("False Nobody said within 0.3 s")
        await fill(wire, form, action="accept", content={"choice": "allow"})
        assert (await wire.view("pool_list_questions"))["questions"] == []

    played(tmp_path, scene, seconds=0.3)
    assert caplog.messages == []


def test_a_form_is_taken_back_when_somebody_answers_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        task_id = await submit(wire)
        form = await shown(wire)
        async with client(server, {}) as other:
            question_id = await only_question(other)
            await other.view("pool_answer_question", question_id=question_id, choice="deny", message="no")
        assert (await wire.heard_of("notifications/cancelled"))["params"]["requestId"] == form["id"]
        await fill(wire, form, action="accept", content={"choice": "allow"})
        assert await told(wire, task_id) == "False no"
        assert "answered already: deny" in await wire.refusal(
            "pool_answer_question", question_id=question_id, choice="allow"
        )

    played(tmp_path, scene)
    assert caplog.messages == []


def test_a_form_that_is_filled_just_after_another_answer_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        form = await shown(wire)
        question_id = await only_question(wire)
        call = {
            "name": "pool_answer_question", "arguments": {"question_id": question_id, "choice": "allow"},
        }  # fmt: skip
        reply = {"action": "decline"}
        lines = [
            {"jsonrpc": "2.0", "id": "first", "method": "tools/call", "params": call},
            {"jsonrpc": "2.0", "id": form["id"], "result": reply},
        ]
        await wire.send("\n".join(map(json.dumps, lines)).encode())
        assert not (await wire.answer("first"))["result"]["isError"]
        assert await told(wire, task_id) == "True "

    played(tmp_path, scene)
    assert caplog.messages == []


def test_a_form_is_taken_back_when_the_task_is_cancelled(tmp_path: Path) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        task_id = await submit(wire)
        form = await shown(wire)
        assert (await wire.view("pool_cancel", task_id=task_id))["state"] == "cancelled"
        assert (await wire.heard_of("notifications/cancelled"))["params"]["requestId"] == form["id"]

    played(tmp_path, scene)


def test_several_forms_may_be_open_while_tools_are_called(tmp_path: Path) -> None:
    async def scene(wire: Wire, _server: Server[Serving]) -> None:
        first = await submit(wire)
        form = await shown(wire)
        wire.heard.clear()
        second = await submit(wire)
        other = await shown(wire)
        assert (await wire.view("pool_status"))["running_tasks"] == 2
        await fill(wire, other, action="decline")
        await fill(wire, form, action="accept", content={"choice": "allow"})
        assert await told(wire, first) == "True "
        assert (await told(wire, second)).startswith("False ")

    played(tmp_path, scene)


def test_of_two_clients_the_one_that_connected_last_is_asked(tmp_path: Path) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        async with client(server) as last:
            task_id = await submit(wire)
            await fill(last, await shown(last), action="accept", content={"choice": "allow"})
            assert await told(wire, task_id) == "True "
            assert forms(wire) == 0
        task_id = await submit(wire)
        await fill(wire, await shown(wire), action="decline")
        assert (await told(wire, task_id)).startswith("False ")

    played(tmp_path, scene)


def test_a_client_that_goes_away_leaves_its_question_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        async with client(server) as last:
            task_id = await submit(wire)
            await shown(last)
        await wire.view("pool_answer_question", question_id=await only_question(wire), choice="allow")
        assert await told(wire, task_id) == "True "
        assert forms(wire) == 0

    played(tmp_path, scene)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("capabilities", "conflict"), [({}, None), ({"elicitation": {"url": {}}}, None), (FORMS, "model")]
)
def test_a_client_that_cannot_show_forms_or_may_not_answer_is_not_asked(
    tmp_path: Path, capabilities: dict[str, Any], conflict: str | None
) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        async with client(server, capabilities, conflict) as unable:
            task_id = await submit(wire)
            await fill(wire, await shown(wire), action="accept", content={"choice": "allow"})
            assert await told(unable, task_id) == "True "
            assert forms(unable) == 0

    played(tmp_path, scene)


def test_a_client_without_a_handshake_is_not_asked_whatever_it_declares(tmp_path: Path) -> None:
    async def scene(wire: Wire, server: Server[Serving]) -> None:
        declared = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": FORMS}
        async with wired(server, handshake=False) as newer:
            call = {"name": "pool_status", "arguments": {}, "_meta": declared}
            begun = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": {"_meta": declared}}
            assert not (await newer.request("tools/call", **call))["result"]["isError"]
            await newer.send(json.dumps(begun).encode())
            await newer.request("tools/call", **call)
            task_id = await submit(wire)
            await fill(wire, await shown(wire), action="accept", content={"choice": "allow"})
            assert await told(wire, task_id) == "True "
            await newer.request("tools/call", **call)
            assert forms(newer) == 0

    played(tmp_path, scene)


def a_question(text: str, given: Text) -> Question:
    return Question("question-a", "Bash", given, text, 60_000, 0)


def test_the_input_is_shown_beside_what_the_model_says_of_it() -> None:
    hidden = '{"command": "rm -rf ."}'
    text = form_text("task-a", a_question("Bash: List\nthe\x1b[2J \u202efiles", Text(inline=hidden, size=23)))
    lines = text.split("\n")
    assert lines[0] == "Task task-a asks: May it use Bash: List\\nthe\\x1b[2J \\u202efiles"
    assert lines[1] == f"Input: {hidden}"
    assert len(lines) == 3


@pytest.mark.parametrize(
    "given",
    [
        Text(inline="x" * (INPUT_SHOWN + 1), size=9_000),
        Text(blob="0" * 64, size=9_000, head="x" * INPUT_SHOWN),
    ],
)
def test_of_a_long_input_the_beginning_is_shown_and_said_to_be_one(given: Text) -> None:
    line = form_text("task-a", a_question("Bash: List", given)).split("\n")[1]
    assert line == f"Input, the beginning of 9000 bytes: {'x' * INPUT_SHOWN}…"
