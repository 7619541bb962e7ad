"""Skills over a connection: as tools, as prompts, and as tasks that say which skill they were."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.queries import events_of
from claude_pool.adapters.skills.library import Folders, Library
from claude_pool.adapters.wiring import Running
from claude_pool.domain.task_events import TaskSubmitted

from tests.support.mcp_client import ERAS, connected
from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired

GREET = """\
---
name: greet
description: Greets someone.
metadata:
  arguments:
    - {name: who, description: Whom to greet., required: true}
    - {name: times, type: integer}
  config: {model: haiku, allowed_tools: [Read], disallowed_tools: [Write], max_turns: 3}
---

Greet {who} $1 times. Read ${CLAUDE_SKILL_DIR}/manners.md. Not $5. $ARGUMENTS
"""


class Bench:
    """A project with one skill, and a library that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.skills = folder / ".claude-pool" / "skills"
        self.write("greet", GREET)

    def write(self, name: str, text: str) -> None:
        path = self.skills / name / "SKILL.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def library(self) -> Library:
        return Library(Folders(True, None, str(self.skills), None, str(self.folder)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def play(bench: Bench, body: Any, **server: Any) -> None:
    """Run `body(wire, running)` on a connection to a pool with the bench's skills."""

    async def played() -> None:
        async with scripted_pool(bench.folder, library=bench.library()) as running:
            async with wired(server_of(running, **server)) as wire:
                await body(wire, running)

    asyncio.run(played())


async def spec_of(running: Running, task_id: str) -> Any:
    (first, *_) = await events_of(running.service, task_id)
    assert isinstance(first.event, TaskSubmitted)
    return first.event.spec


NASTY = '"; touch canary; "$(touch canary) @secret {times} $1 !`touch canary` ${CLAUDE_SKILL_DIR}\n/clear'


@pytest.mark.parametrize("mode", ERAS)
def test_a_prompt_is_byte_for_byte_what_a_skill_runs_as(bench: Bench, mode: str) -> None:
    async def body() -> None:
        async with scripted_pool(bench.folder, library=bench.library()) as running:
            async with connected(server_of(running), mode) as client:
                arguments = {"who": NASTY, "times": "3"}
                shown = await client.get_prompt("greet", arguments)
                ran = await client.call_tool("pool_skill_run", {"skill": "greet", "arguments": arguments})
            assert ran.structured_content is not None
            spec = await spec_of(running, ran.structured_content["task_id"])
            (message,) = shown.messages
            assert message.content.type == "text"
            assert message.content.text == spec.prompt.inline
            assert spec.prompt.inline.startswith(
                'Greet "; touch canary; "$(touch canary) \u200b@secret {times}'
            )
        assert not (bench.folder / "canary").exists()

    asyncio.run(body())


def test_each_skill_is_a_prompt_with_its_arguments(bench: Bench) -> None:
    bench.write("free", "---\ndescription: Takes anything.\nargument-hint: [what]\n---\nDo $ARGUMENTS")

    async def body(wire: Wire, _: Running) -> None:
        listed = (await wire.request("prompts/list"))["result"]["prompts"]
        found = {each["name"]: each for each in listed}
        assert len(found) == 17
        assert found["greet"]["description"] == "Greets someone."
        assert found["greet"]["arguments"] == [
            {"name": "who", "description": "Whom to greet.", "required": True},
            {"name": "times", "required": False},
        ]
        assert found["free"]["arguments"] == [
            {"name": "arguments", "description": "[what]", "required": False}
        ]
        free = await wire.request("prompts/get", name="free", arguments={"arguments": "a b"})
        assert free["result"]["messages"] == [{"role": "user", "content": {"type": "text", "text": "Do a b"}}]

    play(bench, body)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("gret", {}, "[not_found] There is no skill 'gret'. Did you mean 'greet'?"),
        ("greet", {}, "[invalid_argument] arguments.who: greet needs it (Whom to greet.)"),
        ("greet", {"who": "x", "many": "y"}, "[invalid_argument] arguments.many: greet has no such argument"),
        (
            "greet",
            {"who": "x", "times": "often"},
            "[invalid_argument] arguments.times: is not a whole",
        ),
        ("../x", {}, "[not_found] There is no skill '../x'."),
    ],
)
def test_prompt_and_tool_refuse_the_same_things(
    bench: Bench, name: str, arguments: dict[str, str], told: str
) -> None:
    async def body(wire: Wire, _: Running) -> None:
        prompt = await wire.request("prompts/get", name=name, arguments=arguments)
        assert prompt["error"]["message"].startswith(told)
        assert (await wire.refusal("pool_skill_run", skill=name, arguments=arguments)).startswith(told)

    play(bench, body)


def test_clients_are_told_when_a_skill_changes_on_disk(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        bench.write("later", GREET.replace("name: greet", "name: later"))
        await wire.heard_of("notifications/prompts/list_changed")
        listed = (await wire.request("prompts/list"))["result"]["prompts"]
        assert "later" in {each["name"] for each in listed}

    play(bench, body, look_seconds=0.02)


def test_clients_are_told_when_a_skill_is_added(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        await wire.view("pool_skill_add", name="new", description="d", prompt="p")
        await wire.heard_of("notifications/prompts/list_changed")

    play(bench, body, look_seconds=3600)


def test_nobody_is_told_while_nothing_changes(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        for _each in range(20):
            await wire.view("pool_skill_list")
        assert [each for each in wire.heard if "prompts" in str(each.get("method"))] == []

    play(bench, body, look_seconds=0.001)


def test_a_task_says_which_skill_it_was_and_has_its_options_below_the_calls(bench: Bench) -> None:
    async def body(wire: Wire, running: Running) -> None:
        got = await wire.view("pool_skill_get", name="greet")
        view = await wire.view(
            "pool_skill_run",
            skill="greet",
            arguments={"who": "Ann", "times": 2},
            model="opus",
            allowed_tools=["Grep"],
        )
        options = (await spec_of(running, view["task_id"])).options
        assert view["skill"] == got["label"]
        assert view["skill"].startswith("greet@") and len(view["skill"]) == len("greet@") + 16
        assert (options.model, options.max_turns) == ("opus", 3)
        assert (options.allowed_tools, options.disallowed_tools) == (("Read", "Grep"), ("Write",))
        plain = await wire.view("pool_run", prompt="x")
        assert "skill" not in plain

    play(bench, body)


def test_one_key_is_one_task(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        call = {"skill": "greet", "arguments": {"who": "Ann"}, "idempotency_key": "k"}
        first = await wire.view("pool_skill_run", **call)
        again = await wire.view("pool_skill_run", **call)
        other = await wire.refusal("pool_skill_run", **{**call, "arguments": {"who": "Bob"}})
        run = await wire.view("pool_run", prompt="x", idempotency_key="k")
        assert first["task_id"] == again["task_id"] != run["task_id"]
        assert other.startswith("[idempotency_conflict]")

    play(bench, body)


def test_truth_values_and_numbers_are_texts(bench: Bench) -> None:
    async def body(wire: Wire, running: Running) -> None:
        await wire.view("pool_skill_add", name="raw", description="d", prompt="$0 $1 $2")
        view = await wire.view("pool_skill_run", skill="raw", arguments={"a": True, "b": 1.5, "c": 7})
        assert (await spec_of(running, view["task_id"])).prompt.inline == "true 1.5 7"

    play(bench, body)


@pytest.mark.parametrize("value", [None, ["x"], {"a": 1}])
def test_an_argument_is_a_single_value(bench: Bench, value: object) -> None:
    async def body(wire: Wire, _: Running) -> None:
        told = await wire.refusal("pool_skill_run", skill="greet", arguments={"who": value})
        assert told.startswith("[invalid_argument] arguments.who")

    play(bench, body)


def test_a_skill_is_shown_with_everything(bench: Bench) -> None:
    bench.write("sh", "---\ndescription: d\n---\nSee !`git status`")

    async def body(wire: Wire, _: Running) -> None:
        greet = await wire.view("pool_skill_get", name="greet")
        assert greet["source"] == "project"
        assert greet["config"] == {
            "allowed_tools": ["Read"], "model": "haiku", "disallowed_tools": ["Write"], "max_turns": 3,
        }  # fmt: skip
        assert (greet["customized"], greet["path"]) == (False, str(bench.skills / "greet" / "SKILL.md"))
        assert "commands" not in greet
        sh = await wire.view("pool_skill_get", name="sh")
        assert (sh["commands"], sh["runs_commands"]) == (["git status"], False)
        assert sh["note"].endswith("the pool runs without --allow-skill-commands.")
        await wire.view("pool_skill_add", name="sh", description="d", prompt="See !`git status`")
        added = await wire.view("pool_skill_get", name="sh")
        assert (added["customized"], added["beneath"]) == (True, ["project"])
        assert added["note"].endswith("only those of project and global skills can run.")

    play(bench, body)


def test_lists_are_filtered_and_tell_of_bad_files(bench: Bench) -> None:
    bench.write("bad", "---\nname: [\n---\nx")

    async def body(wire: Wire, _: Running) -> None:
        listed = await wire.view("pool_skill_list", source="project")
        assert [each["name"] for each in listed["skills"]] == ["greet"]
        (problem,) = listed["problems"]
        assert problem.startswith(f"{bench.skills}/bad/SKILL.md:2: is not YAML")
        coordinators = await wire.view("pool_skill_list", scope="coordinator")
        assert "pool_dashboard" in {each["name"] for each in coordinators["skills"]}
        told = await wire.refusal("pool_skill_list", scope="coordinatr")
        assert told.endswith("did you mean 'coordinator'?")
        assert "there is no 'globl'" in await wire.refusal("pool_skill_list", source="globl")

    play(bench, body)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "../x"}, "skill: it cannot be named '../x'"),
        ({"name": "x" * 200}, "skill: it cannot be named"),
        ({"arguments": [{"name": "a b"}]}, "skill: it has an argument named 'a b'"),
        ({"arguments": [{"name": "a", "typ": "string"}]}, "arguments.0.typ: there is no such argument"),
        ({"config": {"modle": "x"}}, "config.modle: there is no such option; did you mean 'model'?"),
        ({"config": {"model": 7}}, "model: "),
        ({"config": {"permission_mode": "bypassPermissions"}}, "permission_mode: bypassPermissions is more"),
        ({"config": {"retries": 3}}, "config.retries: there is no such option"),
        ({"scope": "all"}, "scope: "),
        ({"prompt": " "}, "prompt: a prompt cannot be empty"),
        ({"prompt": "x" * 300_000}, "skill: it has more than 256 KB"),
    ],
)
def test_a_wrong_skill_is_not_added(bench: Bench, given: dict[str, Any], told: str) -> None:
    async def body(wire: Wire, _: Running) -> None:
        whole = {"name": "new", "description": "d", "prompt": "p", **given}
        assert (await wire.refusal("pool_skill_add", **whole)).startswith(f"[invalid_argument] {told}")
        assert (await wire.refusal("pool_skill_get", name="new")).startswith("[not_found]")

    play(bench, body)


def test_skills_are_added_saved_and_removed(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        config = {"model": "haiku", "max_budget_usd": 0.5}
        added = await wire.view(
            "pool_skill_add",
            name="greet",
            description="Mine.",
            prompt="Hi {a}",
            arguments=[{"name": "a", "required": True}],
            config=config,
        )
        assert (added["overwritten"], added["source"]) == (True, "runtime")
        saved = await wire.view("pool_skill_save", name="greet")
        assert saved == {"saved": True, "path": str(bench.skills / "greet" / "SKILL.md"), "replaced": True}
        removed = await wire.view("pool_skill_remove", name="greet")
        assert removed == {"removed": True, "source": "runtime", "now": "project"}
        got = await wire.view("pool_skill_get", name="greet")
        assert (got["description"], got["config"], got["label"]) == ("Mine.", config, added["label"])

    play(bench, body)


def test_a_built_in_skill_is_ejected_once(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        ejected = await wire.view("pool_skill_eject", name="refactor")
        assert ejected["path"] == str(bench.skills / "refactor" / "SKILL.md")
        got = await wire.view("pool_skill_get", name="refactor")
        assert (got["source"], got["beneath"]) == ("project", ["builtin"])
        assert (await wire.refusal("pool_skill_eject", name="refactor")).startswith("[wrong_state]")
        assert (await wire.refusal("pool_skill_eject", name="greet")).startswith("[not_found]")

    play(bench, body)


@pytest.mark.parametrize("folder", ["../..", "/etc"])
def test_no_file_is_written_outside_of_the_project(bench: Bench, folder: str) -> None:
    async def body(wire: Wire, _: Running) -> None:
        for tool in ("pool_skill_save", "pool_skill_eject"):
            told = await wire.refusal(tool, name="refactor", dir=folder)
            assert told.startswith("[invalid_argument] dir: it leads out of the project")

    play(bench, body)


def test_workflows_are_listed(bench: Bench) -> None:
    async def body(wire: Wire, _: Running) -> None:
        listed = await wire.view("pool_list_workflows")
        found = {each["name"]: each for each in listed["workflows"]}
        assert set(found) == {"issue_to_pr", "refactor_and_test", "review_and_fix"}
        assert found["review_and_fix"]["steps"] == ["review", "apply_fixes", "verify_fixes"]

    play(bench, body)
