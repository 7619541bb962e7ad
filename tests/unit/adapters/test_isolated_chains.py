"""Chains in a worktree or clone of a real repository, whose scripted slots really write files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from claude_pool.domain.values import Outcome

from tests.support.real_git import Repository, repository
from tests.support.scripted_driver import LiveTurn, failed, said
from tests.support.scripted_pool import Wire, scripted_pool, server_of, wired
from tests.support.waiting import until

View = dict[str, Any]

STEPS: list[View] = [
    {"name": "write", "prompt": "write b.txt"},
    {"name": "change", "prompt": "write a.txt"},
    {"name": "look", "prompt": "list"},
]


async def editor(turn: LiveTurn) -> Outcome:
    """A slot that does what it is told with files of its directory."""
    verb, _, name = turn.prompt.partition(" ")
    here = Path(turn.launch.cwd)
    if verb == "write":
        (here / name).write_text(f"{name} by a slot\n", encoding="utf-8")
    if verb == "fail":
        return failed("provider_error")
    return said(" ".join(sorted(path.name for path in here.iterdir() if path.name != ".git")))


def use(there: Repository, what: Callable[[Wire], Awaitable[View]]) -> View:
    """What `what` gets from a pool in the repository."""

    async def running() -> View:
        async with scripted_pool(there.path, editor, slots=2) as pool, wired(server_of(pool)) as wire:
            found = await what(wire)
            await until(lambda: not pool.runtime.effects.busy)
            return found

    return asyncio.run(running())


def chain(there: Repository, steps: list[View], **options: Any) -> View:
    """The view of a chain that has run."""
    return use(there, lambda wire: wire.view("pool_chain", steps=steps, **options))


@pytest.mark.parametrize("kind", ["worktree", "clone"])
def test_the_work_is_on_a_branch_of_its_own_and_the_users_files_are_as_they_were(
    tmp_path: Path, kind: str
) -> None:
    there = repository(tmp_path)
    base = there.git("rev-parse", "HEAD")
    view = chain(there, STEPS, isolation=kind)
    assert view["state"] == "completed", view
    assert view["steps"][2]["output"] == "a.txt b.txt"
    assert (view["base"], view["head"]) == (base, there.git("rev-parse", view["branch"]))
    assert view["branch"] == f"claude-pool/{view['chain_id']}"
    assert view["files_changed"] == 2
    assert there.show(view["branch"], "b.txt") == "b.txt by a slot"
    assert there.git("rev-parse", "main") == base
    assert not (there.path / "b.txt").exists()
    assert "path" not in view


def test_the_diff_can_be_read(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def read(wire: Wire) -> View:
        view = await wire.view("pool_chain", steps=STEPS, isolation="worktree")
        answer = await wire.request("resources/read", uri=view["diff_ref"])
        return {"diff": answer["result"]["contents"][0]["text"]}

    assert "+b.txt by a slot" in use(there, read)["diff"]


@pytest.mark.parametrize("how", ["ff", "merge"])
def test_a_merge_lands_the_work_on_the_branch_it_came_from(tmp_path: Path, how: str) -> None:
    there = repository(tmp_path)
    view = chain(there, STEPS, isolation="worktree", merge=how)
    assert (view["state"], view["merged"]) == ("completed", "main")
    assert there.show("main", "b.txt") == "b.txt by a slot"


def test_a_conflict_is_a_result_and_both_sides_are_kept(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def conflicting(wire: Wire) -> View:
        steps: list[View] = [*STEPS[:2], {"name": "wait", "prompt": "hold", "review": True}]
        chain_id = (await wire.view("pool_submit_chain", steps=steps, isolation="worktree", merge="merge"))[
            "chain_id"
        ]
        await wire.view("pool_wait")
        there.commit("a.txt", "the user's own\n")
        waiting = (await wire.view("pool_chain_result", chain_id=chain_id))["steps"][2]
        assert waiting["state"] == "pending_review"
        await wire.view("pool_approve_result", task_id=waiting["task_id"])
        return (await wire.view("pool_wait", chain_ids=[chain_id]))["chains"][0]

    view = use(there, conflicting)
    assert (view["state"], view["error"]["code"]) == ("failed", "merge_conflict")
    assert there.show("main", "a.txt") == "the user's own"
    assert there.show(view["branch"], "a.txt") == "a.txt by a slot"
    assert "merged" not in view


def test_a_chain_that_fails_or_is_merged_in_vain_keeps_what_was_done(tmp_path: Path) -> None:
    there = repository(tmp_path)
    steps = [STEPS[0], {"name": "b", "prompt": "fail"}]
    view = chain(there, steps, isolation="worktree", merge="ff")
    assert (view["state"], view["error"]["code"]) == ("failed", "step_failed")
    assert there.show(view["branch"], "b.txt") == "b.txt by a slot"
    assert there.files("main") == ["a.txt"]


def test_where_no_copy_can_be_made_nothing_runs(tmp_path: Path) -> None:
    there = repository(tmp_path, empty=True)
    view = chain(there, STEPS, isolation="worktree")
    assert (view["state"], view["error"]["code"]) == ("failed", "isolation_failed")
    assert [step["state"] for step in view["steps"]] == ["skipped"] * 3


def test_steps_of_one_copy_run_one_at_a_time(tmp_path: Path) -> None:
    there = repository(tmp_path)
    steps: list[View] = [{"name": name, "prompt": f"write {name}", "needs": []} for name in ("a", "b", "c")]
    view = chain(there, steps, isolation="worktree")
    assert [step["output"] for step in view["steps"]] == ["a a.txt", "a a.txt b", "a a.txt b c"]


def test_nothing_to_merge_without_isolation(tmp_path: Path) -> None:
    there = repository(tmp_path)

    async def refused(wire: Wire) -> View:
        return {"text": await wire.refusal("pool_submit_chain", steps=STEPS, merge="ff")}

    assert use(there, refused)["text"].startswith("[invalid_argument] merge: ")
