"""The environment of a slot: an allow-list of the caller's, and what every slot is given.

A pure function of a mapping and settings. What is not named here does not reach a slot, so a coordinator
that is itself a Claude Code session cannot leak its session, sockets or tokens into the slots it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COOKIE = "CLAUDE_POOL_COOKIE"
DEPTH = "CLAUDE_POOL_DEPTH"
MAX_DEPTH = "CLAUDE_POOL_MAX_DEPTH"

_NAMES = frozenset(
    (
        *(
            "PATH",
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "LANG",
            "LANGUAGE",
            "TZ",
            "TERM",
            "COLORTERM",
            "NO_COLOR",
        ),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("GIT_SSL_CAINFO", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
        *("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "IS_SANDBOX", "DISABLE_AUTOUPDATER"),
        *("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"),
    )
)
_PREFIXES = ("LC_", "ANTHROPIC_")
_BEDROCK_PREFIXES = ("AWS_", "CLAUDE_CODE_SKIP_BEDROCK_")
_VERTEX_PREFIXES = ("GOOGLE_", "GCLOUD_", "CLOUDSDK_", "CLOUD_ML_", "VERTEX_", "CLAUDE_CODE_SKIP_VERTEX_")
_OFF = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class SlotEnvironment:
    """What one slot's environment is made from, beside the caller's own.

    `cookie` marks every process of the slot; `private_dir` is the slot's own short folder for temporary
    files and sockets; `depth` counts pools inside pools (1: a slot of an outermost pool), and where
    `max_depth` is more the slot may have a pool of its own. `pass_env`
    names further variables to hand on. `silence_ms` is how long a turn may be silent: the CLI asks again for
    an answer that stalls well before, and holds no request for much longer.
    """

    cookie: str
    private_dir: str
    depth: int = 1
    pass_env: tuple[str, ...] = ()
    silence_ms: int = 300_000
    max_depth: int = 1

    @property
    def stream_idle_ms(self) -> int:
        """How long the CLI waits for the next byte of an answer; it knows no less than 10 s."""
        return min(120_000, max(10_000, self.silence_ms * 2 // 5))

    @property
    def request_ms(self) -> int:
        """How long it waits for an answer to begin: a little longer than we do, so that the code is ours."""
        return self.silence_ms + 5_000


def slot_environment(environ: Mapping[str, str], slot: SlotEnvironment) -> dict[str, str]:
    """The environment of a slot's keeper and CLI."""
    passed = set(slot.pass_env)
    chosen = {name: environ[name] for name in credentials_and_basics(environ) | (passed & environ.keys())}
    chosen.update(
        {
            COOKIE: slot.cookie,
            DEPTH: str(slot.depth),
            "TMPDIR": slot.private_dir,
            "XDG_RUNTIME_DIR": slot.private_dir,
            # The pool owns these: one turn at a time, no reading of files a prompt merely mentions,
            # one attempt at the provider, and no network beside the task's own.
            "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
            "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": str(slot.stream_idle_ms),
            "API_TIMEOUT_MS": str(slot.request_ms),
        }
    )
    if slot.max_depth > slot.depth:
        chosen[MAX_DEPTH] = str(slot.max_depth)
    return chosen


def credentials_and_basics(environ: Mapping[str, str]) -> set[str]:
    """The names in `environ` that every slot is handed."""
    prefixes: tuple[str, ...] = _PREFIXES
    if _on(environ, "CLAUDE_CODE_USE_BEDROCK"):
        prefixes += _BEDROCK_PREFIXES
    if _on(environ, "CLAUDE_CODE_USE_VERTEX"):
        prefixes += _VERTEX_PREFIXES
    return {name for name in environ if name in _NAMES or name.startswith(prefixes)}


def _on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in _OFF
