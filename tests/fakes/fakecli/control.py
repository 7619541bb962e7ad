"""Control requests of the host, and how each is answered."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from tests.fakes.fakecli.host_tools import greet_servers
from tests.fakes.fakecli.ledger import resolved
from tests.fakes.fakecli.options import PERMISSION_MODES
from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.wire import Line


class _Error(Exception):
    """The request is refused; `code` is one of the CLI's error codes."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def answer_control(cli: Cli, request_id: str, request: Line) -> None:
    """Carry out one request and answer it; an `initialize` that greets servers does so in a thread."""
    if "deaf" in cli.personas or ("noterm" in cli.personas and request.get("subtype") == "interrupt"):
        return
    if request.get("subtype") == "initialize" and request.get("sdkMcpServers"):
        cli.greeted.clear()
        threading.Thread(target=_answer, args=(cli, request_id, request), daemon=True).start()
        return
    _answer(cli, request_id, request)


def _answer(cli: Cli, request_id: str, request: Line) -> None:
    subtype = str(request.get("subtype"))
    body: Line = {"subtype": "success", "request_id": request_id}
    try:
        carry_out = _REQUESTS.get(subtype)
        if carry_out is None:
            raise _Error(f"Unsupported control request subtype: {subtype}", "unsupported_request")
        response = carry_out(cli, request)
        body |= {"response": response} if response is not None else {}
    except _Error as error:
        body |= {"subtype": "error", "error": str(error)}
        body |= {} if cli.old else {"error_code": error.code}
    cli.wire.emit({"type": "control_response", "response": body})
    if subtype == "end_session":
        os._exit(0)


def _initialize(cli: Cli, request: Line) -> Line:
    names: list[str] = request.get("sdkMcpServers") or []
    greet_servers(cli, names)
    cli.greeted.set()
    response: Line = {"commands": [], "agents": [], "output_style": "default", "models": [], "account": {}}
    if not cli.old:
        response |= {
            "pid": os.getpid(),
            "claude_code_version": cli.version,
            "current_permission_mode": cli.mode,
            "session_state": "idle",
            "capabilities": [],
        }
    return response


def _interrupt(cli: Cli, request: Line) -> Line | None:
    cli.questions.cancel_all()
    waiting, cancelled = cli.inbox.interrupt(bool(request.get("cancel_queued")))
    cli.emit_lifecycle(tuple(cancelled), "cancelled")
    if cli.old:
        return None
    return {"still_queued": waiting, **({"cancelled": cancelled} if request.get("cancel_queued") else {})}


def _set_model(cli: Cli, request: Line) -> Line | None:
    name = str(request.get("model") or "")
    cli.model_name = resolved(name)
    if not cli.old and cli.model_name == name != resolved(None):
        cli.model.look_up(name)
    return None if cli.old else {"model": cli.model_name}


def _set_permission_mode(cli: Cli, request: Line) -> Line | None:
    mode = str(request.get("mode"))
    if mode not in PERMISSION_MODES and not cli.old:
        known = ", ".join(PERMISSION_MODES)
        raise _Error(f"Cannot set permission mode: must be one of {known}", "invalid_mode")
    cli.mode = mode
    return None if cli.old else {"mode": mode}


def _binary_version(cli: Cli, _: Line) -> Line:
    return {"version": cli.version, "buildTime": "2026-11-20T17:34:37Z"}


def _session_cost(cli: Cli, _: Line) -> Line:
    return {"text": f"Estimated cost:        ${cli.account.cost:.4f}"}


def _nothing(_: Cli, __: Line) -> None:
    return None


_REQUESTS: dict[str, Callable[[Cli, Line], Line | None]] = {
    "initialize": _initialize,
    "interrupt": _interrupt,
    "set_model": _set_model,
    "set_permission_mode": _set_permission_mode,
    "apply_flag_settings": _nothing,
    "set_max_thinking_tokens": _nothing,
    "get_binary_version": _binary_version,
    "get_session_cost": _session_cost,
    "end_session": _nothing,
}
