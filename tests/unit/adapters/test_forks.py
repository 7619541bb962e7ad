"""`pool_fork`: chains taken up again from a step, and tasks in a copy of their conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.mcp.connection import Connection
from claude_pool.adapters.mcp.toolsets import chosen_toolsets
from claude_pool.adapters.store.blobs import MemoryBlobs, TextLost
from claude_pool.domain.values import Outcome, Text

from tests.support.real_git import Repository, repository
from tests.support.scripted_driver import LiveTurn, Script, ScriptedDriver, failed, said
from tests.support.scripted_pool import Wire, scripted_pool, server_of, use_pool, wired
from tests.support.waiting import until

View = dict[str, Any]

STEPS: list[View] = [
    {"name": "look", "prompt": "one"},
    {"name": "think", "prompt": "two {previous_output}", "output_vars": {"all": "."}},
    {"name": "write", "prompt": "three {steps.think.output}"},
]


class Calls:
    """A script that answers in capitals and remembers the prompts; what says `fail` fails."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    async def __call__(self, turn: LiveTurn) -> Outcome:
        """One turn."""
        self.prompts.append(turn.prompt)
        if "fail" in turn.prompt:
            return failed("provider_error", cost=7)
        return said(f'"{turn.prompt.upper()}"')


async def ended(wire: Wire, given: View) -> View:
    """The view of a fork that has come to its end."""
    await wire.view("pool_wait", chain_ids=[given["chain_id"]], wait_seconds=20)
    return await wire.view("pool_chain_result", chain_id=given["chain_id"])


def column(view: View, name: str) -> list[Any]:
    """One value of each step."""
    return [step.get(name) for step in view["steps"]]


def test_a_fork_runs_from_the_step_on_and_reuses_what_was_before_it(tmp_path: Path) -> None:
    calls = Calls()

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=STEPS)
        answer = await wire.view("pool_fork", id=first["chain_id"], step="think")
        return {"first": first, "answer": answer, "second": await ended(wire, answer)}

    found = use_pool(tmp_path, using, calls)
    first, answer, second = found["first"], found["answer"], found["second"]
    assert answer["source"] == first["chain_id"] != answer["chain_id"]
    assert (answer["reused"], answer["again"]) == (["look"], ["think", "write"])
    assert column(second, "state") == ["completed"] * 3
    assert column(second, "output") == column(first, "output")
    assert column(second, "reused_from") == [first["chain_id"], None, None]
    assert second["steps"][0]["task_id"] == first["steps"][0]["task_id"]
    assert second["steps"][1]["task_id"] != first["steps"][1]["task_id"]
    assert column(second, "cost_microdollars") == [0, 1000, 1000]
    assert second["cost_microdollars"] == 2000
    assert second["forked_from"] == {"chain_id": first["chain_id"], "step": "think"}
    assert len(calls.prompts) == 5


def test_the_prompt_and_the_model_of_the_step_may_be_others(tmp_path: Path) -> None:
    driver = ScriptedDriver(Calls())

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=STEPS)
        given = {"id": first["chain_id"], "step": "think", "prompt": "Say {steps.look.output}"}
        return await ended(wire, await wire.view("pool_fork", **given, model="opus"))

    second = use_pool(tmp_path, using, driver=driver)
    assert column(second, "output")[1] == '"SAY "ONE""'
    models = [turn.model for _, turn in driver.turns]
    assert (models[-2], models[-1] == models[0]) == ("opus", True)


def test_a_chain_that_failed_goes_on_where_it_failed(tmp_path: Path) -> None:
    steps = [{"name": "a", "prompt": "one"}, {"name": "b", "prompt": "fail"}, {"name": "c", "prompt": "x"}]

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=steps)
        refused = await wire.refusal("pool_fork", id=first["chain_id"], step="c")
        answer = await wire.view("pool_fork", id=first["chain_id"], step="b", prompt="two")
        return {"first": first, "refused": refused, "second": await ended(wire, answer)}

    found = use_pool(tmp_path, using, Calls())
    assert found["refused"].startswith("[wrong_state]") and "Fork it from b." in found["refused"]
    assert (found["first"]["state"], found["second"]["state"]) == ("failed", "completed")


@pytest.mark.parametrize(
    ("given", "code", "said_of_it"),
    [
        ({"step": "thikn"}, "invalid_argument", "did you mean think"),
        ({}, "invalid_argument", "look, think, write"),
        ({"step": "think", "prompt": "{steps.write.output}"}, "invalid_argument", "may run before it"),
        ({"step": "think", "prompt": " "}, "invalid_argument", "prompt"),
        ({"step": "think", "id": "slot-0"}, "invalid_argument", "chain or task"),
        ({"step": "think", "id": "chain-" + "a" * 16}, "not_found", "chain-"),
    ],
)
def test_a_fork_that_cannot_be_is_refused(tmp_path: Path, given: View, code: str, said_of_it: str) -> None:
    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=STEPS)
        return {"refused": await wire.refusal("pool_fork", **{"id": first["chain_id"], **given})}

    refused = use_pool(tmp_path, using)["refused"]
    assert refused.startswith(f"[{code}]") and said_of_it in refused


def test_the_same_key_gives_the_same_fork(tmp_path: Path) -> None:
    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=STEPS)
        given = {"id": first["chain_id"], "step": "think", "idempotency_key": "k"}
        answers = [await wire.view("pool_fork", **given) for _ in range(2)]
        task_id = (await wire.view("pool_run", prompt="hello"))["task_id"]
        tasks = [await wire.view("pool_fork", id=task_id, idempotency_key="k") for _ in range(2)]
        refused = await wire.refusal("pool_fork", **given, prompt="other")
        return {"answers": answers, "tasks": tasks, "refused": refused}

    found = use_pool(tmp_path, using)
    assert found["answers"][0] == found["answers"][1]
    assert found["tasks"][0] == found["tasks"][1]
    assert found["refused"].startswith("[idempotency_conflict]")


def test_an_output_that_is_lost_is_not_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: MemoryBlobs, text: Text) -> str:
        raise TextLost(path="blobs", problem=f"missing ({text.size} bytes)")

    async def long(turn: LiveTurn) -> Outcome:
        return said("x" * 5_000 if turn.prompt == "one" else "y")

    async def using() -> str:
        async with (
            scripted_pool(tmp_path, long) as pool,
            wired(server_of(pool), Connection(toolsets=chosen_toolsets("all"))) as wire,
        ):
            first = await wire.view("pool_chain", steps=STEPS)
            monkeypatch.setattr(MemoryBlobs, "get", lost)
            return await wire.refusal("pool_fork", id=first["chain_id"], step="think")

    refused = asyncio.run(using())
    assert refused.startswith("[log_broken]") and "step look" in refused


def test_a_fork_of_a_task_goes_on_in_a_copy_of_its_conversation(tmp_path: Path) -> None:
    async def recalling(turn: LiveTurn) -> Outcome:
        return said(" | ".join([*turn.earlier, turn.prompt]))

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_run", prompt="one", tags=["x"])
        answer = await wire.view("pool_fork", id=first["task_id"], prompt="two")
        await wire.view("pool_wait", task_ids=[answer["task_id"]], wait_seconds=20)
        second = await wire.view("pool_result", task_id=answer["task_id"])
        why = await wire.view("pool_why", id=answer["task_id"])
        again = await wire.view("pool_fork", id=first["task_id"])
        await wire.view("pool_wait", task_ids=[again["task_id"]], wait_seconds=20)
        third = await wire.view("pool_result", task_id=again["task_id"])
        return {"first": first, "second": second, "third": third, "why": why}

    found = use_pool(tmp_path, using, recalling)
    first, second = found["first"], found["second"]
    assert (second["output"], second["tags"]) == ("one | two", ["x"])
    assert found["third"]["output"] == "one | one"
    assert len({first["session_id"], second["session_id"], found["third"]["session_id"]}) == 3


def test_a_task_has_no_steps_and_needs_a_conversation(tmp_path: Path) -> None:
    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=STEPS)
        task_id = (await wire.view("pool_run", prompt="hello"))["task_id"]
        live = (await wire.view("pool_submit", prompt="wait"))["task_id"]
        await wire.view("pool_submit", prompt="wait")
        late = (await wire.view("pool_submit", prompt="late"))["task_id"]
        return {
            "step": await wire.refusal("pool_fork", id=task_id, step="a"),
            "part": await wire.refusal("pool_fork", id=first["steps"][1]["task_id"]),
            "live": await wire.refusal("pool_fork", id=live),
            "late": await wire.refusal("pool_fork", id=late),
        }

    async def waiting(turn: LiveTurn) -> Outcome:
        if turn.prompt == "wait":
            await asyncio.Event().wait()
        return said("done")

    found = use_pool(tmp_path, using, waiting)
    assert found["step"].startswith("[invalid_argument]") and "has no steps" in found["step"]
    assert found["part"].startswith("[invalid_argument]") and "from think" in found["part"]
    assert found["live"].startswith("[session_busy]")
    assert found["late"].startswith("[wrong_state]") and "Submit it anew" in found["late"]


def test_nothing_runs_again_in_a_mode_that_callers_may_not_choose_now(tmp_path: Path) -> None:
    async def using() -> str:
        async with scripted_pool(tmp_path) as pool:
            everything = Connection(toolsets=chosen_toolsets("all"))
            async with wired(server_of(pool, highest_mode="bypassPermissions"), everything) as wire:
                given = {"prompt": "x", "permission_mode": "bypassPermissions"}
                task_id = (await wire.view("pool_run", **given))["task_id"]
            async with wired(server_of(pool), Connection(toolsets=chosen_toolsets("all"))) as wire:
                return await wire.refusal("pool_fork", id=task_id)

    assert "bypassPermissions" in asyncio.run(using())


# In copies of a repository.


async def editor(turn: LiveTurn) -> Outcome:
    """A slot that writes the file that it is told to, and tells what there is."""
    verb, _, name = turn.prompt.partition(" ")
    here = Path(turn.launch.cwd)
    if verb == "write":
        (here / name).write_text(f"{name} by {turn.turn.attempt}\n", encoding="utf-8")
    return said(" ".join(sorted(path.name for path in here.iterdir() if path.name != ".git")))


EDITS: list[View] = [
    {"name": "b", "prompt": "write b.txt"},
    {"name": "c", "prompt": "write c.txt"},
    {"name": "d", "prompt": "write d.txt"},
]


def in_copy(there: Repository, what: Callable[[Wire], Awaitable[View]], script: Script = editor) -> View:
    """What `what` gets from a pool in the repository."""

    async def running() -> View:
        async with scripted_pool(there.path, script, slots=2) as pool:
            async with wired(server_of(pool), Connection(toolsets=chosen_toolsets("all"))) as wire:
                found = await what(wire)
            await until(lambda: not pool.runtime.effects.busy)
            return found

    return asyncio.run(running())


@pytest.mark.parametrize("kind", ["worktree", "clone"])
def test_the_copy_of_a_fork_begins_as_the_reused_steps_left_theirs(tmp_path: Path, kind: str) -> None:
    there = repository(tmp_path)

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=EDITS, isolation=kind, merge="ff")
        answer = await wire.view("pool_fork", id=first["chain_id"], step="c", prompt="write e.txt")
        return {"first": first, "second": await ended(wire, answer)}

    found = in_copy(there, using)
    first, second = found["first"], found["second"]
    assert column(first, "output")[-1] == "a.txt b.txt c.txt d.txt"
    assert column(second, "output") == ["a.txt b.txt", "a.txt b.txt e.txt", "a.txt b.txt d.txt e.txt"]
    assert second["base"] != first["base"]
    assert there.git("rev-parse", f"{second['base']}^") == first["base"]
    b = first["steps"][0]["task_id"]
    assert there.show(second["branch"], "b.txt") == f"b.txt by {b}.1"
    assert second["files_changed"] == 2


def test_a_fork_from_the_first_step_begins_where_the_chain_began(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=EDITS, isolation="worktree")
        there.commit("z.txt", "z")
        answer = await wire.view("pool_fork", id=first["chain_id"], step="b")
        return {"first": first, "second": await ended(wire, answer)}

    found = in_copy(there, using)
    assert found["second"]["base"] == found["first"]["base"]
    assert column(found["second"], "output")[0] == "a.txt b.txt"


def test_noting_what_a_step_left_moves_nothing_that_the_next_one_sees(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def using(wire: Wire) -> View:
        return await wire.view("pool_chain", steps=EDITS, isolation="worktree")

    view = in_copy(there, using)
    assert there.git("rev-list", "--count", f"{view['base']}..{view['branch']}") == "1"
    refs = there.git("for-each-ref", "--format=%(refname)", "refs/claude-pool/").splitlines()
    assert refs == [f"refs/claude-pool/{view['chain_id']}/steps/{name}" for name in "bcd"]


def test_a_fork_is_refused_where_its_commit_is_gone(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def using(wire: Wire) -> View:
        first = await wire.view("pool_chain", steps=EDITS, isolation="worktree")
        for ref in there.git("for-each-ref", "--format=%(refname)", "refs/claude-pool/").splitlines():
            there.git("update-ref", "-d", ref)
        there.git("gc", "--quiet", "--prune=now")
        collected = await wire.refusal("pool_fork", id=first["chain_id"], step="c")
        there.path.rename(there.path.with_name("moved"))
        moved = await wire.refusal("pool_fork", id=first["chain_id"], step="c")
        there.path.with_name("moved").rename(there.path)
        return {"collected": collected, "moved": moved}

    found = in_copy(there, using)
    assert found["collected"].startswith("[isolation_failed]") and "does not have" in found["collected"]
    assert found["moved"].startswith("[isolation_failed]") and "is not a directory" in found["moved"]
