"""Runs of a whole pool with the fake CLI, each short, from which cases are made."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from claude_pool.adapters.cases.case import Case
from claude_pool.adapters.cases.exporting import gather
from claude_pool.adapters.origins import CALLER, Origin
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import At
from claude_pool.adapters.redaction import Secrets
from claude_pool.adapters.requests import ChainRequest, StepRequest, TaskRequest
from claude_pool.adapters.store.opening import open_store
from claude_pool.adapters.wiring import Running, running_pool
from claude_pool.adapters.workshop import Workshop
from claude_pool.domain import pool, task
from claude_pool.domain.errors import PoolError
from claude_pool.domain.pool_events import Settings
from claude_pool.domain.records import Actor
from claude_pool.domain.values import Options

from tests.support.fake_cli import fake_cli, fake_environment
from tests.support.real_cli import cli_environment
from tests.support.real_git import repository
from tests.support.waiting import until

Story = Callable[[Running], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """What happens in a recorded run, in what pool. `lives`: one owner after the other; all but the last
    are killed. With `repository` the pool works in a git repository."""

    lives: tuple[Story, ...]
    settings: Settings = Settings(slots=1)
    limit: int | None = None
    soft: int | None = None
    persona: str = "normal"
    repository: bool = False


def _asks(prompt: str, **given: Any) -> TaskRequest:
    return TaskRequest(prompt, **given)


def runs(*prompts: str, **given: Any) -> Story:
    """Tasks one after the other, each to its end."""

    async def story(running: Running) -> None:
        for prompt in prompts:
            await running.application.run(_asks(prompt, **given))

    return story


async def _in_review(running: Running, task_id: str) -> None:
    await until(lambda: isinstance(running.world.tasks.get(task_id), task.PendingReview))


async def _at_once(running: Running) -> None:
    await running.application.fan_out([_asks(f"[[reply: {n}]] one of three") for n in range(3)])


async def _cancelled(running: Running) -> None:
    task_id = await running.application.submit(_asks("[[slow: 20ms x 500]] it takes long"))
    await _words(running, task_id)
    await running.application.cancel(task_id)
    await running.application.waiting.finished([task_id], 30)


async def _words(running: Running, task_id: str) -> None:
    """Wait until the task's slot has said something."""

    transcript = running.store.transcripts / f"{task_id}.1.jsonl"
    await until(lambda: transcript.exists() and b"text_delta" in transcript.read_bytes())


async def _reviewed(running: Running) -> None:
    task_id = await running.application.submit(_asks("[[reply: a draft]] write", review=2))
    await _in_review(running, task_id)
    await running.application.reject(task_id, "More of it.")
    await _in_review(running, task_id)
    await running.application.approve(task_id)


async def _refused(running: Running) -> None:
    task_id = await running.application.submit(_asks("[[reply: a draft]] write", review=1))
    await _in_review(running, task_id)
    await running.application.reject(task_id, "No.")


def _step(name: str, prompt: str, **given: Any) -> StepRequest:
    return StepRequest(name, _asks(prompt), **given)


def chained(*steps: StepRequest, **given: Any) -> Story:
    """A chain to its end."""

    async def story(running: Running) -> None:
        await running.application.chains.run(ChainRequest(steps, **given), CALLER, 60)

    return story


async def _chain_cancelled(running: Running) -> None:
    steps = (_step("a", "[[slow: 20ms x 500]] look"), _step("b", "mend"))
    chain_id = await running.application.chains.submit(ChainRequest(steps))
    await until(lambda: bool(running.world.running))
    await running.application.chains.cancel(chain_id)
    await running.service.reacted()
    await until(lambda: not running.world.running)


_WRITES = '[[tool: Bash {"command": "echo text > notes.txt"}]] [[result]] write'


def in_a_copy(isolation: str, merge: str) -> Story:
    """A chain in a copy of the repository to its end, which leaves a file there."""
    write = StepRequest("write", _asks(_WRITES, options=Options(permission_mode="bypassPermissions")))
    look = _step("look", "[[reply: seen]] {steps.write.output}")
    return chained(write, look, isolation=isolation, merge=merge)


async def _with_context(running: Running) -> None:
    await running.application.context.set("language", "English")
    await running.application.run(_asks("what holds?"))
    await running.application.context.delete("language")
    await running.application.run(_asks("and now?"))


async def _answered(running: Running) -> None:
    task_id = await running.application.submit(
        _asks(
            '[[persona: asks]] [[tool: Bash {"command": "echo hi"}]] [[result]] use a tool',
            options=Options(permission_mode="default"),
        )
    )
    await until(lambda: bool(running.world.questions))
    await running.application.answer_question(next(iter(running.world.questions)), "allow")
    await running.application.waiting.finished([task_id], 30)


async def _written(running: Running) -> None:
    await running.application.messages.send("coordinator", "slot-0", "a word before", CALLER)
    await running.application.run(_asks("what was said?"))
    tool = '[[tool: mcp__pool__slot_send_message {"to": "coordinator", "content": "a word back"}]]'
    await running.application.run(_asks(f"{tool} [[reply: sent]] tell them"))


async def _hanging(running: Running) -> None:
    await running.application.submit(_asks("[[slow: 20ms x 500]] it is cut off"))
    await until(lambda: bool(running.world.running))
    await _words(running, next(iter(running.world.running)))


async def _goes_on(running: Running) -> None:
    task_id = next(iter(running.world.tasks))
    await running.application.cancel(task_id)
    await until(lambda: not running.world.running)


async def _cancelled_while_its_process_starts(running: Running) -> None:
    asked = _asks("it is never asked", options=Options(system_prompt="Be brief."))
    task_id = await running.application.submit(asked)
    await until(lambda: bool(running.world.running))
    await running.application.cancel(task_id)
    await until(lambda: not running.world.running)


async def _asks_after_the_crash(running: Running) -> None:
    await running.application.submit(_asks("[[slow: 20ms x 500]] it is cut off", on_interrupt="ask"))
    await until(lambda: bool(running.world.running))


async def _rerun_by_hand(running: Running) -> None:
    (task_id,) = running.world.sealed
    questions = (await running.application.list_questions(task_id))["questions"]
    await running.application.answer_question(questions[0]["question_id"], "cancel")


async def _scaled(running: Running) -> None:
    await running.application.slots.set_target(2)
    await running.service.reacted()
    await running.application.run(_asks("[[reply: a]] wide"))
    await running.application.slots.set_target(1)
    await running.service.reacted()


async def _drained(running: Running) -> None:
    await running.application.run(_asks("[[reply: a]] before"))
    await running.application.drain("finish", 10)


async def _soft(running: Running) -> None:
    await running.application.run(_asks("[[reply: a]] [[usage: input=100000 output=2000]] dear"))
    task_id = await running.application.submit(_asks("[[reply: b]] after"))
    await running.service.reacted()
    (question,) = (await running.application.list_questions())["questions"]
    await running.application.answer_question(question["question_id"], "continue")
    await running.application.waiting.finished([task_id], 30)


SCENES: dict[str, Scene] = {
    "success": Scene((runs("[[reply: fine]] a task"),)),
    "long-answer": Scene((runs("[[bytes: 20000]] [[slow: 1ms x 3]] a task"),)),
    "two-slots": Scene((_at_once,), Settings(slots=2)),
    "one-conversation": Scene((runs("one", "[[recall]]"),), Settings(slots=1, session="slot")),
    "retried": Scene((runs("[[persona: crash 3]] it dies", retries=1),)),
    "died": Scene((runs("[[persona: kill9]] it dies"),)),
    "no-result": Scene((runs("[[persona: exit0]] it goes"),)),
    "cut": Scene((runs("[[persona: cut 40]] half a result"),)),
    "bad-request": Scene((runs("[[status: 400]] no"),)),
    "too-long": Scene((runs("[[status: 400 too-long]] no"),)),
    "refused-by-model": Scene((runs("[[refuse]] no"),)),
    "turn-limit": Scene((
        runs('[[tool: Bash {"command": "true"}]] [[then]] [[reply: x]]', options=Options(max_turns=1)),
    )),
    "silent": Scene(
        (runs("[[stall after: 2]] it says no more"),), Settings(slots=1, silence_ms=300, tool_silence_ms=300)
    ),
    "mute-start": Scene(
        (runs("[[hang]] nothing comes"),), Settings(slots=1, first_output_ms=300, silence_ms=300)
    ),
    "timed-out": Scene((runs("[[slow: 20ms x 500]] too long"),), Settings(slots=1, task_timeout_ms=500)),
    "cancelled": Scene((_cancelled,)),
    "approved": Scene((_reviewed,)),
    "rejected": Scene((_refused,)),
    "chain": Scene((chained(_step("a", "[[reply: seen]] look"), _step("b", "mend {steps.a.output}")),)),
    "chain-failed": Scene((chained(_step("a", "[[status: 400]] look"), _step("b", "mend")),)),
    "chain-recovered": Scene((
        chained(
            _step("a", "[[status: 400]] look", recovery_prompt="[[reply: again]] mend it"), _step("b", "on")
        ),
    )),
    "chain-worktree": Scene((in_a_copy("worktree", "ff"),), repository=True),
    "chain-clone": Scene((in_a_copy("clone", "none"),), repository=True),
    "slot-worktree": Scene(
        (runs(_WRITES, "and now?", options=Options(permission_mode="bypassPermissions")),),
        Settings(slots=1, worktree=True), repository=True,
    ),
    "chain-cancelled": Scene((_chain_cancelled,)),
    "context": Scene((_with_context,)),
    "asked": Scene((_answered,), Settings(slots=1, question_ms=20_000)),
    "messages": Scene((_written,)),
    "budget-reached": Scene(
        (runs("[[slow: 1ms x 40]] [[usage: input=1000 output=400000]] dear"),), limit=2_000_000
    ),
    "soft-limit": Scene((_soft,), limit=50_000_000, soft=50_000),
    "crashed": Scene((_hanging, _goes_on)),
    "crashed-asks": Scene((_asks_after_the_crash, _rerun_by_hand)),
    "cancelled-starting": Scene((_cancelled_while_its_process_starts,)),
    "scaled": Scene((_scaled,)),
    "drained": Scene((_drained,)),
    "configured-model": Scene((runs("x", options=Options(model="haiku", effort="low")),)),
    "odd-lines": Scene((runs("[[reply: fine]] a task"),), persona="garbage, unknown, unicode"),
    "old-cli": Scene((runs("one", "two"),), persona="old"),
    "other-key": Scene((runs("one", options=Options(system_prompt="Be brief.")),)),
}  # fmt: skip


def record(scene: Scene, folder: Path, program: Path | None = None, api: str = "") -> Case:
    """Live through a scene with real processes; all of its log as a case.

    They are of the fake CLI, or of the one at `program` with an API at `api`.
    """
    places = Places(str(folder / "state"), "", str(folder), str(folder))
    for name in ("home", "state", "r"):
        (folder / name).mkdir(mode=0o700)
    fake = program is None
    environment = fake_environment(folder / "home") if fake else cli_environment(folder / "home", api)
    work = repository(folder / "r", "w").path if scene.repository else folder
    with tempfile.TemporaryDirectory(prefix="cpr", dir="/tmp") as short:
        workshop = Workshop(str(program or fake_cli(folder, scene.persona)), environment, Path(short))
        settings = replace(scene.settings, working_dir=str(work))
        if settings.options.model is None:
            settings = replace(settings, options=replace(settings.options, model="sonnet"))
        for number, story in enumerate(scene.lives, 1):
            last = number == len(scene.lives)
            asyncio.run(_live(scene, story, places, workshop, settings, killed=not last))
    return gather(places, None, At(1, None), None, Secrets(), lambda _: None)


async def _live(
    scene: Scene, story: Story, places: Places, workshop: Workshop, settings: Settings, *, killed: bool
) -> None:
    async with _pool(scene, places, workshop, settings) as running:
        await story(running)
        await running.service.reacted()
        if killed:
            running.service.policies_on = False
            running.runtime.effects.abandon()
            running.runtime.stopped.set()
            running.service.refusal = PoolError()  # as good as dead
        else:
            await running.service.handle(pool.StopOwner(), Origin(Actor.SHELL))
            await asyncio.wait_for(running.runtime.stopped.wait(), 20)


@contextlib.asynccontextmanager
async def _pool(
    scene: Scene, places: Places, workshop: Workshop, settings: Settings
) -> AsyncGenerator[Running]:
    store = open_store(places)
    async with running_pool(
        store, workshop, settings, scene.limit, scene.limit is not None, soft=scene.soft
    ) as running:
        yield running
