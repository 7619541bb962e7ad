"""What turns cost: our count of served tokens against the CLI's account."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.claude.accounts import Account, CliAccounts
from claude_pool.adapters.claude.meter import CHECK, Asked, Meter
from claude_pool.adapters.claude.settlement import Settlement, settle, settle_transcript
from claude_pool.domain.prices import PriceList, Rates
from claude_pool.domain.values import Tokens
from hypothesis import given
from hypothesis import strategies as st

_HAIKU = "claude-haiku-5-5"
_SONNET = "claude-sonnet-5-5"
_PRICES = PriceList(
    {_HAIKU: Rates(100, 500, 10, 125, 200), _SONNET: Rates(2_000, 10_000, 100, 2_500, 4_000)},
    unknown=Rates(10_000, 50_000, 1_000, 12_500, 20_000),
)


def started(name: str, model: str = _HAIKU, parent: str | None = None, **usage: Any) -> dict[str, Any]:
    """The first line of a streamed message."""
    message = {"id": name, "model": model, "usage": {"output_tokens": 1, **usage}}
    return _event({"type": "message_start", "message": message}, parent)


def wrote(text: str, parent: str | None = None) -> dict[str, Any]:
    """A piece of a streamed message."""
    return _event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}, parent)


def counted(parent: str | None = None, **usage: Any) -> dict[str, Any]:
    """The line of a streamed message that has its counts."""
    return _event({"type": "message_delta", "usage": usage}, parent)


def stopped(parent: str | None = None) -> dict[str, Any]:
    """The last line of a streamed message."""
    return _event({"type": "message_stop"}, parent)


def whole(name: str, model: str = _HAIKU, parent: str | None = None, **usage: Any) -> dict[str, Any]:
    """An assistant line."""
    return {
        "type": "assistant",
        "parent_tool_use_id": parent,
        "message": {"id": name, "model": model, "usage": usage},
    }


def _event(event: dict[str, Any], parent: str | None) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": parent}


def metered(*lines: dict[str, Any]) -> Meter:
    """A meter that took `lines`."""
    meter = Meter(_PRICES)
    for line in lines:
        meter.take(line)
    return meter


def test_a_finished_message_costs_exactly_its_counts() -> None:
    meter = metered(
        started("m1", input_tokens=1_000), wrote("x" * 4_000), counted(output_tokens=200), stopped()
    )
    assert (meter.tokens, meter.nanodollars) == (Tokens(1_000, 200), 1_000 * 100 + 200 * 500)
    assert meter.model == _HAIKU


def test_the_price_classes_of_the_cache_are_told_apart() -> None:
    creation = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 400}
    beginning = started(
        "m1",
        input_tokens=10,
        cache_read_input_tokens=5_000,
        cache_creation_input_tokens=700,
        cache_creation=creation,
    )
    meter = metered(beginning, counted(output_tokens=2), stopped())
    assert meter.tokens == Tokens(10, 2, 5_000, 700)
    assert meter.nanodollars == 10 * 100 + 2 * 500 + 5_000 * 10 + 300 * 125 + 400 * 200


def test_cache_writes_without_their_classes_live_five_minutes() -> None:
    meter = metered(started("m1", cache_creation_input_tokens=700), counted(output_tokens=1), stopped())
    assert meter.nanodollars == 700 * 125 + 500


def test_an_unfinished_message_counts_the_text_that_it_printed() -> None:
    meter = metered(started("m1", input_tokens=1_000), wrote("x" * 400))
    assert meter.tokens == Tokens(1_000, 100)


def test_the_assistant_lines_of_a_streamed_message_add_nothing() -> None:
    lines = [started("m1", input_tokens=1_000), counted(output_tokens=200), stopped()]
    repeated = [whole("m1", input_tokens=1_000, output_tokens=1)] * 3
    assert metered(lines[0], *repeated, *lines[1:], *repeated).nanodollars == metered(*lines).nanodollars


def test_a_message_that_was_not_streamed_counts_from_its_assistant_line() -> None:
    meter = metered(whole("m1", input_tokens=1_000, output_tokens=200))
    assert meter.tokens == Tokens(1_000, 200)


def test_what_the_cli_wrote_itself_is_free() -> None:
    meter = metered(whole("m1", model="<synthetic>", input_tokens=1_000))
    assert (meter.tokens, meter.model) == (Tokens(), None)


def test_several_models_are_each_priced_as_themselves() -> None:
    meter = metered(
        started("m1", _HAIKU, input_tokens=1_000),
        started("m2", _SONNET, parent="toolu_1", input_tokens=1_000),
        counted(output_tokens=10),
        counted(parent="toolu_1", output_tokens=10),
        stopped(),
        stopped("toolu_1"),
    )
    assert meter.nanodollars == 1_000 * 100 + 10 * 500 + 1_000 * 2_000 + 10 * 10_000
    assert meter.model == _HAIKU, "the model of the turn, not of a subagent"


@given(st.lists(st.sampled_from(["start", "write", "count", "stop", "whole", "junk"]), max_size=20))
def test_the_meter_never_runs_backwards_and_never_stops(kinds: list[str]) -> None:
    lines = {
        "start": started("m1", input_tokens=50),
        "write": wrote("x" * 40),
        "count": counted(output_tokens=100),
        "whole": whole("m2", input_tokens=7, output_tokens=7),
        "junk": _event({"type": "message_delta", "usage": "none"}, None),
        "stop": stopped(),
    }
    meter, before = Meter(_PRICES), 0
    for kind in kinds:
        meter.take(lines[kind])
        if kind not in ("stop", "count"):  # a message's end replaces what was estimated of it
            assert meter.nanodollars >= before
        before = meter.nanodollars


def test_an_end_without_counts_keeps_what_was_estimated() -> None:
    nothing = _event({"type": "message_delta", "usage": "none"}, None)
    lines = (started("m1", input_tokens=50), wrote("x" * 40), stopped())
    assert metered(*lines, nothing).nanodollars == metered(*lines).nanodollars > 0


# ---------------------------------------------------------------------------- the CLI's own account


def result(total: float | None, since: float | None = None, tokens: int = 0) -> dict[str, Any]:
    """A result line with a running total and, for newer CLIs, the difference."""
    line: dict[str, Any] = {"type": "result", "modelUsage": {_HAIKU: {"inputTokens": tokens}}}
    if total is not None:
        line["total_cost_usd"] = total
    if since is not None:
        line["model_usage_since_last_result"] = {_HAIKU: {"costUSD": since, "inputTokens": tokens}}
    return line


def billed(accounts: CliAccounts, *lines: dict[str, Any]) -> list[int | None]:
    """The differences that `lines` make, in microdollars."""
    taken = [accounts.take(line) for line in lines]
    return [None if account is None else account.nanodollars // 1_000 for account in taken]


def test_a_running_total_is_taken_by_its_differences() -> None:
    assert billed(CliAccounts(resumed=False), result(0.1), result(0.3), result(0.3)) == [100_000, 200_000, 0]


def test_a_total_that_falls_begins_anew() -> None:
    cleared = [result(0.1), result(0.0), result(0.05)]
    assert billed(CliAccounts(resumed=False), *cleared) == [100_000, 0, 50_000]


def test_a_stated_difference_stands_whatever_the_total_carries() -> None:
    assert billed(CliAccounts(resumed=True), result(5.1, since=0.1), result(5.3, since=0.2)) == [
        100_000,
        200_000,
    ]


def test_the_first_total_of_a_resumed_conversation_tells_nothing() -> None:
    assert billed(CliAccounts(resumed=True), result(5.1), result(5.3)) == [None, 200_000]


def test_a_result_without_a_total_tells_nothing() -> None:
    assert billed(CliAccounts(resumed=False), result(None), result(0.1)) == [None, 100_000]


def test_tokens_are_differences_like_the_money() -> None:
    accounts = CliAccounts(resumed=False)
    taken = [
        accounts.take(result(total, tokens=count)) for total, count in ((0.1, 100), (0.2, 250), (0.0, 7))
    ]
    assert [account.tokens.input for account in taken if account] == [100, 150, 7]


@given(st.lists(st.floats(0, 1_000), max_size=10))
def test_no_difference_is_negative(totals: list[float]) -> None:
    accounts = CliAccounts(resumed=False)
    assert all((account := accounts.take(result(total))) and account.nanodollars >= 0 for total in totals)


# ---------------------------------------------------------------------------- settling


def test_the_account_of_the_cli_settles_what_it_agrees_on() -> None:
    meter = metered(started("m1", input_tokens=1_000), counted(output_tokens=200), stopped())
    settled = settle(meter, Account(200_000, Tokens(1_000, 200)), cut_off=False)
    assert (settled.cost, settled.estimated) == (200, False)


@pytest.mark.parametrize(("account", "cost", "estimated"), [(500_000, 500, False), (50_000, 200, True)])
def test_the_larger_of_the_two_is_charged(account: int, cost: int, estimated: bool) -> None:
    meter = metered(started("m1", input_tokens=1_000), counted(output_tokens=200), stopped())
    settled = settle(meter, Account(account, Tokens(1_000, 200)), cut_off=False)
    assert (settled.cost, settled.estimated) == (cost, estimated)


def test_a_turn_that_was_cut_off_is_an_estimate() -> None:
    meter = metered(started("m1", input_tokens=1_000))
    assert settle(meter, Account(200_000, Tokens(1_000, 200)), cut_off=True).estimated


def test_served_tokens_are_never_free() -> None:
    meter = metered(started("m1", input_tokens=1), counted(output_tokens=0), stopped())
    assert settle(meter, None, cut_off=False).cost == 1


def test_nothing_served_costs_nothing() -> None:
    settled = settle(Meter(_PRICES), None, cut_off=True)
    assert (settled.cost, settled.estimated, settled.tokens) == (0, False, Tokens())


def test_a_model_that_is_not_listed_costs_the_dearest_price_and_never_less_than_the_cli_says() -> None:
    meter = metered(started("m1", "claude-next", input_tokens=1_000), counted(output_tokens=200), stopped())
    assert settle(meter, None, cut_off=False) == Settlement(20_000, Tokens(1_000, 200), True, True)
    for billed, cost in ((300_000, 20_000), (30_000_000, 30_000)):
        settled = settle(meter, Account(billed, Tokens(1_000, 200)), cut_off=False)
        assert (settled.cost, settled.estimated, settled.unpriced) == (cost, True, True)


def test_a_listed_model_is_not_called_unpriced() -> None:
    assert not settle(metered(whole("m1", input_tokens=1)), None, cut_off=True).unpriced


def test_tokens_that_only_the_cli_saw_are_counted() -> None:
    settled = settle(Meter(_PRICES), Account(100_000, Tokens(900, 20)), cut_off=False)
    assert (settled.tokens, settled.cost) == (Tokens(900, 20), 100)


# ---------------------------------------------------------------------------- what no line shows


def asking(status: str | None = "requesting") -> dict[str, Any]:
    """The line that says that the CLI waits for the API, or for nothing."""
    return {"type": "system", "subtype": "status", "status": status}


ASKED = Asked("haiku", "default", 400)
RETRY = {"type": "system", "subtype": "api_retry", "error_status": 529}
FAILED = whole("e1", model="<synthetic>")


def asked(*lines: dict[str, Any], of: Asked = ASKED) -> Meter:
    """A meter of a turn with a prompt that took `lines`."""
    meter = Meter(replace(_PRICES, aliases={"haiku": _HAIKU}, plan={"haiku": _SONNET}), of)
    for line in lines:
        meter.take(line)
    return meter


def test_a_call_that_was_cut_off_before_its_answer_began_costs_what_it_read() -> None:
    settled = settle(asked(asking()), None, cut_off=True)
    assert settled == Settlement(400 * 100 // 1_000, Tokens(400), True)
    assert settle(asked(asking()), Account(), cut_off=True) == settled


def test_a_call_that_was_cut_off_read_what_the_conversation_held() -> None:
    before = [started("m1", input_tokens=3_000, cache_read_input_tokens=7_000), counted(output_tokens=50)]
    done = metered(*before, stopped())
    meter = asked(*before, stopped(), asking())
    assert meter.context == 10_050
    assert settle(meter, None, cut_off=True).cost == settle(done, None, cut_off=True).cost + 1_005


def test_a_call_that_was_cut_off_costs_at_least_a_microdollar() -> None:
    settled = settle(asked(asking(), of=Asked()), None, cut_off=True)
    assert (settled.cost, settled.tokens.total) == (10, 1), "of the dearest model, where none is known"
    assert settle(asked(asking(), of=replace(ASKED, tokens=0)), None, cut_off=True).cost == 1


def test_in_plan_mode_the_call_is_one_of_the_model_that_the_cli_turns_to() -> None:
    meter = asked(asking(), of=replace(ASKED, permission_mode="plan"))
    assert settle(meter, None, cut_off=True).cost == 400 * 2


@pytest.mark.parametrize("answer", [RETRY, FAILED, asking(None)], ids=["retry", "error", "nothing asked"])
def test_a_call_that_failed_is_free(answer: dict[str, Any]) -> None:
    assert settle(asked(asking(), answer), None, cut_off=True).cost == 0


def test_a_call_whose_answer_began_costs_what_the_answer_says() -> None:
    meter = asked(asking(), started("m1", input_tokens=1_000))
    assert settle(meter, None, cut_off=True).tokens == Tokens(1_000, 1)


def test_a_turn_that_came_to_its_end_asks_for_nothing_more() -> None:
    assert settle(asked(asking()), Account(), cut_off=False).cost == 0


def test_looking_a_model_up_costs_something_that_the_cli_leaves_out() -> None:
    meter = asked(started("m1", input_tokens=1_000), counted(output_tokens=200), stopped())
    before = meter.nanodollars
    meter.check(_SONNET)
    looked_up = CHECK.input * 2_000 + CHECK.output * 10_000
    assert meter.nanodollars == before + looked_up
    settled = settle(meter, Account(before, Tokens(1_000, 200)), cut_off=False)
    assert (settled.cost * 1_000, settled.estimated) == (before + looked_up, True)


def test_a_summary_of_the_conversation_is_paid_where_the_cli_can_not_say_so_any_more() -> None:
    boundary = {
        "type": "system",
        "subtype": "compact_boundary",
        "compact_metadata": {"pre_tokens": 9_000, "post_tokens": 100},
    }
    meter = asked(asking("compacting"), boundary, started("m1", input_tokens=10))
    assert settle(meter, Account(5_000, Tokens(10, 1)), cut_off=True).tokens.total == 11
    settled = settle(meter, None, cut_off=True)
    assert (settled.cost, settled.tokens) == (900 + 50 + 2, Tokens(9_010, 101))


# ---------------------------------------------------------------------------- numbers that lie

_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [-1, 0, 3, 10**6, 10**30, 0.5, float("nan"), float("inf"), True, "7", None, [], {}]
)
_KEYS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@given(st.lists(st.tuples(st.sampled_from(_KEYS), _ODD), max_size=6), _ODD, _ODD, st.booleans())
def test_whatever_numbers_come_a_turn_costs_what_was_seen_of_it_at_the_least(
    usage: list[tuple[str, Any]], total: Any, since: Any, cut_off: bool
) -> None:
    meter = metered(started("m1", **dict(usage)), wrote("x" * 8), counted(output_tokens=5), stopped())
    line = {"type": "result", "total_cost_usd": total, "modelUsage": {_HAIKU: {"inputTokens": since}}}
    if not isinstance(since, int):
        line["model_usage_since_last_result"] = {_HAIKU: {"costUSD": since, "outputTokens": total}}
    settled = settle(meter, CliAccounts(resumed=False).take(line), cut_off=cut_off)
    assert meter.tokens.output >= 5
    assert 0 < meter.nanodollars <= settled.cost * 1_000
    assert 0 < settled.cost <= 10_000 * 10**6 * 2


@given(st.permutations(range(6)), st.booleans())
def test_the_order_of_its_lines_does_not_change_the_price_of_a_call(order: list[int], doubled: bool) -> None:
    stream = [
        started("m1", input_tokens=900, cache_read_input_tokens=5),
        wrote("x" * 40),
        wrote("y" * 40),
        counted(output_tokens=7, input_tokens=900),
        stopped(),
        whole("m1", input_tokens=900, output_tokens=1, cache_read_input_tokens=5),
    ]
    lines = [{**stream[index], "api_message_id": "m1"} for index in order]
    meter = metered(*lines, *(lines if doubled else []))
    assert (meter.tokens, meter.nanodollars) == (Tokens(900, 7, 5), 900 * 100 + 7 * 500 + 5 * 10)


def test_a_stream_that_broke_and_was_ended_by_the_cli_counts_what_it_printed() -> None:
    meter = metered(started("m1", input_tokens=1_000), wrote("x" * 400), stopped())
    assert (meter.tokens, meter.unfinished) == (Tokens(1_000, 100), True)
    assert settle(meter, Account(100_500, Tokens(1_000, 1)), cut_off=False).estimated


def test_calls_without_names_are_told_apart() -> None:
    call = (started("", input_tokens=10), whole("", input_tokens=10), counted(output_tokens=2), stopped())
    assert metered(*call, *call).tokens == Tokens(20, 4)
    assert metered(whole("", input_tokens=10), whole("", input_tokens=10)).tokens == Tokens(20)


# ---------------------------------------------------------------------------- recovery


def test_a_transcript_that_was_cut_short_tells_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "task-1.1.jsonl"
    lines = [started("m1", input_tokens=1_000), wrote("x" * 400)]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b'{"type":"stream_ev')
    settled, meter = settle_transcript(path, _PRICES, Asked())
    assert (settled.tokens, settled.cost, meter.model) == (Tokens(1_000, 100), 150, _HAIKU)


def test_an_empty_transcript_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "task-1.1.jsonl"
    path.write_bytes(b"not json\n\n")
    settled, meter = settle_transcript(path, _PRICES, ASKED)
    assert (settled.tokens, settled.cost, meter.model) == (Tokens(), 0, None)


def test_a_transcript_that_ends_while_the_api_is_asked_costs_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "task-1.1.jsonl"
    path.write_bytes(json.dumps(asking()).encode() + b"\n")
    assert settle_transcript(path, _PRICES, Asked(_HAIKU, tokens=400))[0].cost == 40
