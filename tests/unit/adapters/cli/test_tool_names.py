"""Messages that name tools name verbs in the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from claude_pool.adapters.cli.guard import refused
from claude_pool.adapters.cli.tool_names import VERBS, in_words_of_the_shell

MANUAL = (Path(__file__).parents[4] / "docs" / "cli.md").read_text("utf-8")


def test_a_tool_that_a_message_names_is_named_as_its_verb() -> None:
    told = in_words_of_the_shell("There is no task x. pool_list_tasks shows what there is.")
    assert told == "There is no task x. `claude-pool tasks` shows what there is."


def test_a_tool_without_a_verb_stays_as_it_is() -> None:
    assert in_words_of_the_shell("pool_context_list shows it") == "pool_context_list shows it"


def test_a_refusal_is_told_in_words_of_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    refused("not_found", "pool_status lists the slots in service.")
    assert capsys.readouterr().err == "[not_found] `claude-pool slots` lists the slots in service.\n"


@pytest.mark.parametrize("verb", sorted(set(VERBS.values())))
def test_every_verb_is_there(verb: str) -> None:
    assert f"Usage: claude-pool {verb} " in MANUAL
