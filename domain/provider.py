"""What the provider's limits mean for the whole pool: how long nothing starts, and how much may run after.

A limit concerns the account and not the task that met it. Pure functions of what is known of the provider
(`Provider`), the pool's pause, and the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import assert_never

from .pool_events import AccountChanged, PoolPaused, PoolResumed, ProviderLimited, ProviderServed
from .values import Limit, LimitKind, Options, Outcome

PROVIDER_LIMIT = "provider_limit"
NOT_LOGGED_IN = "not_logged_in"
BILLING = "provider_billing"
HOLDS = frozenset((PROVIDER_LIMIT, NOT_LOGGED_IN, BILLING))
"""The reasons of pauses that the provider caused, and of the tasks that wait because of them."""
ENDLESS = frozenset((NOT_LOGGED_IN, BILLING))
"""Those that only somebody can end: by another key, or by resuming the pool."""
SLOW = "provider_slow"
"""Why a task waits while the provider bears fewer attempts at once than there are slots."""

UNKNOWN_USAGE_MS = 15 * 60_000
"""So long nothing starts after a usage limit that does not say when it ends."""
FIRST_WAIT_MS = 1_000
LONGEST_WAIT_MS = 60_000
LONGEST_LIMIT_MS = 8 * 24 * 3_600_000
"""A limit that is said to last longer is misread: windows of use last a week at most."""
JITTER_MS = 1_500
SAME_MOMENT_MS = 2_000
"""A success so soon after a limit was under way before it, and says nothing about it."""
OVERLOADS_BORNE = 3
"""So many times in a row a task waits out an overload; after that it has failed like any other."""
RATES_BORNE = 30
"""The same for a limit of the rate that does not say when it ends: about half an hour of waits."""
UNREACHED_BORNE = 1_500
"""The same for a provider that nobody reaches: a day of waits. A night without a network fails no queue."""

_BORNE = {
    LimitKind.OVERLOADED: OVERLOADS_BORNE, LimitKind.RATE: RATES_BORNE, LimitKind.UNREACHABLE: UNREACHED_BORNE
}  # fmt: skip
_REASONS = {LimitKind.LOGIN: NOT_LOGGED_IN, LimitKind.BILLING: BILLING}

HoldEvent = ProviderLimited | ProviderServed | AccountChanged | PoolPaused | PoolResumed


@dataclass(frozen=True, slots=True)
class Pause:
    """Why no attempt starts, and until when (None: until someone resumes the pool)."""

    reason: str
    until: int | None


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of the provider. `account` is a digest of the credentials, empty where it is unknown.

    `strikes` counts the holds without a known end since the last success; `concurrency` is how many attempts
    may run at once (None: as many as there are slots). `limited` is the last limit that was met.
    """

    account: str = ""
    strikes: int = 0
    concurrency: int | None = None
    limited: ProviderLimited | None = None


def reason_of(limit: Limit) -> str:
    """Why the pool is paused, and the task parked, after `limit`."""
    return _REASONS.get(limit.kind, PROVIDER_LIMIT)


def in_a_row(kind: LimitKind, outcomes: Sequence[Outcome]) -> int:
    """How many attempts in a row, the last ones, met a limit of this kind without a known end."""
    count = 0
    for outcome in reversed(outcomes):
        if outcome.limit is None or outcome.limit.kind is not kind or outcome.limit.until is not None:
            break
        count += 1
    return count


def waits_for(outcome: Outcome, before: Sequence[Outcome]) -> str | None:
    """What a task is parked for whose attempt came to `outcome`; None: the attempt failed like any other.

    `before` are the outcomes of its earlier attempts: a task that alone provokes the limit must not hold all
    others for ever, nor pay again and again for answers that break off.
    """
    limit = outcome.limit
    if limit is None:
        return None
    most = None if limit.until is not None else _BORNE.get(limit.kind)
    if limit.kind is LimitKind.UNREACHABLE and outcome.tokens.total:
        most = OVERLOADS_BORNE
    return None if most is not None and in_a_row(limit.kind, before) >= most else reason_of(limit)


def model_after(options: Options, overloaded: int) -> str | None:
    """The model of a task's next attempt: after each overload the next of its `fallback_model`, if any."""
    names = [name.strip() for name in (options.fallback_model or "").split(",") if name.strip()]
    return names[min(overloaded, len(names)) - 1] if overloaded and names else options.model


def over(pause: Pause, provider: Provider, now: int) -> bool:
    """Whether a pause has come to its end.

    A hold that began at a time which has not come yet was recorded by a wrong clock: it must not last.
    """
    if pause.until is None:
        return False
    last = provider.limited if pause.reason == PROVIDER_LIMIT else None
    return pause.until <= now or (last is not None and now < last.at - SAME_MOMENT_MS)


def on_limit(
    provider: Provider,
    pause: Pause | None,
    limit: Limit,
    attempt: str,
    said: str,
    running: int,
    pool_id: str,
    now: int,
) -> tuple[HoldEvent, ...]:
    """An attempt met `limit` while `running` ran, it included; `said` is what the provider said of it.

    Attempts that were under way when a hold began confirm it and make it no worse.
    """
    until = _credible(limit, now)
    blind = until is None and reason_of(limit) == PROVIDER_LIMIT
    confirms = pause is not None
    strikes, concurrency = provider.strikes, provider.concurrency
    if blind and limit.kind is LimitKind.USAGE:
        concurrency = 1
    elif blind and not confirms:
        strikes, concurrency = strikes + 1, max(1, running // 2)
    limited = ProviderLimited(limit.kind, until, attempt, said, now, strikes, concurrency)
    if confirms and blind and provider.limited is not None and provider.limited.kind is limit.kind:
        return (limited,)
    wanted = Pause(reason_of(limit), _end(limit.kind, until, strikes, pool_id, now))
    after = wanted if pause is None else _stronger(pause, wanted)
    return (limited,) if after == pause else (limited, PoolPaused(after.reason, after.until))


def on_success(provider: Provider, pause: Pause | None, target: int, now: int) -> tuple[HoldEvent, ...]:
    """An attempt succeeded in a pool of `target` slots: one more may run, and a limit's hold is over."""
    last, concurrency = provider.limited, provider.concurrency
    if pause is not None and (
        pause.reason != PROVIDER_LIMIT or last is None or now - last.at < SAME_MOMENT_MS
    ):
        return ()
    if concurrency is not None:
        concurrency = concurrency + 1
    if pause is not None and last is not None and last.kind is LimitKind.USAGE:
        concurrency = 1  # it may have been the last that was let through
    if concurrency is not None and concurrency >= target:
        concurrency = None
    known = provider.strikes == 0 and concurrency == provider.concurrency
    served = () if known else (ProviderServed(concurrency),)
    return served if pause is None else (*served, PoolResumed())


def on_account(provider: Provider, pause: Pause | None, account: str) -> tuple[HoldEvent, ...]:
    """Slots use `account` from now on: whatever hold the last one was under is over."""
    if account in ("", provider.account):
        return ()
    return (AccountChanged(account), *lifted_by(provider, pause, account))


def lifted_by(provider: Provider, pause: Pause | None, account: str) -> tuple[PoolResumed, ...]:
    """The end of the pause, if the provider caused it and `account` is another than that of before."""
    other = bool(account) and bool(provider.account) and account != provider.account
    return (PoolResumed(),) if other and pause is not None and pause.reason in HOLDS else ()


def with_account(provider: Provider, account: str) -> Provider:
    """What is known once slots use `account`: of another one than before, nothing."""
    return provider if account in ("", provider.account) else Provider(account)


def evolve(provider: Provider, event: ProviderLimited | ProviderServed | AccountChanged) -> Provider:
    """What is known after `event`. Never raises."""
    match event:
        case ProviderLimited():
            return Provider(provider.account, event.strikes, event.concurrency, event)
        case ProviderServed(concurrency):
            return Provider(provider.account, 0, concurrency, provider.limited)
        case AccountChanged(account):
            return with_account(provider, account)
        case _:
            assert_never(event)


def _credible(limit: Limit, now: int) -> int | None:
    """When the limit ends, if that was said and can be."""
    known = limit.until is not None and now < limit.until <= now + LONGEST_LIMIT_MS
    return limit.until if known else None


def _end(kind: LimitKind, until: int | None, strikes: int, pool_id: str, now: int) -> int | None:
    if kind in _REASONS:
        return None
    if until is not None:
        return until + _jitter(pool_id, until)
    if kind is LimitKind.USAGE:
        return now + UNKNOWN_USAGE_MS
    return now + min(FIRST_WAIT_MS << min(max(strikes - 1, 0), 16), LONGEST_WAIT_MS)


def _jitter(pool_id: str, until: int) -> int:
    """Up to 1.5 s, another one for each pool and each limit, so that pools do not all begin at once."""
    digest = sha256(f"{pool_id}\0{until}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4]) % (JITTER_MS + 1)


def _stronger(pause: Pause, wanted: Pause) -> Pause:
    """Of two pauses the one that ends later; somebody's own is never touched."""
    if pause.reason not in HOLDS or pause.until is None:
        return pause
    if wanted.until is None or wanted.until > pause.until:
        return wanted
    return pause
