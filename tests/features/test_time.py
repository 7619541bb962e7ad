"""Features of deadlines and of the clock."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("time")
