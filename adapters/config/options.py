"""The table of the pool's options. Flags, variables, keys of the files and help texts follow from it."""

from __future__ import annotations

from typing import NamedTuple

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
)

MODES = ("plan", "default", "dontAsk", "acceptEdits", "auto", "bypassPermissions")
"""Permission modes, from the most careful to the one that asks nothing."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")

ON_DISCONNECT = ("finish", "stop")
"""What becomes of the work of a coordinator that went away."""

TOOLSETS = ("core", "chains", "review", "context", "slots", "messages", "skills", "auto", "debug")

HIGHEST_PROJECT_MODE = "acceptEdits"
"""The permission mode that a project's own file may raise the pool to."""


class Option(NamedTuple):
    """One option of the pool. Its name is the key in the files; flag and variable are made from it.

    `kind` is one of `number` (whole), `money`, `seconds`, `text`, `switch`, `list`, `path`, `servers`
    (a path, or JSON text), `mode`, `effort`, `session` and `disconnect`. `trusted` options may not be set
    by a project's file. `task` names the argument of a task that the flag means on `run`. `range` says
    which numbers are allowed; every option that is a number, money or seconds has one.
    """

    name: str
    kind: str
    help: str
    default: object = None
    short: str | None = None
    trusted: bool = False
    task: str | None = None
    range: Range | None = None

    @property
    def flag(self) -> str:
        """`--task-timeout` for `task_timeout`."""
        return "--" + self.name.replace("_", "-")

    @property
    def opposite(self) -> str:
        """The flag that turns a switch off again."""
        return (
            "--" + self.name.removeprefix("no_").replace("_", "-")
            if self.name[:3] == "no_"
            else f"--no-{self.flag[2:]}"
        )

    @property
    def variable(self) -> str:
        """`CLAUDE_POOL_TASK_TIMEOUT` for `task_timeout`."""
        return "CLAUDE_POOL_" + self.name.upper()


OPTIONS = (
    Option("slots", "number", "How many slots to start with.", 2, "-n", range=SLOTS),
    Option("model", "text", "Model of tasks that name none.", None, "-m", task="model"),
    Option(
        "effort", "effort", f"Effort of tasks that name none: {', '.join(EFFORTS)}.", None, "-e",
        task="effort",
    ),
    Option("budget_usd", "money", "What the pool may spend, in dollars.", None, "-b", range=DOLLARS),
    Option(
        "soft_budget_usd", "money", "The pool asks before it spends more than this, in dollars.",
        range=DOLLARS,
    ),
    Option(
        "task_budget_usd", "money", "What one task may spend, in dollars.", task="max_budget_usd",
        range=DOLLARS,
    ),
    Option(
        "system_prompt", "text", "System prompt of tasks that bring none.", None, "-s",
        task="system_prompt",
    ),
    Option(
        "permission_mode", "mode", f"What slots may do unasked: {', '.join(MODES)}.", "plan", "-p",
        task="permission_mode",
    ),
    Option("allowed_tools", "list", "Tools that need no permission, by comma.", (), task="allowed_tools"),
    Option("disallowed_tools", "list", "Tools that slots do not get, by comma.", (), task="disallowed_tools"),
    Option("prices", "path", "A file of prices that hold before the shipped ones.", trusted=True),
    Option("mcp_config", "servers", "MCP servers for slots: a file, or JSON text.", trusted=True),
    Option("min_slots", "number", "Scaling keeps at least so many slots.", 1, range=SLOTS),
    Option("max_slots", "number", "Scaling goes up to so many slots.", 16, range=SLOTS),
    Option("worktree", "switch", "Give each slot a git worktree of its own.", False, "-w"),
    Option("skills_dir", "path", "Folder of the project's skills [.claude-pool/skills]."),
    Option("no_builtins", "switch", "Leave the built-in skills out.", False),
    Option("no_project_skills", "switch", "Leave the project's skills out.", False),
    Option("no_global_skills", "switch", "Leave the user's own skills out.", False),
    Option("disable_skill", "list", "Skills to leave out, by comma.", ()),
    Option(
        "allow_skill_commands", "switch", "Run the commands in project and global skills: !`command`.", False,
        trusted=True,
    ),
    Option(
        "task_timeout", "seconds", "Limit of one attempt, in seconds.", task="timeout_seconds",
        range=ATTEMPT_SECONDS,
    ),
    Option(
        "queue_timeout", "seconds", "A task that has not begun so many seconds after it came is given up.",
        range=SILENCE_SECONDS,
    ),
    Option(
        "first_output_timeout", "seconds", "Longest silence of a slot after a prompt, in seconds.", 120.0,
        range=SILENCE_SECONDS,
    ),
    Option(
        "silence_timeout", "seconds", "Longest silence of a slot that has begun, in seconds.", 300.0,
        range=SILENCE_SECONDS,
    ),
    Option(
        "tool_silence_timeout", "seconds", "The same while a tool of it is at work.", 660.0,
        range=SILENCE_SECONDS,
    ),
    Option(
        "question_seconds", "seconds",
        "A slot's permission question is denied after so many seconds; 0: at once.", 60.0,
        range=QUESTION_SECONDS,
    ),
    Option(
        "session", "session", "Conversation of tasks that name none: fresh, or the slot's.", "fresh",
        task="session",
    ),
    Option("state_dir", "path", "Where the log and its files lie.", trusted=True),
    Option("working_dir", "path", "Where tasks run, and whose pool it is.", task="working_dir"),
    Option("claude", "path", "The Claude Code CLI to drive.", trusted=True),
    Option(
        "trust_project", "switch", "Load the project's own settings, hooks and MCP servers.", False,
        trusted=True,
    ),
    Option("pass_env", "list", "Further variables that slots are handed, by comma.", (), trusted=True),
    Option(
        "max_depth", "number", "So many pools inside of one another, with the outermost.", 1,
        trusted=True, range=DEPTH,
    ),
    Option("embedded", "switch", "Be the owner, for as long as standard input is open.", False),
    Option(
        "on_disconnect", "disconnect",
        "The unfinished work of a coordinator that went away: finish it, or stop (cancel) it.", "finish",
    ),
    Option(
        "drain_seconds", "seconds", "After SIGTERM what runs may go on for so many seconds.", 0.0,
        range=DRAIN_SECONDS,
    ),
    Option("idle_exit", "seconds", "The owner ends after so many idle seconds.", 60.0, range=IDLE_SECONDS),
    Option(
        "min_free_disk_mb", "number",
        "No attempt starts while less is free on the disk of the state directory; 0: no floor.", 200,
        range=MEGABYTES,
    ),
    Option(
        "min_free_memory_mb", "number",
        "No slot is launched that would leave less memory than this; 0: whatever is left.", 256,
        range=MEGABYTES,
    ),
    Option(
        "accept_rollback", "switch", "Start on a log that was cut, or restored from an older backup.", False,
        trusted=True,
    ),
    Option(
        "allow_project_keys", "list", "Keys that the project's file may set although it is not trusted.", (),
        trusted=True,
    ),
)  # fmt: skip
"""Every option of the pool, in the order of the help text."""

BY_NAME = {option.name: option for option in OPTIONS}

PLACING = ("state_dir", "working_dir")
"""What says which pool is meant, rather than how it is."""

INTERNAL_VARIABLES = ("CLAUDE_POOL_COOKIE", "CLAUDE_POOL_DEPTH")
"""Variables that slots carry; no option of a user's."""
