"""What can change while a CLI process lives: model, effort and permission mode."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool.domain.ports import Launch, Turn
from claude_pool.domain.prices import PriceList

from .argv import DEFAULT_PERMISSION_MODE, check_effort, check_model, check_permission_mode
from .controls import Controls

_ANSWER_SECONDS = 10.0


class InProcessSettings:
    """The values in force in one process. What a turn leaves open is the CLI's own default."""

    def __init__(self, launch: Launch, prices: PriceList) -> None:
        """A process just launched has what its launch says; `prices` know the CLI's own names for models."""
        self._model = launch.model
        self._effort = launch.effort
        self._mode = launch.permission_mode or DEFAULT_PERMISSION_MODE
        self._default_model: str | None = None
        self._familiar = {*prices.aliases, prices.aliases.get("default")}

    def note_model(self, model: str) -> None:
        """The process says which model it uses. Unless one was chosen, that is the user's own default, which
        the CLI would not find back to by itself."""
        if self._model is None and model:
            self._default_model = model

    async def apply(self, turn: Turn, controls: Controls, on_check: Callable[[str], None]) -> None:
        """Bring the process to what `turn` asks, by as few requests as possible.

        `on_check` is told the model that the CLI asked the API about, where it had to: newer ones do that
        once in a process for every name that is not one of their own.

        Raises:
            SlotFailure: `invalid_argument`; nothing was changed.
            ControlRefused: the CLI refused; what was applied before stays.
        """
        mode = turn.permission_mode or DEFAULT_PERMISSION_MODE
        check_model("model", turn.model)
        check_effort(turn.effort)
        check_permission_mode(mode)
        if turn.model != self._model:
            wanted = turn.model or self._default_model
            await controls.ask("set_model", _ANSWER_SECONDS, model=wanted)
            self._model = turn.model
            self._note(wanted, on_check)
        if turn.effort != self._effort:
            settings = {"effortLevel": turn.effort}
            await controls.ask("apply_flag_settings", _ANSWER_SECONDS, settings=settings)
            self._effort = turn.effort
        if mode != self._mode:
            await controls.ask("set_permission_mode", _ANSWER_SECONDS, mode=mode)
            self._mode = mode

    def _note(self, model: str | None, on_check: Callable[[str], None]) -> None:
        name = (model or "default").removesuffix("[1m]").lower()
        if name not in self._familiar:
            self._familiar.add(name)
            on_check(name)
