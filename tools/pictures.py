#!/usr/bin/env python3
"""The pictures in docs/pictures: the report in light, dark and on a phone, and `replay --play` in a terminal.

    python tools/pictures.py

They are of a made-up pool that is the same each time, and need a Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from claude_pool.adapters.places import Places  # noqa: E402  # the project's root is on the path only now
from claude_pool.adapters.report.content import gather  # noqa: E402
from claude_pool.adapters.report.page import page  # noqa: E402
from claude_pool.adapters.store.registry import default_codec  # noqa: E402
from claude_pool.adapters.store.sqlite import SqliteEventLog  # noqa: E402
from claude_pool.adapters.wiring import open_reader  # noqa: E402

from tests.support.spent_log import Life, write  # noqa: E402
from tools.browser import browser, program  # noqa: E402
from tools.screen import drawn, svg  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
LOOKS = {"report": (1100, 900, False), "report-dark": (1100, 900, True), "report-phone": (390, 844, False)}
"""Width, height and whether it is dark, by the picture's name."""

SEED, SLOTS, LIMIT, ATTEMPTS, PACE = 7, 4, 6_000_000, 140, 40_000
FILM_POSITION, FILM_SIZE, FILM_SPAN = 900, (110, 28), 900


def lived(folder: Path) -> Places:
    """The log of the made-up pool."""
    log = SqliteEventLog.open(folder / "log.sqlite", default_codec())
    write(Life(SEED, SLOTS, LIMIT, pace=PACE).live(ATTEMPTS), log)
    log.close()
    return Places(str(folder), str(folder / "socket"), str(folder), str(folder))


def report(places: Places) -> str:
    """Its page."""
    reader = open_reader(places)
    try:
        return page(gather(reader, places, None, lambda _: None))
    finally:
        reader.close()


def main() -> int:
    """Draw them; 3 where there is no Chromium."""
    if (chromium := program()) is None:
        print("no Chromium on this machine: install chromium, or put it into PATH", file=sys.stderr)
        return 3
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="pictures-") as made, browser(chromium) as tab:
        places, shown = lived(Path(made)), Path(made) / "page.html"
        shown.write_text(report(places), "utf-8")
        for name, (width, height, dark) in LOOKS.items():
            tab.look(width, height, dark=dark)
            tab.open(shown.as_uri())
            (PICTURES / f"{name}.png").write_bytes(tab.picture())
        film = svg(drawn(places.state_dir, FILM_POSITION, *FILM_SIZE, FILM_SPAN))
        (PICTURES / "play.svg").write_text(film, "utf-8")
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
