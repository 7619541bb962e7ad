"""What a scenario wants of its pool, in the words of the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from claude_pool.domain.pool_events import Settings
from claude_pool.domain.values import Options

from tests.support.pool_money import microdollars


@dataclass(frozen=True, slots=True)
class Plan:
    """A pool as a scenario orders it.

    `durable` keeps its log in a file. `persona` makes the stand-in for the CLI misbehave from the start;
    `cli` False means that there is no CLI at all. `skill_commands` lets skills run their commands. The floors
    (MB) are how much stays free on the disk and in memory.
    """

    settings: Settings = field(default_factory=Settings)
    budget: int | None = None
    durable: bool = False
    persona: str = "normal"
    cli: bool = True
    skill_commands: bool = False
    disk_floor: int = 0
    memory_floor: int = 0


_NUMBERS = {"min slots": "min_slots", "max slots": "max_slots", "recycle after": "recycle_turns"}
_SECONDS = {
    "task timeout": "task_timeout_ms",
    "queue timeout": "queue_timeout_ms",
    "question timeout": "question_ms",
    "first output timeout": "first_output_ms",
    "silence timeout": "silence_ms",
    "tool silence timeout": "tool_silence_ms",
}
_CLI = {
    "crashes at its start": "crashstart 1",
    "cannot clear": "badclear",
    "reads one prompt": "noread",
    "as ever": "normal",
}


def plan_of(slots: int, wishes: Mapping[str, str], working_dir: str) -> Plan:
    """The plan of a pool with so many slots that work in `working_dir`.

    Raises:
        KeyError: a wish is not one of those that scenarios know.
    """
    settings: dict[str, Any] = {"slots": slots, "working_dir": working_dir}
    options = Options(model="sonnet")
    plan = Plan()
    for wish, value in wishes.items():
        match wish:
            case "budget":
                plan = replace(plan, budget=microdollars(value))
            case "task budget":
                settings["task_budget"] = microdollars(value)
            case "log":
                plan = replace(plan, durable=value == "file")
            case "session":
                settings["session"] = value
            case "model":
                options = replace(options, model=value)
            case "permission mode":
                options = replace(options, permission_mode=value)
            case "system prompt":
                options = replace(options, system_prompt=value)
            case "own worktrees":
                settings["worktree"] = value == "yes"
            case "skill commands":
                plan = replace(plan, skill_commands=value == "allowed")
            case "free disk":
                plan = replace(plan, disk_floor=int(value.removesuffix(" MB")))
            case "free memory":
                plan = replace(plan, memory_floor=int(value.removesuffix(" MB")))
            case "CLI" if value == "missing":
                plan = replace(plan, cli=False)
            case "CLI":
                plan = replace(plan, persona=_CLI[value])
            case _ if wish in _NUMBERS:
                settings[_NUMBERS[wish]] = int(value)
            case _:
                settings[_SECONDS[wish]] = int(value.removesuffix(" s")) * 1000
    return replace(plan, settings=Settings(options=options, **settings))
