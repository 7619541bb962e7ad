"""The process: its start, its stdin, its signals, its turns and its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.commands import run_command
from tests.fakes.fakecli.control import answer_control
from tests.fakes.fakecli.conversation import Conversation, new_id
from tests.fakes.fakecli.inbox import Prompt
from tests.fakes.fakecli.mischief import leave_daemon
from tests.fakes.fakecli.options import OLD_VERSION, VERSION, Refused, parse_options
from tests.fakes.fakecli.personas import Personas
from tests.fakes.fakecli.state import Cli, crash, decoded, open_cli
from tests.fakes.fakecli.turn import Turn
from tests.fakes.fakecli.wire import Line

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PEER = Prompt(
    "[[usage: input=1000 output=100]] [[reply: A peer wanted this.]] [[slow: 50ms x 5]]",
    origin={"kind": "peer", "from": "uds:/tmp/cc-socks/1.sock", "name": "slotA", "fromMode": "bypass"},
)
_UNASKED = replace(_PEER, text=_PEER.text.replace("50ms", "2s"))
"""The same with time for a slow machine to interrupt it."""


def main(words: Sequence[str]) -> NoReturn:
    """Be the CLI, to the end of the process."""
    try:
        options = parse_options(words)
        personas = Personas(options.text("fake-persona") or "")
        if options.on("version"):
            print(f"{OLD_VERSION if 'old' in personas else VERSION} (Claude Code)")
            _leave(0)
        _start_as(personas)
        cli = open_cli(options, personas, dict(os.environ), os.getcwd())
        _watch_signals(cli)
        _open_conversation(cli)
    except (Refused, ValueError) as error:
        _refuse(str(error))
    threading.Thread(target=_read_stdin, args=(cli,), daemon=True).start()
    _serve(cli)


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    os._exit(code)


def _refuse(text: str) -> NoReturn:
    os.write(2, f"{text}\n".encode())
    _leave(1)


def _start_as(personas: Personas) -> None:
    if (code := personas.number("crashstart", 1)) is not None:
        crash(code)
    if "noterm" in personas:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    if "mute" in personas:
        threading.Event().wait()
    time.sleep((personas.number("slowstart", 1000) or 0) / 1000)


def _open_conversation(cli: Cli) -> None:
    """Begin, resume or fork a conversation, or refuse as the real CLI does."""
    options, known = cli.options, cli.conversations
    resume, chosen = options.text("resume"), options.text("session-id")
    if resume is None:
        if known.exists(cli.session):
            raise Refused(f"Error: Session ID {cli.session} is already in use.")
        cli.conversation.record({"type": "prompt_snapshot", "text": options.system_prompt()})
        return
    if "nosession" in cli.personas or not known.exists(resume):
        _refuse_resume(cli, resume)
    cli.conversation = known.load(resume)
    if options.on("fork-session"):
        cli.conversation = known.fork(cli.conversation, chosen or new_id())
    _take_over(cli, cli.conversation)


def _take_over(cli: Cli, conversation: Conversation) -> None:
    if not cli.old:
        cli.account.restore(conversation.account)
    if cli.options.text("system-prompt-snapshot") == "off" or cli.options.on("bare"):
        conversation.record({"type": "prompt_snapshot", "text": cli.options.system_prompt()})


def _refuse_resume(cli: Cli, session: str) -> NoReturn:
    text = f"No conversation found with session ID: {session}"
    line: Line = {
        "type": "result",
        "subtype": "error_during_execution",
        "is_error": True,
        "num_turns": 0,
        "stop_reason": None,
        "session_id": session,
        "total_cost_usd": 0,
        "usage": lines.usage_line({}),
        "modelUsage": {},
        "permission_denials": [],
        "errors": [text],
        "uuid": new_id(),
    }
    cli.wire.emit(line)
    _refuse(text)


def _read_stdin(cli: Cli) -> None:
    prompts = 0
    for raw in sys.stdin.buffer:
        if raw.strip():
            prompts += _accept(cli, raw)
        if prompts and "closestdin" in cli.personas:
            os.close(0)
            return
        if prompts and "noread" in cli.personas:
            return
    if "linger" not in cli.personas:
        cli.inbox.close()


def _accept(cli: Cli, raw: bytes) -> int:
    """Take in one line; how many prompts it holds."""
    try:
        line = decoded(raw)
    except ValueError:
        text = raw.decode("utf-8", "replace").strip()
        _die(cli, f"Error parsing streaming input line (type=unknown, {len(text)} chars): SyntaxError")
    kind = line.get("type")
    if kind == "control_request":
        answer_control(cli, str(line.get("request_id")), line.get("request") or {})
    elif kind == "control_response":
        cli.questions.answer(line.get("response") or {})
    elif kind == "user":
        return _accept_prompt(cli, line)
    return 0


def _accept_prompt(cli: Cli, line: Line) -> int:
    message: Line = line.get("message") or {}
    role = message.get("role", "undefined")
    if role != "user":
        _die(cli, f"Error: Expected message role 'user', got '{role}'")
    content = message.get("content", "")
    if not isinstance(content, str):
        blocks: list[Line] = content
        content = "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    uuids = (str(line["uuid"]),) if "uuid" in line else ()
    if uuids and uuids[0] in cli.seen:
        return 0
    cli.seen.update(uuids)
    if uuids and uuids[0] in cli.conversation.message_ids:
        cli.emit_lifecycle(uuids, "completed")
        return 0
    cli.emit_lifecycle(uuids, "queued")
    cli.inbox.put(Prompt(str(content), uuids))
    return 1


def _die(cli: Cli, text: str) -> NoReturn:
    cli.shell.kill()
    _refuse(text)


def _watch_signals(cli: Cli) -> None:
    """Hand signals to a thread: a handler in the main thread could meet a lock that it holds."""
    if "noterm" in cli.personas:
        return
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in _SIGNALS:
        signal.signal(number, _ignore)

    def watch() -> None:
        while data := os.read(read_end, 1):
            _on_signal(cli, data[0])

    threading.Thread(target=watch, daemon=True).start()


def _ignore(_: int, __: FrameType | None) -> None:
    """A signal that the watching thread deals with."""


def _on_signal(cli: Cli, number: int) -> None:
    if number == signal.SIGINT and cli.inbox.busy:
        cli.leaving = True
        cli.inbox.interrupt(cancel_waiting=True)
        return
    if number == signal.SIGINT:
        _leave(0)
    if "respawn" in cli.personas:
        leave_daemon()
    if not cli.old and cli.shell.kill():
        content: Line = {"type": "tool_result", "content": "Exit code 137", "is_error": True}
        cli.wire.emit(lines.user(cli.session, [content], tool_use_result="Error: Exit code 137"))
    _leave(128 + number)


def _serve(cli: Cli) -> NoReturn:
    """Run turns until there are no more."""
    while (prompt := cli.inbox.take()) is not None:
        _run(cli, prompt)
        if cli.leaving:
            _leave(0)
        if (code := cli.personas.number("crashafter", 1)) is not None:
            crash(code)
    _leave(1 if cli.last_was_error else 0)


def _run(cli: Cli, prompt: Prompt) -> None:
    if prompt.command:
        run_command(cli, prompt)
        return
    peer = cli.personas.argument("peer")
    if peer == "":
        Turn(cli, _PEER).run()
    Turn(cli, prompt).run()
    if "after" in (peer, cli.personas.argument("peer")):
        cli.wire.hold()  # whoever reads of it may interrupt it at once, and shall find the model at work
        Turn(cli, _UNASKED).run()
        cli.wire.release()
