"""`replay --diff`: two tasks, chains or logs side by side, and whether they came to the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from . import exits, output
from .shell import Shell, View

_DIGEST_SHOWN = 8


def show_difference(shell: Shell, left: str, right: str) -> int:
    """Print what both sides say of each part. The code is 5 where one came to something else."""
    from ..comparing import compare
    from ..wiring import open_reader

    view = compare(left, right, shell.settings.places, open_reader)
    if shell.json:
        output.as_json(view)
    else:
        output.table(cast("list[View]", view["parts"]), COLUMNS)
        differing = sum(bool(part["differences"]) for part in view["parts"])
        output.result(
            f"{differing} of {len(view['parts'])} parts differ"
            if differing
            else f"all {len(view['parts'])} parts came to the same"
        )
    return exits.DONE if view["same"] else exits.CHECK_FAILED


def _both(show: Callable[[View], str]) -> Callable[[View], str]:
    """One value where both sides agree, else both with an arrow; a dash where a side has nothing."""

    def cell(part: View) -> str:
        left, right = ("-" if part[side] is None else show(part[side]) for side in ("left", "right"))
        return left if left == right else f"{left} → {right}"

    return cell


COLUMNS: dict[str, Callable[[View], object]] = {
    "PART": lambda part: part["part"],
    "STATE": _both(lambda side: f"{side['state']} ({side['error']})" if side["error"] else side["state"]),
    "OUTPUT": _both(lambda side: (side["output_sha256"] or "none")[:_DIGEST_SHOWN]),
    "COST": _both(lambda side: output.dollars(side["cost_microdollars"])),
    "TIME": _both(lambda side: output.seconds(side["elapsed_ms"])),
    "ATTEMPTS": _both(lambda side: str(side["attempts"])),
    "DIFFERS": lambda part: ", ".join(part["differences"]),
}
