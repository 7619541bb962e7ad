"""Which variables decide whose account slots use, and a way to compare them without showing them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

_NAMES = (
    "HOME",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
)
_PREFIXES = (
    *("ANTHROPIC_", "AWS_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "CLOUD_ML_", "VERTEX_"),
    *("CLAUDE_CODE_SKIP_BEDROCK_", "CLAUDE_CODE_SKIP_VERTEX_"),
)


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that decide whose account and which provider slots use, with values."""
    return {
        name: value for name, value in sorted(environ.items()) if name in _NAMES or name.startswith(_PREFIXES)
    }


def account(environ: Mapping[str, str], salt: str) -> str:
    """16 hex digits that tell two accounts apart, to whoever knows `salt`, and do not give them away."""
    given = "\0".join(f"{name}={value}" for name, value in credentials(environ).items())
    return sha256(f"{salt}\0{given}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def digests(environ: Mapping[str, str]) -> dict[str, str]:
    """The same names, each with 16 hex digits that tell two values apart and do not give them away."""
    return {
        name: sha256(f"{name}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for name, value in credentials(environ).items()
    }
