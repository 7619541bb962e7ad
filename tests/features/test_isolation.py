"""Features of work in copies of a repository."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("isolation")
