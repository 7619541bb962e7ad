"""Features of secrets."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("secrets")
