"""A canonical text of everything in the live view: two folds of one log must agree on it byte for byte."""

from __future__ import annotations

from hashlib import sha256

from .world import World


def canonical(world: World) -> str:
    """All fields of the view, in a fixed order, one aggregate a line."""
    lines = [f"position {world.position}", f"pool {world.pool!r}"]
    lines += [f"slot {slot_id} {state!r}" for slot_id, state in sorted(world.slots.items())]
    lines += [f"task {task_id} {state!r}" for task_id, state in sorted(world.tasks.items())]
    lines += [f"chain {chain_id} {state!r}" for chain_id, state in sorted(world.chains.items())]
    lines += [f"version {stream} {version}" for stream, version in sorted(world.versions.items())]
    lines += [f"pending {world.pending!r}", f"parked {sorted(world.parked)!r}"]
    lines += [f"unstarted {list(world.unstarted)!r}"]
    lines += [f"running {sorted(world.running)!r}", f"sessions {sorted(world.sessions.items())!r}"]
    lines += [f"questions {sorted(world.questions.items())!r}", f"closed {list(world.closed.items())!r}"]
    lines += [f"shown {list(world.shown.items())!r}", f"homes {list(world.homes.items())!r}"]
    lines += [f"contexts {list(world.contexts.items())!r}"]
    lines += [
        f"ranks {sorted(world.ranks.items())!r}",
        f"sealed {sorted(world.sealed)!r}",
        f"in review {world.in_review}",
    ]
    lines += [f"finished {world.completed} {world.failed} {world.cancelled}"]
    return "\n".join(lines)


def digest(world: World) -> str:
    """SHA-256 (hex) of `canonical`."""
    return sha256(canonical(world).encode("utf-8", "surrogatepass")).hexdigest()
