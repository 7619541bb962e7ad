"""How well a router decides: labelled cases are routed by the user's own pool, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import uuid4

from claude_pool.domain.errors import InvalidArgument

from ..client import Client, ToolError
from ..share import Share
from . import exits, output
from .route_cases import HINTS, Case, Score, Verdict, by_label, score
from .shell import Shell, View
from .tasks import Interrupts, view_id, wait_for

_ROUTER = ("router_model", "router_effort", "router_max_budget_usd", "tags")
_ANSWER_SECONDS = 60.0


def judge(shell: Shell, cases: Sequence[Case], given: Mapping[str, object]) -> int:
    """Route all cases at once, as many at a time as there are slots, and print what share came out right."""
    if misplaced := [name for name in HINTS if given.get(name) is not None]:
        raise InvalidArgument(argument=misplaced[0], problem="with --cases, hints stand in the cases")
    router = {name: given[name] for name in _ROUTER if given.get(name)}
    run = f"cases-{uuid4().hex}"
    asked: list[View | ToolError] = []
    with shell.owner() as client, Interrupts():
        try:
            with output.progress("asking") as say:
                for number, case in enumerate(cases):
                    say(Share("asking", number, len(cases), "cases"))
                    asked.append(_ask(client, case, router, f"{run}-{number}"))
            waiting = [each for view in asked if isinstance(view, dict) for each in _router_of(view)]
            ended = {view_id(view): view for view in wait_for(client, waiting, None)}
            verdicts = [
                _verdict(client, case, view, router, f"{run}-{number}", ended)
                for number, (case, view) in enumerate(zip(cases, asked, strict=True))
            ]
        except KeyboardInterrupt:
            with shell.owner(start=False) as canceller:
                cancel_all(
                    canceller, [each for view in asked if isinstance(view, dict) for each in _router_of(view)]
                )
            return exits.INTERRUPTED
    _show_verdicts(shell, verdicts)
    return exits.FAILED if any(verdict.error is not None for verdict in verdicts) else exits.DONE


def cancel_all(client: Client, ids: Sequence[str]) -> None:
    """Cancel tasks and chains, and tell of each."""
    for each in ids:
        name = "chain_id" if each.startswith("chain-") else "task_id"
        tool = "pool_cancel_chain" if name == "chain_id" else "pool_cancel"
        try:
            client.call(tool, {name: each}, _ANSWER_SECONDS)
        except ToolError as error:
            output.note(f"[{error.code}] {error.message}")
        else:
            output.note(f"cancelled {each}")


def _ask(client: Client, case: Case, router: Mapping[str, object], key: str) -> View | ToolError:
    arguments = {**router, **case.hints, "prompt": case.prompt, "idempotency_key": key, "wait_seconds": 0}
    try:
        return client.call("pool_route", arguments)
    except ToolError as error:
        return error


def _router_of(view: View) -> list[str]:
    return [] if view["router_task_id"] is None else [str(view["router_task_id"])]


def _verdict(
    client: Client,
    case: Case,
    asked: View | ToolError,
    router: Mapping[str, object],
    key: str,
    ended: Mapping[str, View],
) -> Verdict:
    """What came of a case. A router whose task failed gave no route to judge, whatever is done then."""
    if isinstance(asked, dict):
        asked = _ask(client, case, router, key)
    if isinstance(asked, ToolError):
        return Verdict(case, None, f"[{asked.code}] {asked.message}")
    cost = int(asked["cost_microdollars"])
    for task_id in _router_of(asked):
        task = ended[task_id]
        if task["state"] != "completed":
            error = cast("View", task.get("error") or {"code": "wrong_state", "message": task["state"]})
            return Verdict(case, None, f"[{error['code']}] {error['message']}", cost=cost)
    return Verdict(
        case, str(asked["route"]), None, cast("str | None", asked["reason"]), bool(asked["fallback"]), cost
    )


def _show_verdicts(shell: Shell, verdicts: Sequence[Verdict]) -> None:
    labels, total = by_label(verdicts), score(verdicts)
    if shell.json:
        output.as_json(
            {
                **_numbers(total),
                "labels": {label: _numbers(each) for label, each in labels.items()},
                "verdicts": [_shown(verdict) for verdict in verdicts],
            }
        )
        return
    rows: list[View] = [{"label": label, "score": each} for label, each in labels.items()]
    output.table(
        [*rows, {"label": "all", "score": total}],
        {
            "LABEL": lambda row: row["label"],
            "CASES": lambda row: row["score"].cases,
            "RIGHT": lambda row: row["score"].right,
            "ERRORS": lambda row: row["score"].errors,
            "ACCURACY": lambda row: _percent(row["score"]),
            "COST": lambda row: output.dollars(row["score"].cost),
        },
    )
    for verdict in verdicts:
        about = output.line(verdict.case.prompt)
        if verdict.error is not None:
            output.note(f"error: {verdict.case.label}: {verdict.error} ({about})")
        elif not verdict.right:
            wanted = " or ".join(verdict.case.expected)
            found = f"no route ({verdict.reason})" if verdict.fallback else verdict.route
            output.note(f"wrong: {verdict.case.label}: {found}, not {wanted} ({about})")


def _numbers(of: Score) -> View:
    return {
        "cases": of.cases, "right": of.right, "errors": of.errors, "accuracy": of.accuracy,
        "cost_usd": of.cost / 1_000_000, "cost_microdollars": of.cost,
    }  # fmt: skip


def _shown(verdict: Verdict) -> View:
    return {
        "label": verdict.case.label, "prompt": verdict.case.prompt, "expected": list(verdict.case.expected),
        "hints": dict(verdict.case.hints), "route": verdict.route, "right": verdict.right,
        "fallback": verdict.fallback, "reason": verdict.reason, "error": verdict.error,
        "cost_microdollars": verdict.cost,
    }  # fmt: skip


def _percent(of: Score) -> str:
    return "" if of.accuracy is None else f"{of.accuracy:.0%}"
