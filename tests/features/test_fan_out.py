"""Features of fanning out."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios("fan_out")
