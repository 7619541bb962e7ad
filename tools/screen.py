#!/usr/bin/env python3
"""A picture of `claude-pool replay --play`, for documents: as text, or as SVG where the file's name says so.

    python tools/screen.py STATE_DIR POSITION                     on standard output, as text
    python tools/screen.py STATE_DIR POSITION -o screen.svg       as SVG
    python tools/screen.py STATE_DIR POSITION --size 80x24 --span 15

What it shows is what the view shows there while it is paused: the same cursor, scene and lines.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

from claude_pool.adapters.cli.play.cursor import Cursor
from claude_pool.adapters.cli.play.drawing import lines
from claude_pool.adapters.cli.play.player import SPANS_MS, Player
from claude_pool.adapters.cli.play.scene import scene
from claude_pool.adapters.cli.replay_view import Wanted
from claude_pool.adapters.places import Places
from claude_pool.adapters.reading import LogReader
from claude_pool.domain.errors import PoolError
from rich.console import Console


def drawn(state_dir: str, position: int, width: int, height: int, span: int) -> Console:
    """The view at `position` of a log, on a console that remembers it; `span` seconds in the lanes."""
    reader = LogReader(Places(state_dir, "", "", ""), "")
    try:
        cursor = Cursor(reader, None, Wanted().takes)
        for _ in cursor.seek(position):
            pass
        seen = scene(cursor.world, cursor.window, cursor.shown, cursor.end(), cursor.moment)
    finally:
        reader.close()
    player = replace(Player(playing=False), span=SPANS_MS.index(span * 1000))
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True,
                      color_system="truecolor", highlight=False)  # fmt: skip
    for line in lines(seen, player, width, height):
        console.print(line, no_wrap=True, overflow="crop")
    return console


def svg(console: Console) -> str:
    """The picture without fonts that would be fetched from elsewhere."""
    drawn = console.export_svg(title="claude-pool replay --play", unique_id="view")
    return re.sub(r"\s*@font-face\s*{[^}]*}", "", drawn)


def main() -> int:
    """Draw what was asked for; 2 where there is no such log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("state_dir")
    parser.add_argument("position", type=int)
    parser.add_argument("--size", default="110x28", help="columns and lines (110x28)")
    parser.add_argument("--span", type=int, default=60, choices=[ms // 1000 for ms in SPANS_MS],
                        help="seconds in the lanes (60)")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, help="a file, .svg or text")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    try:
        console = drawn(asked.state_dir, asked.position, width, height, asked.span)
    except PoolError as error:
        print(error, file=sys.stderr)
        return 2
    as_svg = asked.output is not None and asked.output.suffix == ".svg"
    picture = svg(console) if as_svg else (
        "".join(line.rstrip() + "\n" for line in console.export_text().splitlines()))  # fmt: skip
    if asked.output is None:
        sys.stdout.write(picture)
    else:
        asked.output.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
