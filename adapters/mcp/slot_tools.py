"""Toolset slots: who the slots are, and how many."""

from __future__ import annotations

from typing import Any, Literal

from claude_pool.domain.slot import ConfigureSlot
from claude_pool.domain.values import Options
from pydantic import Field

from ..views import View
from .arguments import Arguments
from .fields import Label, Line, LongText, Model, PermissionMode, Role, Rules, Slots
from .pool_tools import STATUS
from .schemas import result_schema
from .task_arguments import Effort
from .tool import Call, Tool

SlotState = Literal["starting", "idle", "busy", "draining", "failed", "stopped"]


class OneSlot(Arguments):
    """Names a slot."""

    slot_id: str = Field(description="Such as slot-0.")


class ConfigureArguments(OneSlot):
    """What to change about a slot; what is left out stays."""

    name: Label | None = Field(default=None, description="What it is called; its conversations are told.")
    role: Role | None = Field(default=None, description="What it is for; tasks can ask for a role.")
    description: Line | None = Field(default=None, description="More about it, told to its conversations.")
    model: Model | None = Field(default=None, description="Model of tasks that name none.")
    effort: Effort | None = Field(default=None, description="Effort of tasks that name none.")
    permission_mode: PermissionMode | None = Field(
        default=None, description="What it may do unasked, as for a task."
    )
    system_prompt: LongText | None = Field(
        default=None, description="System prompt of tasks that bring none."
    )
    allowed_tools: Rules | None = Field(default=None, description="Tools that need no permission in it.")


class FindArguments(Arguments):
    """Which slots to find; all that is given must match."""

    name: Label | None = Field(default=None, description="Exactly this name.")
    role: Label | None = Field(default=None, description="Exactly this role.")
    state: SlotState | None = Field(default=None, description="In this state now.")


class ScaleArguments(Arguments):
    """By how many slots."""

    count: Slots = Field(description="How many slots.")


class ScaleUpArguments(ScaleArguments):
    """By how many slots more, once."""

    idempotency_key: Line | None = Field(default=None, description="The same key adds them once.")


class TargetArguments(Arguments):
    """To how many slots."""

    target: Slots = Field(description="How many slots there shall be.")


async def _configure(call: Call, given: ConfigureArguments) -> View:
    identity = ConfigureSlot(given.slot_id, given.name, given.role, given.description)
    options = Options(
        model=given.model,
        effort=given.effort,
        system_prompt=given.system_prompt,
        permission_mode=given.permission_mode,
        allowed_tools=tuple(given.allowed_tools or ()),
    )
    return await call.application.slots.configure(given.slot_id, identity, options, call.origin)


async def _find(call: Call, given: FindArguments) -> View:
    return call.application.slots.find(given.name, given.role, given.state)


async def _claim(call: Call, given: OneSlot) -> View:
    return await call.application.slots.claim(given.slot_id, call.origin)


async def _scale_up(call: Call, given: ScaleUpArguments) -> View:
    return await call.application.slots.scale(given.count, call.origin, given.idempotency_key)


async def _scale_down(call: Call, given: ScaleArguments) -> View:
    return await call.application.slots.scale(-given.count, call.origin)


async def _set_target(call: Call, given: TargetArguments) -> View:
    return await call.application.slots.set_target(given.target, call.origin)


SLOT_TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "pool_configure_slot",
        "slots",
        "Give a slot a name, role, description or options of its own; what you leave out stays as it is. "
        "Holds from its next task on.",
        ConfigureArguments,
        result_schema("slot_id", "state", slot_id="string", state="string"),
        _configure,
        repeats=True,
    ),
    Tool(
        "pool_find_slots",
        "slots",
        "Find the slots in service by name, role and state.",
        FindArguments,
        result_schema("slots", slots="array"),
        _find,
        reads=True,
    ),
    Tool(
        "pool_claim",
        "slots",
        "Have a free slot take the first pending task that may run in it, now. The ordinary rules hold: "
        "it passes over neither budget nor pause. Says whether it did, and why.",
        OneSlot,
        result_schema("claimed", "reason", claimed="boolean", task_id="string", reason="string"),
        _claim,
        works=True,
    ),
    Tool(
        "pool_scale_up",
        "slots",
        "Add slots, up to the pool's maximum. Returns the status.",
        ScaleUpArguments,
        STATUS,
        _scale_up,
    ),
    Tool(
        "pool_scale_down",
        "slots",
        "Take slots out of service, down to the pool's minimum; free ones first, busy ones end their "
        "task. Returns the status.",
        ScaleArguments,
        STATUS,
        _scale_down,
        destroys=True,
    ),
    Tool(
        "pool_set_target_slots",
        "slots",
        "Set how many slots there shall be, within the pool's bounds. Returns the status.",
        TargetArguments,
        STATUS,
        _set_target,
        destroys=True,
        repeats=True,
    ),
)
