"""Features of the budget."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("budget")
