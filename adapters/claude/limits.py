"""Limits of the provider, as the CLI tells of them: in lines of its protocol, in HTTP statuses, in prose.

Pure functions: what the time is arrives with the call. Whether a time that was said can be true is judged
by whoever acts on it; what cannot be understood reads as no time.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from claude_pool.domain.values import Limit, LimitKind

from .stream import Message, part, status, text

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MILLISECONDS_FROM = 10**11
"""An epoch as large as this counts milliseconds; in seconds it would lie in the year 5138."""

_EPOCH = re.compile(r"\blimit reached\s*\|\s*(\d{9,14})\b", re.IGNORECASE)
_ISO = re.compile(r"\b(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)")
_IN = re.compile(
    r"\b(?:resets?|try again|retry)\s+(?:in|after)\s+"
    r"(?:(\d{1,3})\s*d(?:ays?)?)?[ ,]*(?:(\d{1,4})\s*h(?:ours?|rs?)?)?[ ,]*"
    r"(?:(\d{1,5})\s*m(?:in(?:ute)?s?)?)?[ ,]*(?:(\d{1,6})\s*s(?:ec(?:ond)?s?)?)?(?![\w:])",
    re.IGNORECASE,
)
_AT = re.compile(
    r"\bresets?\s+(?:on\s+|at\s+)?"
    r"(?:(?P<month>[a-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2})(?:,?\s+(?P<year>\d{4}))?,?\s+(?:at\s+)?)?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)?"
    r"(?:\s*\((?P<zone>[^()]{1,60})\))?",
    re.IGNORECASE,
)
_UNREACHED = re.compile(
    r"\bE(?:CONN|NOTFOUND|AI_AGAIN|NETUNREACH|HOSTUNREACH|TIMEDOUT|PIPE)|\bunable to connect"
    r"|\bconnection (?:error|failed|refused|reset|closed|dropped|timed out)|empty or malformed response",
    re.IGNORECASE,
)
"""No answer of the provider came: no connection, or something on the way answered in its place."""
_USED_UP = re.compile(r"\b(?:hit your [\w -]*limit|limit reached|usage limit)", re.IGNORECASE)


def limit_in_result(http: int | None, kind: str, said: str, told: Limit | None, now: int) -> Limit | None:
    """The limit that an error of the provider means, or None where it means none.

    `http` and `kind` are what the CLI says of the error, `said` is its text, `told` what an event of the
    same turn told before, `now` the time (ms).
    """
    words = said.lower()
    if http in (401, 403) or kind == "authentication_failed" or "not logged in" in words:
        return Limit(LimitKind.LOGIN)
    if kind == "billing_error" or http == 402:
        return Limit(LimitKind.BILLING)
    if http == 529 or kind == "overloaded":
        return Limit(LimitKind.OVERLOADED)
    if http is None and kind in ("server_error", "unknown") and _UNREACHED.search(said):
        return Limit(LimitKind.UNREACHABLE)
    if http != 429 and kind != "rate_limit":
        return None
    until = reset_time(said, now)
    if told is not None:
        return Limit(told.kind, told.until if told.until is not None else until)
    used_up = _USED_UP.search(said) is not None and "not your usage limit" not in words
    return Limit(LimitKind.USAGE if used_up else LimitKind.RATE, until)


def limit_in_event(message: Message) -> Limit | None:
    """The limit that a `rate_limit_event` tells of, or None where calls are still let through."""
    info = part(message, "rate_limit_info")
    if text(info, "status") != "rejected" or info.get("isUsingOverage") is True:
        return None
    until = _epoch(info.get("resetsAt"))
    named = until is not None or bool(text(info, "rateLimitType"))
    return Limit(LimitKind.USAGE if named else LimitKind.RATE, until)


def limit_in_retry(message: Message) -> Limit | None:
    """The limit that an `api_retry` line tells of and that no retry can pass: the login, or the money."""
    http, kind = status(message, "error_status"), text(message, "error")
    if http in (401, 403) or kind == "authentication_failed":
        return Limit(LimitKind.LOGIN)
    return Limit(LimitKind.BILLING) if http == 402 or kind == "billing_error" else None


def reset_time(said: str, now: int, local: tzinfo | None = None) -> int | None:
    """When (ms) a limit ends by what is `said` at the time `now` (ms); None where it says nothing clear.

    A time of day is the next one there is; one without a zone is of `local` (None: this machine's).
    """
    if found := _EPOCH.search(said):
        return _epoch(int(found[1]))
    if found := _IN.search(said):
        days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
        wait = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return now + round(wait.total_seconds() * 1000) if wait else None
    try:
        here = datetime.fromtimestamp(now / 1000, local).astimezone(local)
        if "reset" in said.lower() and (found := _ISO.search(said)):
            moment = datetime.fromisoformat(found[1])
            return _ms(moment if moment.tzinfo is not None else _placed(moment, local))
        return _by_the_clock(said, here, local)
    except (ValueError, OverflowError, OSError):
        return None


def _by_the_clock(said: str, here: datetime, local: tzinfo | None) -> int | None:
    found = _AT.search(said)
    if found is None:
        return None
    if found["zone"] is not None:
        zone = _zone(found["zone"].strip())
        if zone is None:
            return None
        here, local = here.astimezone(zone), zone
    clock = _time_of_day(int(found["hour"]), found["minute"], found["half"])
    if clock is None:
        return None
    if found["month"] is not None:
        day = _day(found["month"], int(found["day"]), found["year"], here.date())
        return _ms(_placed(datetime.combine(day, clock), local))
    today = _ms(_placed(datetime.combine(here.date(), clock), local))
    if today > _ms(here):
        return today
    return _ms(_placed(datetime.combine(here.date() + timedelta(days=1), clock), local))


def _time_of_day(hour: int, minute: str | None, half: str | None) -> time | None:
    if half is None:
        return time(hour, int(minute)) if minute is not None else None
    if not 1 <= hour <= 12:
        return None
    return time(hour % 12 + (12 if half[0] in "pP" else 0), int(minute or 0))


def _day(month: str, day: int, year: str | None, today: date) -> date:
    """A day of this year, or of the next where that is long over."""
    number = _MONTHS.index(month.lower()) + 1
    if year is not None:
        return date(int(year), number, day)
    this = date(today.year, number, day)
    return this if this > today - timedelta(days=180) else date(today.year + 1, number, day)


def _placed(moment: datetime, local: tzinfo | None) -> datetime:
    """A moment without a zone, in the zone `local`; without one, in that of this machine."""
    return moment.replace(tzinfo=local) if local is not None else moment.astimezone()


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # also where the machine knows no zones at all
        return None


def _epoch(value: object) -> int | None:
    """Milliseconds of an epoch in seconds or milliseconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    if not 0 < number < 10**15:
        return None
    return number if number >= _MILLISECONDS_FROM else number * 1000


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
