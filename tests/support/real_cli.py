"""The real Claude Code CLI for tests: where it is, and the only environment it may be started in."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def bundled_cli() -> Path:
    """The CLI that comes with `claude-agent-sdk`.

    Raises:
        FileNotFoundError: the development dependencies are not installed.
    """
    spec = find_spec("claude_agent_sdk")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("claude-agent-sdk is not installed")
    cli = Path(spec.origin).parent / "_bundled" / "claude"
    if not cli.is_file():
        raise FileNotFoundError(f"claude-agent-sdk has no CLI at {cli}")
    return cli


def cli_environment(home: Path, api_url: str) -> dict[str, str]:
    """A whole environment in which the CLI can neither spend money nor touch the user's own state.

    `home` becomes its HOME and holds its temporary files; `api_url` must be on this machine.
    """
    if not api_url.startswith("http://127.0.0.1:"):
        raise ValueError(f"the CLI may only talk to this machine in tests, not to {api_url}")
    scratch = home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "XDG_RUNTIME_DIR": str(scratch),
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": api_url,
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
    }


@cache
def network_namespace() -> tuple[str, ...]:
    """The words that start a command in a network of its own with only loopback, or none where the
    kernel forbids it. What the command talks to must be started inside as well."""
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        return ()
    words = (unshare, "-n", "/bin/sh", "-c", f'{ip} link set lo up && exec "$@"', "sh")
    tried = subprocess.run([*words, "true"], capture_output=True, timeout=10, check=False)
    return words if tried.returncode == 0 else ()
