"""What a terminal shows while something takes long."""

from __future__ import annotations

import io
import sys

import pytest
from claude_pool.adapters.cli import output
from claude_pool.adapters.share import Share


class Terminal(io.StringIO):
    """Standard error of a person."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *texts: str) -> str:
    """What such a terminal is sent while these are said."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with output.progress("opening the log") as say:
        for text in texts:
            say(text)
    return terminal.getvalue()


def test_work_of_a_known_size_has_a_bar_and_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(monkeypatch, Share("checking [all]", 0, 400), Share("checking [all]", 100, 400))
    assert "opening the log" in told
    assert "checking [all]" in told
    assert "25%" in told
    assert "━" in told


def test_another_piece_of_work_has_its_own_bar_and_a_text_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(
        monkeypatch, Share("copying", 400, 400), Share("checking", 10, 1_000), "verifying", "verifying again"
    )
    assert "100%" in told.partition("checking")[0]
    assert "1%" in told.partition("checking")[2]
    assert "%" not in told.partition("verifying")[2]


def test_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(monkeypatch, Share("copying", 10, 400))


def test_where_standard_error_is_no_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("opening") as say:
        say(Share("copying", 10, 400))
    assert capsys.readouterr().err == ""


def test_a_share_is_a_text_with_its_numbers() -> None:
    share = Share("checking", 1_000, 20_000, "events")
    assert (str(share), share.done, share.of) == ("checking: 1,000 of 20,000 events", 1_000, 20_000)
    assert Share("copying", 0, 0).of == 1
