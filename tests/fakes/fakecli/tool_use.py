"""One use of a tool: whether it may run, and its running."""

from __future__ import annotations

from claude_pool.adapters.demo.directives import ToolCall

from tests.fakes.fakecli import lines
from tests.fakes.fakecli.host_tools import call_host_tool, only_reads
from tests.fakes.fakecli.schema import mismatch
from tests.fakes.fakecli.state import Cli
from tests.fakes.fakecli.tools import Stopped, ToolResult, allowed_by_mode, matches, use_file
from tests.fakes.fakecli.wire import Line


class Refusal(Exception):
    """The tool may not run; `result` is what the model is told, `interrupt` ends the turn."""

    def __init__(self, text: str, interrupt: bool = False) -> None:
        """`text` says why."""
        super().__init__(text)
        self.result = ToolResult(text, True)
        self.interrupt = interrupt


class ToolUse:
    """A tool that the model asked for."""

    def __init__(self, cli: Cli, call: ToolCall, block_id: str) -> None:
        """`block_id` is the id of the model's content block."""
        self._cli = cli
        self._call = call
        self._block_id = block_id

    def run(self) -> ToolResult:
        """Run it, asking before where that is needed.

        Raises:
            Refusal: it may not run.
            Stopped: the turn was interrupted.
        """
        cli, call = self._cli, self._call
        if call.name not in cli.tools():
            text = f"Error: No such tool available: {call.name}"
            return ToolResult(f"<tool_use_error>{text}</tool_use_error>", True)
        values = self._permitted()
        if call.name == "Bash":
            return cli.shell.run(str(values.get("command", "")), cli.session, cli.inbox.stop)
        if call.name == "StructuredOutput":
            problem = mismatch(values, cli.options.schema or {})
            text = f"Output does not match required schema: {problem}"
            return (
                ToolResult(text, True) if problem else ToolResult("Structured output provided successfully")
            )
        if call.name.startswith("mcp__"):
            return call_host_tool(cli, call.name, values, self._block_id)
        return use_file(call.name, values, cli.cwd)

    def _permitted(self) -> Line:
        """The input to run the tool with."""
        cli, call = self._cli, self._call
        if matches(cli.options.list("disallowedTools", "disallowed-tools"), call.name, call.input):
            raise self._denied(f"Permission to use {call.name} has been denied.")
        if "asks" not in cli.personas and self._needs_no_question():
            return call.input
        if cli.mode == "dontAsk":
            raise self._denied(f"Permission to use {call.name} has been denied because of the mode dontAsk.")
        if cli.options.text("permission-prompt-tool") != "stdio":
            raise self._denied(
                f"Claude requested permissions to use {call.name}, but you haven't granted it yet."
            )
        return self._asked()

    def _needs_no_question(self) -> bool:
        cli, call = self._cli, self._call
        allowed = cli.options.list("allowedTools", "allowed-tools")
        if cli.mode == "plan":
            allows = only_reads(cli, call.name) and matches(allowed, call.name, call.input)
            return allows or allowed_by_mode("default", call.name, call.input, cli.cwd)
        return matches(allowed, call.name, call.input) or allowed_by_mode(
            cli.mode, call.name, call.input, cli.cwd
        )

    def _denied(self, text: str) -> Refusal:
        line = lines.system(
            self._cli.session,
            "permission_denied",
            tool_name=self._call.name,
            tool_use_id=self._block_id,
            message=text,
        )
        if not self._cli.old:
            self._cli.wire.emit(line)
        return Refusal(text)

    def _asked(self) -> Line:
        cli, call = self._cli, self._call
        question: Line = {
            "subtype": "can_use_tool",
            "tool_name": call.name,
            "display_name": call.name,
            "input": call.input,
            "description": str(call.input.get("command", call.name)),
            "permission_suggestions": [],
            "tool_use_id": self._block_id,
        }
        response = cli.questions.ask(question, cli.inbox.stop)
        if response is None:
            raise Stopped
        if response.get("subtype") != "success":
            raise Refusal(f"Tool permission request failed: Error: {response.get('error')}")
        answer: Line = response.get("response") or {}
        changed = answer.get("updatedInput")
        if answer.get("behavior") == "allow" and (changed is not None or not cli.old):
            return changed if changed is not None else call.input
        if answer.get("behavior") == "deny" and isinstance(answer.get("message"), str):
            raise Refusal(answer["message"], bool(answer.get("interrupt")))
        raise Refusal("Tool permission request failed: ZodError: invalid permission result")
