"""Features of the protocol."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("mcp")
