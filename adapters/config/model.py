"""A whole configuration, checked: the options as a model, with the source of each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, cast

from claude_pool.domain.errors import InvalidArgument
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..places import Places
from .amounts import (
    ATTEMPT_SECONDS,
    DEPTH,
    DOLLARS,
    DRAIN_SECONDS,
    IDLE_SECONDS,
    MEGABYTES,
    QUESTION_SECONDS,
    SILENCE_SECONDS,
    SLOTS,
    Range,
    microdollars,
    milliseconds,
    plain,
)
from .layers import Files, combine
from .settings import Settings, settle


def _in(range_: Range) -> BeforeValidator:
    return BeforeValidator(range_.read)


_Count = Annotated[int, _in(SLOTS)]
_Usd = Annotated[float, _in(DOLLARS)]
_Attempt = Annotated[float, _in(ATTEMPT_SECONDS)]
_Silence = Annotated[float, _in(SILENCE_SECONDS)]
_Word = Annotated[str, Field(min_length=1, max_length=200)]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class PoolOptions(BaseModel):
    """The pool's options as they hold. Money in dollars, times in seconds, paths absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    slots: _Count = 2
    model: _Word | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    budget_usd: _Usd | None = None
    soft_budget_usd: _Usd | None = None
    task_budget_usd: _Usd | None = None
    system_prompt: str | None = Field(default=None, max_length=1 << 20)
    permission_mode: Literal["plan", "default", "dontAsk", "acceptEdits", "auto", "bypassPermissions"] = (
        "plan"
    )
    allowed_tools: tuple[_Word, ...] = ()
    disallowed_tools: tuple[_Word, ...] = ()
    prices: str | None = None
    mcp_config: str | None = None
    min_slots: _Count = 1
    max_slots: _Count = 16
    worktree: bool = False
    skills_dir: str | None = None
    no_builtins: bool = False
    no_project_skills: bool = False
    no_global_skills: bool = False
    disable_skill: tuple[_Word, ...] = ()
    allow_skill_commands: bool = False
    task_timeout: _Attempt | None = None
    queue_timeout: _Silence | None = None
    first_output_timeout: _Silence = 120.0
    silence_timeout: _Silence = 300.0
    tool_silence_timeout: _Silence = 660.0
    question_seconds: Annotated[float, _in(QUESTION_SECONDS)] = 60.0
    session: Literal["fresh", "slot"] = "fresh"
    state_dir: str | None = None
    working_dir: str | None = None
    claude: str | None = None
    trust_project: bool = False
    pass_env: tuple[_Variable, ...] = ()
    max_depth: Annotated[int, _in(DEPTH)] = 1
    embedded: bool = False
    on_disconnect: Literal["finish", "stop"] = "finish"
    drain_seconds: Annotated[float, _in(DRAIN_SECONDS)] = 0.0
    idle_exit: Annotated[float, _in(IDLE_SECONDS)] = 60.0
    min_free_disk_mb: Annotated[int, _in(MEGABYTES)] = 200
    min_free_memory_mb: Annotated[int, _in(MEGABYTES)] = 256
    accept_rollback: bool = False
    allow_project_keys: tuple[str, ...] = ()

    @field_validator("soft_budget_usd")
    @classmethod
    def _a_soft_limit_lies_below_the_hard_one(cls, soft: float | None, info: ValidationInfo) -> float | None:
        hard = info.data.get("budget_usd")
        if soft is not None and hard is not None and soft > hard:
            raise ValueError(f"{plain(soft)} is above budget_usd, {plain(hard)}")
        return soft

    @model_validator(mode="after")
    def _slots_lie_between_their_bounds(self) -> Self:
        if self.min_slots > self.max_slots:
            raise ValueError(f"min_slots {self.min_slots} is above max_slots {self.max_slots}")
        if not self.min_slots <= self.slots <= self.max_slots:
            raise ValueError(f"{self.slots} slots are not between {self.min_slots} and {self.max_slots}")
        return self

    @property
    def budget(self) -> int | None:
        """The pool's limit in microdollars, None for no limit."""
        return None if self.budget_usd is None else microdollars(self.budget_usd)

    @property
    def soft_budget(self) -> int | None:
        """Where the pool asks before it goes on, in microdollars; None: as the log has it."""
        return None if self.soft_budget_usd is None else microdollars(self.soft_budget_usd)

    @property
    def task_budget(self) -> int | None:
        """The limit of a task that names none, in microdollars; None for no limit."""
        return None if self.task_budget_usd is None else microdollars(self.task_budget_usd)

    @property
    def task_timeout_ms(self) -> int | None:
        """The limit of an attempt of a task that names none, in milliseconds."""
        return None if self.task_timeout is None else milliseconds(self.task_timeout)

    @property
    def queue_timeout_ms(self) -> int | None:
        """How long a task may wait for its first attempt, in milliseconds; None: for ever."""
        return None if self.queue_timeout is None else milliseconds(self.queue_timeout)


@dataclass(frozen=True)
class Effective:
    """A configuration that holds: checked options, the source of each, and what the caller insisted on.

    `explicit` is what flags and variables set; `environment` digests the variables that decide whose
    account slots use.
    """

    places: Places
    options: PoolOptions
    sources: dict[str, str]
    explicit: dict[str, object]
    environment: dict[str, str]

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Effective:
        """Check what an owner was handed (`Settings.document`, also after a way through JSON).

        Raises:
            InvalidArgument: an option is out of range; the error names where it was set.
        """
        try:
            places = Places(**cast("dict[str, str]", document["places"]))
            sources = cast("dict[str, str]", document["sources"])
            return cls(
                places,
                _check(cast("dict[str, object]", document["options"]), sources),
                sources,
                cast("dict[str, object]", document["explicit"]),
                cast("dict[str, str]", document["environment_digest"]),
            )
        except (KeyError, TypeError) as error:
            raise InvalidArgument(argument="settings", problem=f"incomplete: {error}") from None

    def document(self) -> dict[str, object]:
        """The same as JSON values; `from_document` takes them back."""
        return {
            "places": self.places._asdict(),
            "options": self.options.model_dump(mode="json"),
            "sources": self.sources,
            "explicit": self.explicit,
            "environment_digest": self.environment,
            "idle_exit": self.options.idle_exit,
        }


def effective(settings: Settings) -> Effective:
    """The settings of a caller, checked.

    Raises:
        InvalidArgument: an option is out of range.
    """
    return Effective.from_document(settings.document())


def resolve(flags: Mapping[str, object], environ: Mapping[str, str], base: str | None = None) -> Effective:
    """What holds for a caller in `base` (default: here), checked.

    Raises:
        InvalidArgument: an unknown key, a wrong value or one out of range, named with its place.
    """
    return effective(settle(flags, environ, base))


def resolve_files(
    flags: Mapping[str, object], environ: Mapping[str, str], files: Files, base: str
) -> tuple[PoolOptions, dict[str, str]]:
    """The checked options and their sources, from the files given rather than those found."""
    layers = combine(flags, environ, files, base)
    return _check(layers.values, layers.sources), layers.sources


def _check(values: Mapping[str, object], sources: Mapping[str, str]) -> PoolOptions:
    if sources.get("slots") == "default":
        values = {**values, "slots": _default_slots(values)}
    try:
        return PoolOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # A rule over several options has no place of its own; it is about the number of slots.
        name = str(first["loc"][0]) if first["loc"] else "slots"
        problem = first["msg"].removeprefix("Value error, ")
        source = sources.get(name, "default")
        raise InvalidArgument(argument=f"{name} ({source})", problem=problem) from None


def _default_slots(values: Mapping[str, object]) -> object:
    """The default number of slots, within bounds that someone may have set narrower than it."""
    slots, least, most = (values[name] for name in ("slots", "min_slots", "max_slots"))
    if isinstance(slots, int) and isinstance(least, int) and isinstance(most, int):
        return min(max(slots, least), most)
    return slots
