"""`doctor`: what a pool needs here, whether it is there, and how to come by it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from claude_pool.domain.errors import PoolError

from ..calling import Unavailable, connect, greeting
from ..config.layers import home
from . import exits, output
from .shell import Shell

_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX")
_FEW_FILES, _TOO_FEW_FILES = 1024, 256
_LITTLE_SPACE, _TOO_LITTLE_SPACE = 500 << 20, 50 << 20


class Finding(NamedTuple):
    """What one check found. `state` is `ok`, `warn` or `fail`; `fix` says what to do unless it is ok."""

    check: str
    state: str
    found: str
    fix: str = ""


def doctor(shell: Shell) -> int:
    """Check what a pool needs here, and say how to fix what is missing."""
    findings = list(examine(shell))
    if shell.json:
        output.as_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            output.result(f"{finding.state:<4}  {finding.check:<8}  {finding.found}")
            if finding.fix:
                output.result(f"{'':16}fix: {finding.fix}")
    return exits.FAILED if any(finding.state == "fail" for finding in findings) else exits.DONE


def examine(shell: Shell) -> Iterator[Finding]:
    """All findings, in the order in which one would fix them."""
    options = _options(shell)
    yield options
    if options.state != "fail":
        cli, version = _cli(shell)
        yield cli
        yield _prices(shell, version)
    yield _login()
    yield _git()
    if options.state != "fail":
        yield _store(shell)
        yield _sqlite()
        yield _space(shell)
        yield _memory(shell)
        yield _owner(shell)
    yield _files()


def _options(shell: Shell) -> Finding:
    from ..config.model import effective

    try:
        found = effective(shell.settings)
    except PoolError as error:
        return Finding("options", "fail", f"[{error.code}] {error.message}", "Correct it where it is set.")
    changed = [name for name, source in found.sources.items() if source != "default"]
    return Finding("options", "ok", f"set: {', '.join(changed)}" if changed else "all at their defaults")


def _cli(shell: Shell) -> tuple[Finding, str]:
    """What is known of the CLI, and its version (`unknown` where it has none)."""
    from claude_pool.domain.ports import SlotFailure

    from ..claude.locate import locate

    try:
        cli = locate(_text(shell.settings.layers.values["claude"]), os.environ)
    except SlotFailure as error:
        fix = "Install Claude Code, name it with --claude PATH, or install the extra claude-pool[cli]."
        return Finding("cli", "fail", error.message, fix), "unknown"
    if cli.version == "unknown":
        fix = "See whether it is Claude Code."
        return Finding("cli", "warn", f"{cli.path} does not tell its version", fix), cli.version
    return Finding("cli", "ok", f"{cli.path} (version {cli.version})"), cli.version


def _prices(shell: Shell, cli: str) -> Finding:
    from ..claude.price_file import price_file, version_key

    try:
        prices = price_file(_text(shell.settings.layers.values["prices"]))
    except PoolError as error:
        return Finding("prices", "fail", f"[{error.code}] {error.message}", "Correct the file.")
    held = f"{prices.path or 'the shipped ones'}, of {prices.date or 'no date'}, seen with CLI {prices.cli}"
    if version_key(cli) > version_key(prices.cli):
        fix = "See what its models cost now; name a file of newer prices, with its `cli`, by --prices PATH."
        return Finding("prices", "warn", f"{held}; CLI {cli} is newer", fix)
    return Finding("prices", "ok", held)


def _login() -> Finding:
    for name in (*_KEYS, *_CLOUDS):
        if os.environ.get(name):
            return Finding("login", "ok", f"{name} is set")
    folder = os.environ.get("CLAUDE_CONFIG_DIR") or os.path.join(home(os.environ), ".claude")
    if os.path.exists(stored := os.path.join(folder, ".credentials.json")):
        return Finding("login", "ok", f"{stored} exists")
    fix = "Run `claude` and /login, or set ANTHROPIC_API_KEY. (A system keychain is not looked into.)"
    return Finding("login", "warn", "no key and no stored login", fix)


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", "warn", "not found", "Install git: worktrees and isolation need it.")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
    return Finding("git", "ok", f"{path} ({said.stdout.strip().removeprefix('git version ')})")


def _store(shell: Shell) -> Finding:
    from ..store.snapshots import damage_of_snapshot
    from ..store.surface import network_file_system

    places = shell.settings.places
    if not os.access(_existing(places.state_dir), os.W_OK | os.X_OK):
        fix = "Make it writable, or name another place with --state-dir."
        return Finding("store", "fail", f"{places.state_dir} cannot be written", fix)
    if kind := network_file_system(_existing(places.state_dir)):
        fix = "Name a place on a local disk with --state-dir: the log's locks do not hold on this one."
        return Finding("store", "warn", f"{places.state_dir} lies on a network file system ({kind})", fix)
    if not os.path.exists(places.log):
        return Finding("store", "ok", f"{places.state_dir} (no log yet)")
    try:
        with closing(shell.reader()) as reader:
            position = reader.status()["position"]
        with closing(shell.log()) as log:
            damage = damage_of_snapshot(log.path, log)
    except PoolError as error:
        return Finding(
            "store", "fail", f"[{error.code}] {error.message}", "Look with `claude-pool replay --check`."
        )
    if damage is not None:
        fix = "Nothing is lost: it is not used, and the next owner makes a new one. See what damaged it."
        return Finding("store", "warn", damage, fix)
    return Finding("store", "ok", f"{places.log} ({position} events)")


def _sqlite() -> Finding:
    import sqlite3

    from ..store.surface import resets_safely

    if resets_safely():
        return Finding("sqlite", "ok", sqlite3.sqlite_version)
    held = "before 3.51.3 it may lose data where several connections checkpoint; here only the owner's does"
    return Finding("sqlite", "ok", f"{sqlite3.sqlite_version} ({held})")


def _space(shell: Shell) -> Finding:
    free = shutil.disk_usage(_existing(shell.settings.places.state_dir)).free
    fix = "Free some, or name another place with --state-dir."
    floor = int(str(shell.settings.layers.values["min_free_disk_mb"]))
    said = f"{free >> 20} MiB free" + (f"; below {floor} no attempt starts" if floor else "")
    too_little = max(floor << 20, _TOO_LITTLE_SPACE)
    return _bounded("space", free, said, max(_LITTLE_SPACE, too_little), too_little, fix)


def _memory(shell: Shell) -> Finding:
    from claude_pool.domain.room import PROCESS_MB

    from ..memory import available_mb

    reserve = int(str(shell.settings.layers.values["min_free_memory_mb"]))
    left = available_mb()
    if left is None:
        return Finding("memory", "ok", "this system does not tell how much is left; slots start all the same")
    one = PROCESS_MB + reserve
    said = f"{left} MiB left, " + (f"{one} needed to start one more slot" if reserve else "no reserve kept")
    fix = "End what else takes memory, or lower --min-free-memory-mb."
    return _bounded("memory", left, said, one if reserve else 0, 0, fix)


def _files() -> Finding:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Finding("files", "ok", "no limit of open files")
    fix = f"Raise it: ulimit -n {_FEW_FILES}"
    return _bounded("files", soft, f"{soft} open files allowed", _FEW_FILES, _TOO_FEW_FILES, fix)


def _owner(shell: Shell) -> Finding:
    try:
        link = connect(shell.settings.places, greeting("shell"), 5.0)
    except (Unavailable, PoolError) as error:
        fix = "Try `claude-pool stop --now`, then end the process in question."
        return Finding("owner", "fail", error.message, fix)
    if link is None:
        return Finding("owner", "ok", "none runs; one starts when it is needed")
    link.socket.close()
    if safe := link.welcome.get("safe_mode"):
        return Finding("owner", "fail", str(safe), f"See {shell.settings.places.owner_log}.")
    return Finding(
        "owner", "ok", f"runs (pid {link.welcome.get('pid')}, version {link.welcome.get('version')})"
    )


def _bounded(check: str, value: int, found: str, little: int, too_little: int, fix: str) -> Finding:
    if value >= little:
        return Finding(check, "ok", found)
    return Finding(check, "fail" if value < too_little else "warn", found, fix)


def _existing(path: str) -> str:
    """`path`, or the nearest folder above it that exists."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
