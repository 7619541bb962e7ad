"""Features of the shared context."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("context")
