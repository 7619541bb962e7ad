"""Keeps answers that hold many tasks within what clients show of a result."""

from __future__ import annotations

from collections.abc import Iterable

from ..views import View

ANSWER_CHARACTERS = 40_000
"""Outputs in one answer take no more together: clients cut results at 50,000 characters."""

LEAST_CHARACTERS = 200
"""So much of an output is shown however many there are."""


def shortened(views: Iterable[View]) -> list[View]:
    """`views` with long outputs cut so that all fit, each with a reference to the whole of it."""
    all_views = list(views)
    outputs = [view["output"] for view in all_views if view.get("output")]
    if sum(map(len, outputs)) <= ANSWER_CHARACTERS:
        return all_views
    share = max(LEAST_CHARACTERS, ANSWER_CHARACTERS // len(outputs))
    return [_cut(view, share) for view in all_views]


def shortened_chain(view: View) -> View:
    """A chain's view with its steps' outputs cut so that all fit."""
    final: str | None = view.get("final_output")
    if final is not None and len(final) > ANSWER_CHARACTERS:
        view = {**view, "final_output": f"{final[:ANSWER_CHARACTERS]}… (cut; see the step's output_ref)"}
    return {**view, "steps": shortened(view["steps"])}


def shortened_chains(views: Iterable[View]) -> list[View]:
    """Many chains' views; where they are too long together, without the steps' outputs."""
    all_views = [shortened_chain(view) for view in views]
    length = sum(len(step["output"] or "") for view in all_views for step in view["steps"])
    length += sum(len(view["final_output"] or "") for view in all_views)
    if length <= ANSWER_CHARACTERS:
        return all_views
    share = max(LEAST_CHARACTERS, ANSWER_CHARACTERS // len(all_views))
    return [
        {
            **view,
            "final_output": (view["final_output"] or "")[:share] or None,
            "steps": [{**step, "output": None} for step in view["steps"]],
        }
        for view in all_views
    ]


def _cut(view: View, share: int) -> View:
    output: str | None = view.get("output")
    if output is None or len(output) <= share:
        return view
    beginning = f"{output[:share]}… (cut; read the whole of it at output_ref)"
    return {**view, "output": beginning, "output_ref": f"pool://results/{view['task_id']}"}
