"""What pools are doing when their owners die: scripts of a client that carries on under the next owner.

A script may be played again from its beginning, as a client does that does not know how far it came: what
creates has an idempotency key, and the rest looks first. `Player.seal` says what becomes of attempts whose
end nobody saw.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from claude_pool.adapters.client import ToolError

from tests.faults.crash_pool import PATIENCE, CrashPool, View
from tests.support.waiting import until_sync

FINAL = ("completed", "failed", "cancelled")
_FAR = 4_000_000_000


@dataclass
class Player:
    """The client of a script. `again`: what the script asks for may have been done by an earlier owner."""

    pool: CrashPool
    again: bool = False
    sealed: str = "rerun"

    def do(self, tool: str, **arguments: Any) -> View:
        """Call a tool that changes something, on record. A second time it may be refused: then nothing."""
        ledger = self.pool.ledger
        ledger.ask(tool)
        try:
            answer = self.pool.call(tool, arguments)
        except ToolError as error:
            ledger.told(tool, arguments, None)
            if self.again and error.code in ("wrong_state", "not_found"):
                return {}
            raise
        ledger.told(tool, arguments, answer)
        return answer

    def look(self, tool: str, **arguments: Any) -> View:
        """Call a tool that only reads."""
        return self.pool.call(tool, arguments)

    def submit(self, name: str, prompt: str, tool: str = "pool_submit", **more: Any) -> str:
        """Submit a task; its id. `name` is its idempotency key and is found in its prompt."""
        text = f"task={name}; {prompt}"
        more = {"on_interrupt": self.sealed} | more
        return str(self.do(tool, prompt=text, idempotency_key=name, **more)["task_id"])

    def view(self, task_id: str) -> View:
        """A task now. What was once final is noted."""
        view = self.look("pool_result", task_id=task_id)
        if view["state"] in FINAL:
            self.pool.ledger.seen[task_id] = view
        return view

    def ends(self, task_id: str, *states: str) -> View:
        """Wait until a task is in one of `states`, or final, deciding about it where that is asked for."""
        found: View = {}

        def there() -> bool:
            found.update(self.view(task_id))
            if found["state"] == "sealed":
                self._decide(task_id)
            return found["state"] in (*states, *FINAL)

        until_sync(there, PATIENCE, f"{task_id} in {states or FINAL}")
        return found

    def _decide(self, task_id: str) -> None:
        for question in self.look("pool_list_questions", kind="sealed", task_id=task_id)["questions"]:
            choice = self.sealed if self.sealed in question["choices"] else "rerun"
            self.do("pool_answer_question", question_id=question["question_id"], choice=choice)

    def happened(self, name: str, **where: str) -> int:
        """How often an event is in the log."""
        events = self.look("pool_replay", limit=500, **where)["events"]
        return sum(event["name"] == name for event in events)

    def rests(self) -> bool:
        """Whether nothing is under way: no task runs or waits, and every slot is ready."""
        status = self.look("pool_status")
        counts = ("running_tasks", "pending_tasks", "parked_tasks")
        return not any(status[count] for count in counts) and all(
            slot["state"] in ("idle", "failed", "stopped") for slot in status["slots"]
        )


Script = Callable[[Player], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script, the options of its pool, how many tasks and chains it makes, and its choice at a seal.

    `appends` is about how often the first owner writes to the log.
    """

    script: Script
    appends: int
    tasks: int = 1
    chains: int = 0
    sealed: str = "rerun"
    options: dict[str, object] = field(default_factory=dict[str, object])

    def pool_options(self) -> dict[str, object]:
        """What the owner is started with."""
        return {"slots": 1, "model": "haiku", "permission_mode": "acceptEdits", **self.options}


def simple(player: Player) -> None:
    """One task."""
    view = player.ends(player.submit("a", "[[reply: one]]"))
    assert (view["state"], view["output"]) == ("completed", "one"), view


def warm(player: Player) -> None:
    """A second task in a slot that is warm."""
    for name in ("a", "b"):
        view = player.ends(player.submit(name, f"[[reply: {name}]]"))
        assert view["state"] == "completed", view


def chain(player: Player) -> None:
    """Three steps, each with what the one before said."""
    steps = [
        {"name": "one", "prompt": "task=one; [[reply: 1]]"},
        {"name": "two", "prompt": "task=two; after {steps.one.output} [[reply: 2]]"},
        {"name": "three", "prompt": "task=three; after {previous_output} [[reply: 3]]"},
    ]
    view = _chain_ends(player, steps, sealed="rerun")
    assert [step["output"] for step in view["steps"]] == ["1", "2", "3"], view


def cancel(player: Player) -> None:
    """A running task is cancelled."""
    task_id = player.submit("a", "[[slow: 100ms x 600]]")
    player.ends(task_id, "running")
    answer = player.do("pool_cancel", task_id=task_id)
    view = player.ends(task_id)
    assert view["state"] == "cancelled" or not answer, view


def timeout(player: Player) -> None:
    """An attempt meets its deadline."""
    view = player.ends(player.submit("a", "[[hang]]", timeout_seconds=0.3))
    assert (view["state"], view["error"]["code"]) == ("failed", "timed_out_task"), view


def budget(player: Player) -> None:
    """A task is topped up, another one stops at its own limit, and the pool gets another limit."""
    call = "[[usage: input=90000 output=10000]] "
    tool = '[[tool: Bash {"command": "true"}]] '
    paid = player.ends(player.submit("a", (call + tool) * 3 + call + "[[reply: done]]"))
    assert paid["state"] == "completed", paid
    slow = "[[delay: 100ms]] " + call  # so that it can be stopped in time
    stopped = player.ends(player.submit("b", (slow + tool) * 9 + "[[reply: no]]", max_budget_usd=0.05))
    assert (stopped["state"], stopped["error"]["code"]) == ("failed", "task_budget_reached"), stopped
    player.do("pool_budget", set_usd=0.9)


def worktree(player: Player) -> None:
    """A chain writes and edits files in a worktree, and its work comes to a branch."""
    write = json.dumps({"command": "echo draft >> notes.txt"})
    edit = json.dumps({"command": "sed -i s/draft/text/ notes.txt && pwd"})
    steps = [
        {"name": "write", "prompt": f"task=write; [[tool: Bash {write}]] [[reply: written]]"},
        {"name": "edit", "prompt": f"task=edit; [[tool: Bash {edit}]] [[reply: edited]]"},
    ]
    view = _chain_ends(player, steps, sealed="rerun", isolation="worktree")
    there = player.pool.repository
    assert set(there.show(view["branch"], "notes.txt").split()) == {"text"}, view
    assert there.branches() == [view["branch"]], view


def review(player: Player) -> None:
    """A result is rejected, the next one approved."""
    task_id = player.submit("a", "[[reply: one]]", "pool_submit_with_review")
    player.ends(task_id, "pending_review")
    if not player.happened("task.rejected", task=task_id):
        player.do("pool_reject_result", task_id=task_id, feedback="more of it")
    player.ends(task_id, "pending_review")
    player.do("pool_approve_result", task_id=task_id)
    assert player.ends(task_id)["state"] == "completed"


def retry(player: Player) -> None:
    """A first attempt fails, a second one does not."""
    failing = "[[key: a]] [[status: 500 no-retry]] [[times: 1]]"
    steps = [{"name": "one", "prompt": f"task=one; {failing}", "retries": 1, "backoff": 0.05}]
    _chain_ends(player, steps, sealed="rerun")


def question(player: Player) -> None:
    """An attempt asks for leave; meanwhile there are context and a message."""
    player.do("context_set", key="colour", value="green")
    player.do("pool_send_message", content="hello", **{"from": "coordinator", "to": "slot-0"})
    write = json.dumps({"command": "touch $HOME/asked"})
    task_id = player.submit("a", f"[[tool: Bash {write}]] [[reply: done]]")
    seen: list[View] = []

    def asked() -> bool:
        seen[:] = player.look("pool_list_questions", kind="permission", task_id=task_id)["questions"]
        return bool(seen) or player.view(task_id)["state"] in (*FINAL, "sealed")

    while player.view(task_id)["state"] not in FINAL:
        until_sync(asked, PATIENCE, f"a question of {task_id}")
        for each in seen:
            player.do("pool_answer_question", question_id=each["question_id"], choice="allow")
        if not seen:
            player.ends(task_id, "running")
    assert player.view(task_id)["state"] == "completed"
    assert player.look("context_get", key="colour")["value"] == "green"


def pause(player: Player) -> None:
    """The provider is exhausted for years; somebody lifts the pause."""
    task_id = player.submit("a", f"[[key: a]] [[status: 429 resets={_FAR}]] [[times: 1]] [[reply: one]]")
    player.ends(task_id, "parked")
    if player.look("pool_status").get("paused"):
        player.do("pool_resume")
    assert player.ends(task_id)["state"] == "completed"


def drain(player: Player) -> None:
    """What runs is cancelled by a drain, which is then undone."""
    task_id = player.submit("a", "[[slow: 100ms x 600]]")
    if player.happened("task.submitted") == 1:
        player.ends(task_id, "running")
        player.do("pool_drain", mode="cancel", timeout_seconds=10)
        player.do("pool_drain", mode="undo")
    assert player.ends(task_id)["state"] == "cancelled"
    assert player.ends(player.submit("b", "[[reply: two]]"))["state"] == "completed"


def shutdown(player: Player) -> None:
    """The owner is told to end at once, in the middle of a task."""
    task_id = player.submit("a", "[[slow: 100ms x 8]] [[reply: eight pieces of text]]")
    if not player.again:
        player.ends(task_id, "running")
        player.pool.stop()
        return
    assert player.ends(task_id)["state"] == "completed"


def _chain_ends(player: Player, steps: list[View], sealed: str, **more: str) -> View:
    steps = [{"on_interrupt": sealed, **step} for step in steps]
    chain_id = str(player.do("pool_submit_chain", steps=steps, idempotency_key="c", **more)["chain_id"])
    view: View = {}

    def over() -> bool:
        view.clear()
        view.update(player.look("pool_chain_result", chain_id=chain_id))
        for step in view["steps"]:
            if step["state"] == "sealed":
                player.ends(step["task_id"], "running")
        return view["state"] in FINAL

    until_sync(over, PATIENCE, f"the end of {chain_id}")
    assert view["state"] == "completed", view
    return view


_LIMIT: dict[str, object] = {"budget_usd": 0.5}
_FREE: dict[str, object] = {"permission_mode": "bypassPermissions"}
_ASKING: dict[str, object] = {"permission_mode": "default", "question_seconds": 600}

SCENARIOS = {
    "a simple task": Scenario(simple, 10),
    "a second task in a warm slot": Scenario(warm, 14, tasks=2, sealed="resume"),
    "a chain of steps": Scenario(chain, 18, tasks=3, chains=1),
    "cancelling a running task": Scenario(cancel, 10),
    "a deadline": Scenario(timeout, 11),
    "a budget with top-ups": Scenario(budget, 18, tasks=2, options=_LIMIT),
    "a chain in a worktree": Scenario(worktree, 20, tasks=2, chains=1, options=_FREE),
    "a review": Scenario(review, 16),
    "a retry": Scenario(retry, 15, chains=1),
    "a permission question": Scenario(question, 14, options=_ASKING),
    "a pause": Scenario(pause, 16),
    "a drain": Scenario(drain, 20, tasks=2),
    "a shutdown": Scenario(shutdown, 13, sealed="ask"),
}


def settled(player: Player) -> None:
    """Wait until the pool has come to rest."""
    until_sync(player.rests, PATIENCE, "a pool that rests")
