"""The seat at a terminal reads all that is written and told, in whatever pieces and order it arrives."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.support.seat import Seat


@dataclass
class Scene:
    """A seat, and the descriptors that a program and its shell would write to."""

    seat: Seat
    terminal: int
    report: int


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Generator[Scene]:
    monkeypatch.setattr("tests.support.seat.PATIENCE", 5.0)
    master, slave = pty.openpty()
    report, told = os.pipe()
    asked, control = os.pipe()
    seat = Seat(master, report, control, subprocess.Popen(["true"]))
    yield Scene(seat, slave, told)
    seat.end()
    os.close(asked)


def test_what_the_shell_told_is_read_when_all_have_closed_the_terminal(scene: Scene) -> None:
    os.write(scene.report, b"ended 0 calm\n")
    os.close(scene.report)
    os.close(scene.terminal)

    scene.seat.until_told("ended 0 calm")


def test_a_character_may_arrive_in_two_pieces(scene: Scene) -> None:
    first, second = "\x1b[1;1Hpaused ‖".encode()[:-1], "‖".encode()[-1:]
    os.write(scene.terminal, first)
    scene.seat.until_seen("paused")
    os.write(scene.terminal, second)

    scene.seat.until_seen("paused ‖")
    os.close(scene.terminal)
    os.close(scene.report)
