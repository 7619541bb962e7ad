"""What a scenario plays in: one pool, tasks by the letters that features give them, and the last answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.pool_level import Level, View
from tests.support.pool_loop import PATIENCE
from tests.support.pool_model import directives
from tests.support.pool_money import dollars
from tests.support.pool_plan import Plan, plan_of
from tests.support.pool_wire import Wire
from tests.support.real_git import Repository, repository
from tests.support.waiting import until_sync

TERMINAL = ("completed", "failed", "cancelled", "skipped", "refused")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The pool said no."""

    code: str
    message: str


class Scene:
    """The verbs of scenarios. A refusal is kept; a scenario that does not speak of it fails."""

    def __init__(self, folder: Path, name: str, open_pool: Callable[[Plan], Level]) -> None:
        """`open_pool` makes the pool once a scenario has said what it wants; `name` is unique."""
        self.folder = folder
        self.work = folder / "w"
        self.work.mkdir()
        self.repository: Repository
        self._name = name
        self._open_pool = open_pool
        self._pool: Level | None = None
        self.tasks: dict[str, str] = {}
        self.chains: dict[str, str] = {}
        self.steps: dict[str, str] = {}
        self.answer: View = {}
        self.cursor: int | None = None
        self.listed: dict[str, object] = {}
        self._orders: dict[str, View] = {}
        self._refusal: Refusal | None = None
        self.wire = Wire(lambda toolsets: self.pool.connect(toolsets))

    @property
    def pool(self) -> Level:
        """The pool; there is one as soon as a scenario has said `Given a pool`."""
        assert self._pool is not None, "no step has said what pool there is"
        return self._pool

    def open(self, slots: int, wishes: Mapping[str, str]) -> None:
        """Bring the pool into being; the wish `repository` makes a git repository of its directory first."""
        wishes = dict(wishes)
        if (kind := wishes.pop("repository", "")) and kind != "none":
            self.repository = repository(self.folder, "w", empty=kind == "empty")
        self._pool = self._open_pool(plan_of(slots, wishes, str(self.work)))

    def close(self) -> None:
        """End the pool.

        Raises:
            AssertionError: a refusal was never spoken of.
        """
        self.wire.close()
        if self._pool is not None:
            self._pool.close()
        self._expect_no_refusal()

    # ------------------------------------------------------------------ calls

    def ask(self, tool: str, **arguments: object) -> View | None:
        """Call a tool; None where the pool refuses, which a later step has to speak of."""
        self._expect_no_refusal()
        self.pool.settle()
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            self.answer = self.pool.call(tool, given)
        except Exception as error:
            self._refusal = _refusal(error)
            return None
        return self.answer

    def see(self, tool: str, **arguments: object) -> View:
        """What a tool shows, for a step that compares it; the last answer stays."""
        return self.pool.call(tool, {name: value for name, value in arguments.items() if value is not None})

    def take_refusal(self) -> Refusal:
        """What the pool refused last; it has been spoken of then."""
        assert self._refusal is not None, f"nothing was refused; the answer was {self.answer}"
        refusal, self._refusal = self._refusal, None
        return refusal

    def _expect_no_refusal(self) -> None:
        assert self._refusal is None, f"an unexpected refusal: {self._refusal}"

    # ------------------------------------------------------------------ tasks

    def order(self, name: str, behaviour: str, wishes: Mapping[str, str]) -> View:
        """The arguments of the task that features call `name`."""
        words = directives(behaviour, self.gate(name), f"{self._name}-{name}")
        self._orders[name] = {"prompt": f"{words} Task {name}.", **self.options(wishes)}
        return self._orders[name]

    def repeat(self, name: str, wishes: Mapping[str, str]) -> View:
        """The arguments of the task `name` once more, but for what is wished otherwise."""
        return {**self._orders[name], **self.options(wishes)}

    def options(self, wishes: Mapping[str, str]) -> View:
        """Arguments from the words of features; what is empty is left out."""
        return {wish.replace(" ", "_"): self._option(wish, value) for wish, value in wishes.items() if value}

    def _option(self, wish: str, value: str) -> object:
        match wish:
            case "priority" | "retries" | "max turns" | "max rejections":
                return int(value)
            case "timeout seconds" | "wait seconds":
                return float(value)
            case "max budget usd" | "set usd" | "soft usd":
                return float(value.removeprefix("$"))
            case "tags" | "allowed tools" | "disallowed tools" | "tools":
                return value.split(", ")
            case "json schema":
                return {"type": "object", "properties": {value: {}}, "required": [value]}
            case "session":
                how, _, whose = value.partition(" ")
                return f"{how}:{self.session_of(whose)}" if whose else how
            case "working dir":
                folder = self.folder / value
                folder.mkdir(exist_ok=True)
                return str(folder)
            case _:
                return value

    def gate(self, name: str) -> Path:
        """The file that releases a task."""
        return self.folder / f"gate-{name}"

    def know(self, name: str, answer: View | None) -> None:
        """Remember which task `name` is."""
        if answer is not None and answer.get("task_id"):
            self.tasks[name] = answer["task_id"]

    def know_chain(self, name: str, steps: Sequence[str], answer: View | None) -> None:
        """Remember which chain `name` is, and which letters are its steps."""
        if answer is not None and answer.get("chain_id"):
            self.chains[name] = answer["chain_id"]
            self.steps.update((step, self.chains[name]) for step in steps)

    def work_for(self, name: str, uses: str, milliseconds: int) -> None:
        """Have a task run to its end that works for so long by the pool's clock."""
        self.know(
            name, self.ask("pool_submit", **self.order(name, f"works until it is released and {uses}", {}))
        )
        self.await_state(name, "running")
        self.await_words(name)
        self.pool.advance(milliseconds)
        self.gate(name).touch()
        self.await_state(name, "completed")

    def leave(self, name: str, order: View) -> None:
        """Run a task, and go away as soon as it is accepted."""
        before = self.see("pool_list_tasks", limit=1)["tasks"]

        def accepted() -> bool:
            return bool(self.see("pool_list_tasks", limit=1)["tasks"] != before)

        self.pool.call_and_leave("pool_run", order, accepted, f"{name} was accepted")
        self.know(name, self.see("pool_list_tasks", limit=1)["tasks"][0])

    def id_of(self, name: str) -> str:
        """The id of a task; one that no task has where the pool never accepted it."""
        return self.tasks.get(name, "task-aaaaaaaaaaaaaaaa")

    def subject(self, name: str) -> str:
        """The id of a task or slot."""
        if name in self.steps:
            self.view(name)
        return name if name.startswith("slot-") else self.chains.get(name) or self.id_of(name)

    def name_of(self, task_id: str | None) -> str:
        """The letter of a task."""
        known = {**self.tasks, **self.chains}
        return next((name for name, each in known.items() if each == task_id), task_id or "")

    def view(self, name: str) -> View:
        """The task, step or chain as it is now."""
        if name in self.chains:
            return self.see("pool_chain_result", chain_id=self.chains[name])
        if name in self.steps:
            chain = self.see("pool_chain_result", chain_id=self.steps[name])
            step: View = next(step for step in chain["steps"] if step["name"] == name)
            self.know(name, step)
            return step
        return self.see("pool_result", task_id=self.tasks[name])

    def await_state(self, name: str, state: str) -> View:
        """Wait until a task is in `state`, or has ended otherwise; its view."""
        self.pool.settle()
        self.pool.until(lambda: self.view(name)["state"] in (state, *TERMINAL), f"{name} was {state}")
        view = self.view(name)
        assert view["state"] == state, f"{name} is {view['state']}: {view['error'] or view['reason']}"
        return view

    def await_end(self, name: str) -> View:
        """Wait until a task has ended or needs someone; its view."""
        ended = (*TERMINAL, "sealed", "pending_review")
        self.pool.until(lambda: self.view(name)["state"] in ended, f"{name} ended")
        return self.view(name)

    def await_words(self, name: str) -> None:
        """Wait until the model has begun to answer a task."""
        # what a process prints is no event, so nothing tells of it
        until_sync(
            lambda: "content_block_delta" in self.pool.transcript(self.tasks[name]),
            PATIENCE, f"an answer to {name}", 0.005,
        )  # fmt: skip

    def kill_process(self, slot: str) -> None:
        """Have the process of an idle slot die, and wait until that is known."""
        before = self.events(slot=slot)
        launched = [event["data"]["pid"] for event in before if "pid" in event["data"]]
        os.kill(launched[-1], signal.SIGKILL)
        at = before[-1]["position"]
        self.pool.until(
            lambda: any(
                event["name"] == "slot.process_ended" and event["position"] > at
                for event in self.events(slot=slot)
            ),
            f"{slot} lost its process",
        )

    def question_of(self, name: str) -> str:
        """The question that a task asks; the one that it asked last, where it asks none."""
        asked = self.view(name).get("questions") or [
            {"question_id": event["data"]["question_id"]}
            for event in self.events(task=self.tasks[name])
            if event["name"] == "question.asked"
        ]
        waiting = self.see("pool_list_questions", task_id=self.tasks[name])["questions"]
        return str([*asked, *waiting][-1]["question_id"])

    def soft_limit_question(self) -> View:
        """What the pool asks about a soft limit, once it does."""

        def asked() -> list[View]:
            found: list[View] = self.see("pool_list_questions", kind="soft_limit")["questions"]
            return found

        self.pool.settle()
        self.pool.until(lambda: bool(asked()), "the pool asked")
        (question,) = asked()
        return question

    def session_of(self, name: str) -> str:
        """The conversation of a task's last attempt; what is no task's letter stands for itself."""
        return str(self.view(name)["session_id"]) if name in self.tasks else name

    def busy(self) -> bool:
        """Whether a task runs or waits."""
        status = self.see("pool_status")
        return any(status[f"{state}_tasks"] for state in ("running", "pending", "parked"))

    def budget_row(self) -> Mapping[str, str]:
        """The budget as a row."""
        status = self.see("pool_status")
        limit = status["budget_microdollars"]
        spent, reserved = status["spent_microdollars"], status["reserved_microdollars"]
        free = "" if limit is None else dollars(max(0, limit - spent - reserved))
        limit = "" if limit is None else dollars(limit)
        return {"limit": limit, "spent": dollars(spent), "reserved": dollars(reserved), "free": free}

    def events(self, **part: object) -> list[View]:
        """The log, or the part of one task or slot."""
        found: list[View] = []
        after: int | None = 0
        while after is not None:
            page = self.see("pool_replay", after=after, limit=500, **part)
            found += page["events"]
            after = page["next"]
        return found


def _refusal(error: Exception) -> Refusal:
    code, message = getattr(error, "code", None), getattr(error, "message", None)
    if code is None or message is None:
        raise error
    return Refusal(str(code), str(message))
