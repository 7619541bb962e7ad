"""The state of one fake CLI process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool.adapters.demo.script import is_object

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.conversation import Conversation, Conversations, new_id
from tests.fakes.fakecli.inbox import Inbox
from tests.fakes.fakecli.ledger import Account, resolved
from tests.fakes.fakecli.model import Model
from tests.fakes.fakecli.options import OLD_VERSION, VERSION, Options
from tests.fakes.fakecli.personas import Personas
from tests.fakes.fakecli.questions import Questions
from tests.fakes.fakecli.tools import BUILT_IN, Shell
from tests.fakes.fakecli.wire import Line, Wire


@dataclass
class Cli:
    """One fake CLI process. `servers` are the tools of the host's servers, and whether each only reads.
    `greeted` is set while no server of the host is being asked for its tools;
    `seen` are the ids of the prompts that came in.
    """

    options: Options
    environment: Mapping[str, str]
    personas: Personas
    conversations: Conversations
    conversation: Conversation
    cwd: str
    wire: Wire
    inbox: Inbox
    model: Model
    shell: Shell
    questions: Questions
    account: Account
    mode: str
    model_name: str
    servers: dict[str, dict[str, bool]] = field(default_factory=dict[str, dict[str, bool]])
    greeted: threading.Event = field(default_factory=threading.Event)
    seen: set[str] = field(default_factory=set[str])
    results: int = 0
    last_was_error: bool = False
    leaving: bool = False

    @property
    def old(self) -> bool:
        """Whether to behave like 2.1.197."""
        return "old" in self.personas

    @property
    def version(self) -> str:
        """The version it says it is."""
        return OLD_VERSION if self.old else VERSION

    @property
    def session(self) -> str:
        """The conversation's id."""
        return self.conversation.session

    @property
    def billed_model(self) -> str:
        """The model that answers: planning with haiku is done by sonnet."""
        planning = self.mode == "plan" and self.model_name == resolved("haiku")
        return resolved("sonnet") if planning else self.model_name

    @property
    def logged_in(self) -> bool:
        """Whether there is anything to authenticate with."""
        names = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
        return any(self.environment.get(name) for name in names)

    def tools(self) -> tuple[str, ...]:
        """The tools that the model may ask for."""
        wanted = self.options.text("tools")
        names = BUILT_IN if wanted is None or wanted == "default" else self.options.list("tools")
        removed = self.options.list("disallowedTools", "disallowed-tools")
        names += ("StructuredOutput",) if self.options.schema is not None else ()
        names += tuple(f"mcp__{server}__{tool}" for server, tools in self.servers.items() for tool in tools)
        return tuple(name for name in names if name not in removed)

    def emit_init(self, uuids: tuple[str, ...]) -> None:
        """Print the line that begins every turn."""
        if "noinit" in self.personas:
            return
        key = "ANTHROPIC_API_KEY" if self.environment.get("ANTHROPIC_API_KEY") else "none"
        line: Line = {
            "cwd": self.cwd,
            "tools": list(self.tools()),
            "mcp_servers": [{"name": name, "status": "connected", "source": "sdk"} for name in self.servers],
            "model": self.model_name,
            "permissionMode": self.mode,
            "slash_commands": ["clear", "compact", "context", "cost", "effort", "model"],
            "apiKeySource": key,
            "claude_code_version": self.version,
            "output_style": "default",
            "agents": [],
            "skills": [],
            "plugins": [],
        }
        if not self.old:
            line |= {"capabilities": list(lines.CAPABILITIES), "original_cwd": self.cwd}
            line |= {"user_message_uuids": list(uuids)} if uuids else {}
        self.wire.emit(lines.system(self.session, "init", **line))

    def emit_lifecycle(self, uuids: tuple[str, ...], state: str) -> None:
        """Tell what became of prompts."""
        if not self.old:
            for uuid in uuids:
                self.wire.emit(lines.lifecycle(self.session, uuid, state))


def open_cli(options: Options, personas: Personas, environment: Mapping[str, str], cwd: str) -> Cli:
    """A CLI in its first state, without a conversation yet."""
    wire, inbox = Wire(personas), Inbox()
    persistent = not options.on("no-session-persistence")
    conversations = Conversations(environment, cwd, persistent)
    calls = options.text("fake-calls")
    stop = inbox.stop
    mode = options.text("permission-mode") or "default"
    cli = Cli(
        options=options,
        environment=environment,
        personas=personas,
        conversations=conversations,
        conversation=conversations.new(options.text("session-id") or new_id()),
        cwd=cwd,
        wire=wire,
        inbox=inbox,
        model=Model(environment, conversations.root / "fake-faults", stop, Path(calls) if calls else None),
        shell=Shell(environment, cwd),
        questions=Questions(wire),
        account=Account(),
        mode="default" if mode == "manual" else mode,
        model_name=resolved(options.text("model")),
    )
    cli.greeted.set()
    return cli


def crash(code: int) -> None:
    """Leave with a stack trace, as a program does that has a defect."""
    trace = (
        "TypeError: undefined is not a function\n    at run (/$bunfs/root/src/entrypoints/cli.js:4711:17)\n"
    )
    os.write(2, trace.encode())
    os._exit(code)


def decoded(line: bytes) -> Line:
    """The object on a line, empty for another JSON value; bytes that are no UTF-8 are replaced.

    Raises:
        ValueError: it is no JSON.
    """
    value = json.loads(line.decode("utf-8", "replace"))
    return value if is_object(value) else {}
