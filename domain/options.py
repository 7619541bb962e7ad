"""Which value of an option holds for a task, and where it came from: task over slot over pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from hashlib import sha256

from .values import Options

DEFAULT_PERMISSION_MODE = "plan"

_SINGLE = (
    "model", "effort", "system_prompt", "permission_mode", "max_turns", "fallback_model", "timeout_ms",
    "working_dir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resolved:
    """The options of an attempt, and for each one that is set its source: task, slot, pool or default."""

    options: Options
    sources: Mapping[str, str]


@lru_cache(maxsize=1024)
def resolve(task: Options, slot: Options, pool: Options) -> Resolved:
    """Combine three layers.

    Single values: the nearest layer that sets one. `allowed_tools`: all layers, nearest last.
    `mcp_servers`: by name, the nearest wins. `disallowed_tools`: pool and task together, because a
    prohibition of the pool must not be lifted by a task. `tools`, `json_schema` and `max_budget`: only
    the task's.
    """
    layers = (("task", task), ("slot", slot), ("pool", pool))
    sources: dict[str, str] = {}
    chosen: dict[str, object] = {}
    for name in _SINGLE:
        for source, layer in layers:
            value = getattr(layer, name)
            if value is not None:
                chosen[name], sources[name] = value, source
                break
    if "permission_mode" not in chosen:
        chosen["permission_mode"], sources["permission_mode"] = DEFAULT_PERMISSION_MODE, "default"
    allowed = _union(pool.allowed_tools, slot.allowed_tools, task.allowed_tools)
    disallowed = _union(pool.disallowed_tools, task.disallowed_tools)
    servers = dict(pool.mcp_servers) | dict(slot.mcp_servers) | dict(task.mcp_servers)
    for name, values in (
        ("allowed_tools", [(s, bool(o.allowed_tools)) for s, o in layers]),
        ("disallowed_tools", [(s, bool(o.disallowed_tools)) for s, o in layers if s != "slot"]),
        ("mcp_servers", [(s, bool(o.mcp_servers)) for s, o in layers]),
        ("tools", [("task", task.tools is not None)]),
        ("json_schema", [("task", task.json_schema is not None)]),
        ("max_budget", [("task", task.max_budget is not None)]),
    ):
        if given := [source for source, present in values if present]:
            sources[name] = "+".join(given)
    options = Options(
        allowed_tools=allowed,
        disallowed_tools=disallowed,
        tools=task.tools,
        mcp_servers=tuple(sorted(servers.items())),
        json_schema=task.json_schema,
        max_budget=task.max_budget,
        **chosen,  # type: ignore[arg-type]  # names and types are those of Options, read above
    )
    return Resolved(options, sources)


def overlaid(present: Options, given: Options) -> Options:
    """`present` with what `given` sets; what is None or empty there stays as it is."""
    changes = {field.name: value for field in fields(given) if (value := getattr(given, field.name))}
    return replace(present, **changes)


def _union(*layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for layer in layers for name in layer))


def launch_key(options: Options, identity: tuple[str | None, ...], surroundings: str) -> str:
    """What a process is bound to, as 16 hex digits: a task with another key needs another process.

    `identity` is the slot's name, role and description, which its process is told once. `surroundings`
    digests what the adapter adds: the project's text, the environment, the account.
    Model, effort and permission mode are not in it: they change in process, but for the mode
    `bypassPermissions`, which a process must be started with.
    """
    parts = (
        options.working_dir, options.system_prompt, options.allowed_tools, options.disallowed_tools,
        options.tools, options.mcp_servers, options.json_schema, options.max_turns, options.fallback_model,
        identity, surroundings, options.permission_mode == "bypassPermissions",
    )  # fmt: skip
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def derived_session(*salt: str) -> str:
    """A conversation id that is the same for the same `salt`: a UUID (version 4 layout) from its digest."""
    digest = sha256("\0".join(salt).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
