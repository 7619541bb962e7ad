"""Value objects that every aggregate speaks of: texts, tokens, outcomes, options, ids.

Money is an integer number of microdollars (1 USD = 1,000,000); time is an integer number of
milliseconds since the Unix epoch, UTC. Both arrive from outside; nothing here reads a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

INLINE_TEXT_BYTES = 2048
"""Texts up to this many UTF-8 bytes stand in the event; larger ones are content-addressed files."""

ROUTER_TAG = "router"
"""The tag of tasks that ask which way other work shall be done."""

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_ID = re.compile(r"(task|chain|msg|question)-[a-z2-7]{16}")
_SLOT_ID = re.compile(r"slot-(0|[1-9][0-9]{0,5})")
_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_task_id(text: str) -> bool:
    """Whether `text` has the form of a task id: `task-` and 16 lower-case base32 characters."""
    return text.startswith("task-") and _ID.fullmatch(text) is not None


def is_slot_id(text: str) -> bool:
    """Whether `text` has the form of a slot id: `slot-` and a number without leading zeros."""
    return _SLOT_ID.fullmatch(text) is not None


def is_session_id(text: str) -> bool:
    """Whether `text` has the form of a conversation id: a lower-case UUID."""
    return _SESSION_ID.fullmatch(text) is not None


def is_chain_id(text: str) -> bool:
    """Whether `text` has the form of a chain id: `chain-` and 16 lower-case base32 characters."""
    return text.startswith("chain-") and _ID.fullmatch(text) is not None


def kind_of(identity: str) -> str | None:
    """What an id names by its form: `task`, `chain`, `slot`, or None."""
    kinds = {"task": is_task_id, "chain": is_chain_id, "slot": is_slot_id}
    return next((kind for kind, fits in kinds.items() if fits(identity)), None)


def derived_id(kind: str, *parts: str) -> str:
    """The id that is the same for the same `parts`: `kind`, `-`, and 16 lower-case base32 characters."""
    digest = sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest[:10])
    return f"{kind}-" + "".join(_BASE32[number >> shift & 31] for shift in range(75, -1, -5))


def attempt_id(task_id: str, number: int) -> str:
    """The id of attempt `number` (1, 2, 3 …) of a task: `task-….1`."""
    return f"{task_id}.{number}"


def dollars(microdollars: int) -> str:
    """An amount for people, to the microdollar: `$1,234.000500`."""
    whole, rest = divmod(abs(microdollars), 1_000_000)
    return f"{'-' if microdollars < 0 else ''}${whole:,}.{rest:06}"


def counted(number: int, what: str) -> str:
    """A number of things for people: `1 task`, `2 tasks`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


@dataclass(frozen=True)
class Text:
    """A text in an event: `inline` when short, else the SHA-256 (`blob`, hex) of a file that holds it.

    `size` is the length in UTF-8 bytes; `head` is the beginning of a text that lies in a blob.
    """

    inline: str | None = None
    blob: str | None = None
    size: int = 0
    head: str | None = None


@dataclass(frozen=True)
class Tokens:
    """Tokens that the provider served, by price class."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        """The sum, class by class."""
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def total(self) -> int:
        """All tokens together."""
        return self.input + self.output + self.cache_read + self.cache_write


@dataclass(frozen=True)
class Transcript:
    """Evidence of an attempt: length in bytes and SHA-256 (hex) of the lines its slot printed."""

    length: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Denial:
    """A tool use that the CLI asked about and was refused."""

    tool: str
    reason: str = ""


class End(StrEnum):
    """How an attempt ended, as its slot saw it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class LimitKind(StrEnum):
    """What kept the provider from serving: the account's use or rate, its own load, the login, money, or
    no way to it.
    """

    USAGE = "usage"
    RATE = "rate"
    OVERLOADED = "overloaded"
    LOGIN = "login"
    BILLING = "billing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Limit:
    """The provider serves nobody of this account for now; `until` (ms) is when it said that this ends."""

    kind: LimitKind
    until: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt. The adapter makes it from the slot's own lines, its intent and the exit.

    `code` and `message` are set where `end` is not `SUCCEEDED`. `cost` is in microdollars and
    `estimated` says that it comes from our meter rather than from the CLI's own account. `variables`
    are the values that the task's `output_vars` name in its output. `context` is how many tokens the
    conversation held after the attempt's last call of the model (0: unknown), and `unpriced` says that a
    model was used which the price list does not name. `limit` is what the
    provider would not serve the attempt for. `head` is the commit that holds what the attempt left in its
    chain's copy of a repository (empty: none does).
    """

    end: End
    code: str | None = None
    message: str | None = None
    retryable: bool = False
    output: Text = Text()
    structured_output: Text | None = None
    turns: int = 0
    model: str | None = None
    cost: int = 0
    estimated: bool = False
    tokens: Tokens = Tokens()
    denials: tuple[Denial, ...] = ()
    transcript: Transcript = Transcript()
    variables: tuple[tuple[str, Text], ...] = ()
    context: int = 0
    unpriced: bool = False
    limit: Limit | None = None
    head: str = ""


class SessionMode(StrEnum):
    """Which conversation a task runs in."""

    FRESH = "fresh"
    SLOT = "slot"
    RESUME = "resume"
    FORK = "fork"


@dataclass(frozen=True)
class SessionPolicy:
    """`fresh`, `slot`, `resume:<session>` or `fork:<session>`."""

    mode: SessionMode = SessionMode.FRESH
    session: str | None = None


def parse_session(text: str) -> SessionPolicy | None:
    """The policy that `text` names, or None where it names none."""
    if text in ("fresh", "slot"):
        return SessionPolicy(SessionMode(text))
    mode, _, session = text.partition(":")
    if mode in ("resume", "fork") and is_session_id(session):
        return SessionPolicy(SessionMode(mode), session)
    return None


@dataclass(frozen=True)
class Options:
    """What may be set for a pool, a slot or a task. None (or empty) means: not set here.

    `mcp_servers` pairs a name with canonical JSON text; `json_schema` is canonical JSON text.
    `tools` distinguishes None (all of them) from an empty tuple (none).
    """

    model: str | None = None
    effort: str | None = None
    system_prompt: str | None = None
    permission_mode: str | None = None
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    tools: tuple[str, ...] | None = None
    mcp_servers: tuple[tuple[str, str], ...] = ()
    json_schema: str | None = None
    max_turns: int | None = None
    fallback_model: str | None = None
    max_budget: int | None = None
    timeout_ms: int | None = None
    working_dir: str | None = None


@dataclass(frozen=True)
class Part:
    """Which step of which chain a task is; `run` is 1, or 2 for the step's recovery."""

    chain_id: str
    step: str
    run: int = 1


@dataclass(frozen=True)
class Filling:
    """What a placeholder of a prompt stands for: texts, which an empty line parts."""

    placeholder: str
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class TaskSpec:
    """One piece of work as it was accepted: a prompt and everything the caller chose about it.

    `review` is the number of the rejection with which the task fails (1, 2, 3 …); None: nobody reviews it.
    `part` and `fillings` are a chain step's: where it belongs, and what fills its prompt's placeholders.
    `output_vars` pairs a name with the path of its value in the output. `backoff_ms` is the first wait
    between attempts (None: the usual one). `skill` says which skill the prompt was made of: its name, `@`,
    and 16 hex digits of its digest. `forked` is the task whose conversation it begins with a copy of.
    """

    prompt: Text
    options: Options = Options()
    session: str | None = None
    slot: str | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    retries: int = 0
    on_interrupt: str = "resume"
    review: int | None = None
    backoff_ms: int | None = None
    output_vars: tuple[tuple[str, str], ...] = ()
    part: Part | None = None
    fillings: tuple[Filling, ...] = ()
    skill: str | None = None
    forked: str | None = None
