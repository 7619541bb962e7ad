"""Features of the provider's limits."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("limits")
