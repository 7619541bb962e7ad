"""Prompts that the CLI answers itself, without the model."""

from __future__ import annotations

import time

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.conversation import new_id
from tests.fakes.fakecli.inbox import Prompt
from tests.fakes.fakecli.ledger import resolved
from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.wire import Line


def run_command(cli: Cli, prompt: Prompt) -> None:
    """Carry out a local command and print its result."""
    cli.personas.begin_turn(())
    cli.wire.begin_turn()
    cli.emit_lifecycle(prompt.uuids, "started")
    command = str(prompt.command)
    text = ""
    if cli.options.on("disable-slash-commands"):
        text = f"{command} isn't available in this environment."
    elif command == "/clear":
        _clear(cli, prompt)
    else:
        text = _other(cli, command, prompt.text.removeprefix(command).strip())
    cli.emit_init(prompt.uuids)
    if text:
        cli.wire.emit(lines.synthetic(cli.session, text, "end_turn"))
    cli.wire.emit(_result(cli, prompt, text))
    cli.last_was_error = False
    cli.emit_lifecycle(prompt.uuids, "completed")


def _clear(cli: Cli, prompt: Prompt) -> None:
    time.sleep((cli.personas.number("slowclear", 3000) or 0) / 1000)
    previous = cli.session
    session = previous if "badclear" in cli.personas else new_id()
    system = cli.conversation.system
    cli.conversation = cli.conversations.new(session)
    cli.conversation.record({"type": "prompt_snapshot", "text": system})
    if cli.old:
        return
    cli.account.reset()
    reset: Line = {
        "type": "conversation_reset",
        "new_conversation_id": session,
        "uuid": new_id(),
        "trigger": "clear",
        "session_id": previous,
    }
    cli.wire.emit(reset | ({"user_message_uuid": prompt.uuids[-1]} if prompt.uuids else {}))
    cli.wire.emit(lines.system(previous, "background_tasks_changed", tasks=[]))


def _other(cli: Cli, command: str, argument: str) -> str:
    if command == "/model" and argument and not cli.old:
        cli.model_name = resolved(argument)
        return f"Set model to `{argument}` for this session only"
    if command in ("/cost", "/usage"):
        return f"Estimated cost: ${cli.account.cost:.4f}"
    return f"{command} done"


def _result(cli: Cli, prompt: Prompt, text: str) -> Line:
    line: Line = {
        "is_error": False,
        "duration_api_ms": 0,
        "num_turns": 0,
        "stop_reason": None,
        "session_id": cli.session,
        "total_cost_usd": cli.account.cost,
        "usage": lines.usage_line({}),
        "modelUsage": cli.account.by_model(),
        "permission_denials": [],
        "subtype": "success",
        "result": text,
        "type": "result",
        "duration_ms": 1,
        "uuid": new_id(),
    }
    if cli.old:
        return {"type": "result", **line}
    line |= {"result_index": cli.results, "model_usage_since_last_result": {}, "queued_turn_count": 0}
    cli.results += 1
    if prompt.uuids:
        line |= {"user_message_uuid": prompt.uuids[-1], "user_message_uuids": list(prompt.uuids)}
    return line
