"""What can change while a CLI process lives: model, effort and permission mode."""

from __future__ import annotations

from claude_pool.domain.ports import Launch, Turn

from .argv import DEFAULT_PERMISSION_MODE, check_effort, check_model, check_permission_mode
from .controls import Controls

_ANSWER_SECONDS = 10.0


class InProcessSettings:
    """The values in force in one process. What a turn leaves open is what the process was launched with."""

    def __init__(self, launch: Launch) -> None:
        """A process just launched has what its launch says."""
        self._launched = launch
        self._model = launch.model
        self._effort = launch.effort
        self._mode = launch.permission_mode or DEFAULT_PERMISSION_MODE

    async def apply(self, turn: Turn, controls: Controls) -> None:
        """Bring the process to what `turn` asks, by as few requests as possible.

        Raises:
            SlotFailure: `invalid_argument`; nothing was changed.
            ControlRefused: the CLI refused; what was applied before stays.
        """
        launched = self._launched
        model = turn.model or launched.model
        effort = turn.effort or launched.effort
        mode = turn.permission_mode or launched.permission_mode or DEFAULT_PERMISSION_MODE
        check_model("model", model)
        check_effort(effort)
        check_permission_mode(mode)
        if model != self._model:
            await controls.ask("set_model", _ANSWER_SECONDS, model=model)
            self._model = model
        if effort != self._effort:
            await controls.ask("apply_flag_settings", _ANSWER_SECONDS, settings={"effortLevel": effort})
            self._effort = effort
        if mode != self._mode:
            await controls.ask("set_permission_mode", _ANSWER_SECONDS, mode=mode)
            self._mode = mode
