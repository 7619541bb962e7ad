"""Small readers of text: templates and prompts, names, limits in prose."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import cast

from claude_pool.adapters.claude.limits import limit_in_event, limit_in_result, limit_in_retry, reset_time
from claude_pool.adapters.claude.neutralise import neutralise, shield_prompt, without_mentions
from claude_pool.adapters.claude.stream import items
from claude_pool.adapters.config.values import absolute, read_toolsets, split_list
from claude_pool.adapters.git.names import checked
from claude_pool.adapters.places import SOCKET_PATH_BYTES, find
from claude_pool.domain import values
from claude_pool.domain.chain_graph import Draft, places
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.skills import is_argument_name, is_skill_name
from claude_pool.domain.templates import fill, near_misses, placeholders

from tests.fuzz.engine import Probe, Target, changed, changed_bytes, text, written

# ---------------------------------------------------------------- templates

_PIECES = (
    "{previous_output}", "{error}", "{steps.a.output}", "{steps.b.x}", "{ previous_output }", "{steps.}",
    "{{",
    "}", "{", "{steps.a.output", "text", "\n", "@", "@file", "/clear", " ",
    "{previous_output}{previous_output}",
)  # fmt: skip


def make_template(chance: Random) -> bytes:
    """A prompt, and what its placeholders stand for: text that looks like placeholders, too."""
    template = "".join(
        chance.choice((*_PIECES, text(chance))) for _ in range(chance.choice((1, 3, 8, 60, 3_000)))
    )
    outputs = ["".join(chance.choice((*_PIECES, text(chance))) for _ in range(5)) for _ in range(3)]
    return written(chance, {"template": template, "outputs": outputs})


@contextmanager
def template_ground(_folder: Path) -> Generator[Probe]:
    """Filling is one pass: the template's own text stays, and no output becomes structure."""

    def probe(data: bytes) -> None:
        given = _json(data)
        template = str(given.get("template", ""))
        outputs = [str(each) for each in items(given, "outputs")] or ["x"]
        names = placeholders(template)
        inert = [shield_prompt(without_mentions(each)) for each in outputs]
        filled = fill(template, dict.fromkeys(names, inert[0]))
        parts = (
            re.split("|".join(re.escape("{" + name + "}") for name in names), template)
            if names
            else [template]
        )
        assert filled == inert[0].join(parts)
        near_misses(template)
        for each in outputs:
            calm = neutralise(each)
            assert neutralise(calm) == calm and not calm.startswith("/")
            assert not re.search(r"(?:^|[\s\ufeff])@\S", calm)
            assert each.replace("\u200b", "").strip() == calm.replace("\u200b", "").strip()
        steps = [
            Draft("a", "x", variables=("x",)),
            Draft("b", template),
            Draft("c", outputs[0], ("a", outputs[-1])),
        ]
        try:
            found = places(steps)
        except InvalidArgument as error:
            assert len(error.message) < 5_000
            return
        assert all(name.partition(".")[0] in ("previous_output", "error", "steps") for name in found[1].uses)

    yield probe


# ---------------------------------------------------------------- names

_NAMES = (
    "task-aaaaaaaaaaaaaaaa", "slot-0", "fork:00000000-0000-0000-0000-000000000000", "core,money",
    "a/b,c(d,e)",
    "review-code", "pool://results/task-aaaaaaaaaaaaaaaa", "feature/x", "~/state", "worktree-1", "a.lock",
)  # fmt: skip
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def make_name(chance: Random) -> bytes:
    """A name, or something else."""
    if chance.random() < 0.5:
        return changed_bytes(chance, chance.choice(_NAMES).encode())
    return text(chance).encode("utf-8", "surrogatepass")


@contextmanager
def name_ground(folder: Path) -> Generator[Probe]:
    """What is taken for a name can stand in a path, a branch and a command line."""
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}

    def probe(data: bytes) -> None:
        name = data.decode("utf-8", "surrogateescape")
        for fits in (values.is_task_id, values.is_slot_id, values.is_chain_id, values.is_session_id):
            assert not fits(name) or _SAFE.fullmatch(name)
        for fits in (is_skill_name, is_argument_name):
            assert not fits(name) or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name), name
        if (policy := values.parse_session(name)) is not None and policy.session is not None:
            assert values.is_session_id(policy.session)
        values.kind_of(name)
        values.derived_id("task", name)
        try:
            assert _SAFE.fullmatch(checked(name)) and ".." not in name and len(name) <= 64
        except InvalidArgument as error:
            error.message.encode("utf-8", "replace")
        with suppress(InvalidArgument):
            assert set(read_toolsets(name, "--toolsets").split(","))
        assert all(each == each.strip() and each for each in split_list(name))
        try:
            at = find(environment, str(folder), name if "\0" not in name else None)
        except InvalidArgument:
            return
        assert (
            at.state_dir.startswith("/")
            and len(at.socket.encode("utf-8", "surrogateescape")) <= SOCKET_PATH_BYTES
        )
        assert absolute(name, "/base", "/home/x").startswith("/")

    yield probe


# ---------------------------------------------------------------- limits

_SAID = (
    "You've hit your session limit · resets 3pm (Europe/Zurich)", "Claude AI usage limit reached|1799999999",
    "usage limit reached. resets Oct 3, 2026 at 4:30pm (America/New_York)", "try again in 2h 5m 3s",
    "resets 2026-11-22T10:00:00Z", "retry after 90 seconds", "Your limit resets on feb 29 at 25:61",
    "resets 12am",
    "rate limited", "not your usage limit", "resets in 999d 9999h 99999m 999999s", "reset 0000-00-00 99:99",
    "resets 9999-12-31T23:59:59-12:00", "resets jan 1 9999 12am (Etc/GMT+12)",
    "resets 1pm (../../etc/passwd)",
)  # fmt: skip
_EVENTS = (
    {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_800_000_000}},
    {"type": "system", "subtype": "api_retry", "error_status": 401, "error": "authentication_failed"},
)


def make_limit(chance: Random) -> bytes:
    """What a provider says of a limit, changed; sometimes an event."""
    if chance.random() < 0.3:
        return written(chance, changed(chance, chance.choice(_EVENTS), 0.4))
    said = changed_bytes(chance, chance.choice(_SAID).encode())
    return said * chance.choice((1, 1, 1, 2, 400))


@contextmanager
def limit_ground(_folder: Path) -> Generator[Probe]:
    """Whatever is said, the answer is a time that can be written down, or none."""
    moments = (0, 1_700_000_000_000, 1_762_000_000_000, 253_402_300_799_000, -62_135_596_800_000)

    def sound(until: int | None) -> None:
        assert until is None or abs(until) < 2**53

    def probe(data: bytes) -> None:
        said = data.decode("utf-8", "replace")
        said = said[:50_000]  # the texts of errors are no longer
        for now in moments:
            sound(reset_time(said, now))
        for http, kind in ((429, ""), (None, "rate_limit"), (529, ""), (401, ""), (500, said[:20])):
            limit = limit_in_result(http, kind, said, None, moments[1])
            sound(None if limit is None else limit.until)
        message = _json(data)
        for limit in (limit_in_event(message), limit_in_retry(message)):
            sound(None if limit is None else limit.until)

    yield probe


def _json(data: bytes) -> dict[str, object]:
    """The JSON object that `data` is; an empty one where it is none."""
    try:
        found: object = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


TEMPLATES = Target("templates", make_template, template_ground)
NAMES = Target("names", make_name, name_ground)
LIMITS = Target("limits", make_limit, limit_ground)
