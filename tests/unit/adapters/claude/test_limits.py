"""What the CLI says of limits, read: lines as they were seen, and lines as nobody hopes to see them."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from typing import Any

import pytest
from claude_pool.adapters.claude import limits
from claude_pool.adapters.claude.limits import (
    limit_in_event,
    limit_in_result,
    limit_in_retry,
    reset_time,
)
from claude_pool.domain.values import Limit, LimitKind
from hypothesis import given
from hypothesis import strategies as st


def at(text: str) -> int:
    """A moment in milliseconds, from ISO text."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOW = at("2026-03-01T12:30:00+00:00")  # a Sunday; a week before clocks change in America


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("You've hit your session limit · resets 1pm (Europe/Lisbon)", "2026-03-01T13:00:00+00:00"),
        ("You've hit your limit · resets 6:21pm (UTC)", "2026-03-01T18:21:00+00:00"),
        ("You've hit your limit · resets 12:30pm (UTC)", "2026-03-02T12:30:00+00:00"),
        ("You've hit your limit · resets 9am (UTC)", "2026-03-02T09:00:00+00:00"),
        ("You've hit your limit · resets 12am (Asia/Tokyo)", "2026-03-01T15:00:00+00:00"),
        (
            "You've hit your weekly limit · resets Mar 3 at 4pm (America/New_York)",
            "2026-03-03T16:00:00-05:00",
        ),
        ("You've hit your weekly limit · resets Mar 8, 4pm (America/New_York)", "2026-03-08T16:00:00-04:00"),
        ("You've hit your Opus limit · resets March 5 at 10:15 (Europe/Berlin)", "2026-03-05T10:15:00+01:00"),
        ("Limit reached. It resets on Jan 2, 2027 at 8am (UTC)", "2027-01-02T08:00:00+00:00"),
        ("Weekly limit reached ∙ resets Feb 27, 8am (UTC)", "2026-02-27T08:00:00+00:00"),
        ("5-hour limit reached ∙ resets 3pm", "2026-03-01T15:00:00+00:00"),
        ("5-hour limit reached - resets at 14:30", "2026-03-01T14:30:00+00:00"),
        ("Claude AI usage limit reached|1772370000", "2026-03-01T13:00:00+00:00"),
        ("Claude AI usage limit reached|1772370000000", "2026-03-01T13:00:00+00:00"),
        ("Usage limit reached, resets in 3h 20m", "2026-03-01T15:50:00+00:00"),
        ("Usage limit reached, resets in 45 minutes.", "2026-03-01T13:15:00+00:00"),
        ("You may try again in 2 days, 1 hour", "2026-03-03T13:30:00+00:00"),
        ("Rate limited. Retry after 20 seconds", "2026-03-01T12:30:20+00:00"),
        ("The limit resets at 2026-03-01T18:00:00Z", "2026-03-01T18:00:00+00:00"),
        ("The limit resets at 2026-03-01 18:00", "2026-03-01T18:00:00+00:00"),
        ("You've hit your limit · resets 1 p.m. (UTC)", "2026-03-01T13:00:00+00:00"),
    ],
)
def test_the_time_in_a_sentence_is_understood(said: str, when: str) -> None:
    assert reset_time(said, NOW, UTC) == at(when)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "You've hit your session limit",
        "You've hit your limit · resets soon",
        "You've hit your limit · resets 3pm (Middle/Earth)",
        "You've hit your limit · resets 3pm (../../etc/passwd)",
        "You've hit your limit · resets 25:00 (UTC)",
        "You've hit your limit · resets 13pm (UTC)",
        "You've hit your limit · resets 0am (UTC)",
        "You've hit your limit · resets 3 (UTC)",
        "You've hit your limit · resets Feb 31 at 3pm (UTC)",
        "You've hit your limit · resets Smarch 3 at 4pm (UTC)",
        "usage limit reached|999999999999999999999",
        "resets in 0 minutes",
        "resets in a while",
        "The limit resets at 2026-13-41T99:00:00Z",
        "API Error: Request rejected (429) · Rate limited",
    ],
)
def test_what_cannot_be_understood_is_no_time(said: str) -> None:
    assert reset_time(said, NOW, UTC) is None


def test_a_machine_without_zones_knows_no_time_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> zoneinfo.ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(limits, "ZoneInfo", missing)
    assert reset_time("You've hit your limit · resets 1pm (Europe/Lisbon)", NOW) is None


def test_a_time_without_a_zone_is_of_this_machine() -> None:
    here = datetime.fromtimestamp(NOW / 1000).astimezone()
    said = reset_time(f"resets {(here.hour + 2) % 24}:00", NOW)
    assert said is not None
    assert datetime.fromtimestamp(said / 1000).astimezone().hour == (here.hour + 2) % 24
    assert 0 < said - NOW <= 24 * 3_600_000


@given(st.text() | st.from_regex(r"resets? (in|at|on)? ?\w{0,9} ?\d{0,12}:?\d{0,3} ?[ap]?m? ?\(?\w*\)?"))
def test_no_sentence_is_too_much(said: str) -> None:
    until = reset_time(said, NOW, UTC)
    assert until is None or isinstance(until, int)


@pytest.mark.parametrize(
    ("http", "kind", "said", "limit"),
    [
        (401, "authentication_failed", "Invalid API key · Fix external API key", LimitKind.LOGIN),
        (403, "authentication_failed", "Failed to authenticate. API Error: 403 no", LimitKind.LOGIN),
        (None, "unknown", "Not logged in · Please run /login", LimitKind.LOGIN),
        (400, "billing_error", "Credit balance is too low", LimitKind.BILLING),
        (402, "unknown", "API Error: 402 Payment required", LimitKind.BILLING),
        (429, "rate_limit", "API Error: Request rejected (429) · Rate limited", LimitKind.RATE),
        (429, "rate_limit", "API Error: limiting requests (not your usage limit) · no", LimitKind.RATE),
        (429, "rate_limit", "You've hit your weekly limit", LimitKind.USAGE),
        (None, "rate_limit", "Claude AI usage limit reached", LimitKind.USAGE),
        (529, "server_error", "API Error: 529 Overloaded", LimitKind.OVERLOADED),
        (None, "overloaded", "Overloaded", LimitKind.OVERLOADED),
        (500, "server_error", "API Error: 500", None),
        (None, "server_error", "API Error: Connection dropped (ECONNRESET)", LimitKind.UNREACHABLE),
        (None, "server_error", "API Error: Unable to connect to API (ECONNREFUSED)", LimitKind.UNREACHABLE),
        (None, "unknown", "getaddrinfo ENOTFOUND api.anthropic.com", LimitKind.UNREACHABLE),
        (None, "server_error", "Connection error.", LimitKind.UNREACHABLE),
        (None, "unknown", "API returned an empty or malformed response (HTTP 200)", LimitKind.UNREACHABLE),
        (502, "server_error", "Connection error.", None),
        (None, "", "ECONNRESET, says a tool that the model ran", None),
        (None, "server_error", "Request timed out.", None),
        (404, "model_not_found", "no such model", None),
    ],
)
def test_an_error_means_this_limit(http: int | None, kind: str, said: str, limit: LimitKind | None) -> None:
    found = limit_in_result(http, kind, said, None, NOW)
    assert found == (None if limit is None else Limit(limit))


def test_what_an_event_told_before_counts_more_than_the_sentence() -> None:
    said = "You've hit your limit · resets in 5 minutes"
    told = Limit(LimitKind.RATE, NOW + 7)
    assert limit_in_result(429, "rate_limit", said, told, NOW) == told
    blind = Limit(LimitKind.USAGE)
    assert limit_in_result(429, "rate_limit", said, blind, NOW) == Limit(LimitKind.USAGE, NOW + 300_000)


@pytest.mark.parametrize(
    ("info", "limit"),
    [
        (
            {"status": "rejected", "resetsAt": 1772370000, "rateLimitType": "five_hour"},
            (LimitKind.USAGE, True),
        ),
        ({"status": "rejected", "resetsAt": 1772370000.5}, (LimitKind.USAGE, True)),
        ({"status": "rejected", "rateLimitType": "seven_day"}, (LimitKind.USAGE, False)),
        ({"status": "rejected", "resetsAt": "soon"}, (LimitKind.RATE, False)),
        ({"status": "rejected", "resetsAt": True}, (LimitKind.RATE, False)),
        ({"status": "rejected", "resetsAt": -1}, (LimitKind.RATE, False)),
        ({"status": "rejected", "resetsAt": float("nan")}, (LimitKind.RATE, False)),
        ({"status": "rejected", "resetsAt": 1e300}, (LimitKind.RATE, False)),
        ({"status": "rejected", "resetsAt": 1772370000, "isUsingOverage": True}, None),
        ({"status": "allowed_warning", "resetsAt": 1772370000}, None),
        ("rejected", None),
    ],
)
def test_an_event_tells_of_this_limit(info: Any, limit: tuple[LimitKind, bool] | None) -> None:
    found = limit_in_event({"type": "rate_limit_event", "rate_limit_info": info})
    known = None if limit is None else Limit(limit[0], 1_772_370_000_000 if limit[1] else None)
    assert found == known


@pytest.mark.parametrize(
    ("http", "kind", "limit"),
    [
        (401, "authentication_failed", LimitKind.LOGIN), (403, "unknown", LimitKind.LOGIN),
        (None, "authentication_failed", LimitKind.LOGIN), (402, "unknown", LimitKind.BILLING),
        (400, "billing_error", LimitKind.BILLING), (529, "overloaded", None), (429, "rate_limit", None),
    ],
)  # fmt: skip
def test_no_retry_can_pass_this_limit(http: int | None, kind: str, limit: LimitKind | None) -> None:
    found = limit_in_retry({"subtype": "api_retry", "error_status": http, "error": kind})
    assert found == (None if limit is None else Limit(limit))
