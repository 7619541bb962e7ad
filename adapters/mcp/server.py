"""The MCP server: one object, composed once, that serves any number of connections."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from claude_pool.domain.errors import ConfigConflict, NotFound, PoolError
from mcp.server import NotificationOptions, Server
from mcp.server.context import ServerRequestContext
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
)

from ..application import Application
from ..redaction import Secrets
from ..views import View
from .arguments import read_arguments
from .changes import ListChanges
from .connection import CURRENT, Connection
from .elicitation import Elicitation
from .fields import DEFAULT_HIGHEST_MODE
from .prompts import Prompts
from .resources import Resources
from .serving import Serving
from .tool import Call, Tool
from .tools import BY_NAME, tools_of
from .transcripts import ReadTranscript
from .unicode import whole_characters
from .watching import LOOK_SECONDS, SkillWatch

NAME = "claude-pool"

INSTRUCTIONS = """\
A pool of Claude Code slots that work for you. Give a task everything in its prompt: a slot does not see \
your conversation.
pool_run waits for one task. pool_submit returns at once; pool_wait then tells, with a cursor, what has \
ended or needs someone. pool_fan_out runs many side by side. Waits are bounded: a task that still runs \
goes on, also when you disconnect, and a later call collects it.
Every task costs money: choose the smallest model that will do, set max_budget_usd, look at cost_usd.
An error begins with a code in brackets and says what to do. A sealed task has an unknown outcome: look \
before you run it again. Give an idempotency_key where you may have to repeat a call."""

Context = ServerRequestContext[Serving, Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PoolServer:
    """The server's handlers over one application."""

    application: Application
    resources: Resources
    prompts: Prompts
    watch: SkillWatch
    changes: ListChanges
    highest_mode: str
    secrets: Secrets

    @asynccontextmanager
    async def lifespan(self, _server: Server[Serving]) -> AsyncGenerator[Serving]:
        """Entered once for each connection, in the task that serves it."""
        serving = Serving(CURRENT.get())
        self.watch.enter()
        try:
            yield serving
        finally:
            self.watch.leave()
            self.changes.forget(serving)

    async def list_tools(self, ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        """The tools of the connection's toolsets."""
        return ListToolsResult(
            tools=[tool.definition for tool in tools_of(ctx.lifespan_context.connection.toolsets)]
        )

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """Run one tool. Whatever goes wrong is a result whose text begins with a code in brackets."""
        connection = ctx.lifespan_context.connection
        try:
            tool = _tool(params.name, connection)
            for name, value in (params.arguments or {}).items():
                self.secrets.refuse(name, value)
            given = read_arguments(tool.arguments, params.arguments, self.highest_mode)
            call = Call(self.application, connection.origin, self.highest_mode, connection.working_dir)
            answer = _answer(await tool.run(call, given))
            await self.watch.tell()
            return answer
        except PoolError as error:
            return _failure(error)
        except Exception:  # what went wrong inside is for the log, not for a client
            _log.exception("tool %s failed", params.name[:60])
            return _failure(PoolError())

    async def list_resources(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """The resources with fixed addresses."""
        return ListResourcesResult(resources=self.resources.listed())

    async def list_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """The addresses with a field."""
        return ListResourceTemplatesResult(resource_templates=self.resources.templates())

    async def read_resource(self, _ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """Read one resource.

        Raises:
            MCPError: it cannot be read; the message begins with a code in brackets.
        """
        with _refusals(f"resource {params.uri[:60]}"):
            return ReadResourceResult(contents=[await self.resources.read(params.uri)])

    async def list_prompts(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        """One prompt for each skill."""
        return ListPromptsResult(prompts=await self.prompts.listed())

    async def get_prompt(self, _ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        """A skill as a prompt.

        Raises:
            MCPError: there is none, or its arguments are wrong; the message begins with a code in brackets.
        """
        with _refusals(f"prompt {params.name[:60]}"):
            return await self.prompts.get(params.name, params.arguments or {})


@contextmanager
def _refusals(what: str) -> Generator[None]:
    """Make of what goes wrong inside an error of the protocol."""
    try:
        yield
    except PoolError as error:
        number = INTERNAL_ERROR if error.code == PoolError.code else INVALID_PARAMS
        raise MCPError(number, _text(error)) from None
    except Exception:  # as for tools
        _log.exception("%s failed", what)
        raise MCPError(INTERNAL_ERROR, _text(PoolError())) from None


def _tool(name: str, connection: Connection) -> Tool[Any]:
    tool = BY_NAME.get(name)
    mine = [each.name for each in tools_of(connection.toolsets)]
    if tool is None:
        near = get_close_matches(name[:60], mine, n=3)
        hint = f"Close to it: {', '.join(near)}." if near else "tools/list shows what there is."
        raise NotFound(kind="tool", id=name[:60], hint=hint)
    if tool.toolset not in connection.toolsets:
        raise NotFound(
            kind="tool",
            id=f"{name} in this connection",
            hint=f"It belongs to the toolset {tool.toolset}; start the server with --toolsets to have it.",
        )
    if connection.conflict is not None and not tool.reads:
        raise ConfigConflict(differences=connection.conflict)
    return tool


def _answer(view: View) -> CallToolResult:
    text = json.dumps(view, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if not text.isascii() and (whole := whole_characters(text)) != text:
        text, view = whole, json.loads(whole)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=view)


def _failure(error: PoolError) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=_text(error))], is_error=True)


def _text(error: PoolError) -> str:
    return f"[{error.code}] {error.message}"


def build_server(
    application: Application,
    version: str,
    transcript: ReadTranscript,
    changes: ListChanges | None = None,
    highest_mode: str = DEFAULT_HIGHEST_MODE,
    look_seconds: float = LOOK_SECONDS,
) -> Server[Serving]:
    """The server over one application, for all connections.

    `transcript` reads what slots printed. `changes` tells clients of changed lists. `highest_mode` is the
    permission mode up to which callers may raise a task: `bypassPermissions` only where the pool itself
    runs with it. `look_seconds` is how often files of skills are looked at. Who calls is in
    `CURRENT` when a connection begins.
    """
    changes = changes or ListChanges()
    pool = PoolServer(
        application,
        Resources(application, transcript),
        Prompts(application.library),
        SkillWatch(application.library, changes, look_seconds),
        changes,
        highest_mode,
        application.secrets,
    )
    server: Server[Serving] = Server(
        NAME,
        version=version,
        instructions=INSTRUCTIONS,
        lifespan=pool.lifespan,
        on_list_tools=pool.list_tools,
        on_call_tool=pool.call_tool,
        on_list_resources=pool.list_resources,
        on_list_resource_templates=pool.list_templates,
        on_read_resource=pool.read_resource,
        on_list_prompts=pool.list_prompts,
        on_get_prompt=pool.get_prompt,
        on_subscriptions_listen=changes.listen,
    )
    changes.attach(server)
    Elicitation(application, changes)
    return server


def initialization_options(server: Server[Serving]) -> InitializationOptions:
    """What clients of the older protocol are told at the beginning."""
    return server.create_initialization_options(NotificationOptions(tools_changed=True, prompts_changed=True))
