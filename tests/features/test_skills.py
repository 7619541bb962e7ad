"""Features of skills and workflows."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("skills")
