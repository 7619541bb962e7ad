"""What a slot prints, from its bytes to the event that tells of the attempt's end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from claude_pool.adapters.claude.accounts import CliAccounts
from claude_pool.adapters.claude.price_file import price_list
from claude_pool.adapters.claude.stream import LineSplitter, parse
from claude_pool.adapters.claude.transcript import TranscriptFile
from claude_pool.adapters.claude.turn import LIFECYCLE, Patience, RunningTurn, outcome_of
from claude_pool.adapters.store.registry import default_codec
from claude_pool.domain.ports import ProcessEnd, Turn
from claude_pool.domain.records import Actor, Meta
from claude_pool.domain.task_events import AttemptSucceeded

from tests.fuzz.engine import Probe, Target, changed, changed_bytes, written

_RECORDED = Path(__file__).parents[2] / "golden" / "logs" / "0.1.0" / "transcripts"
_LINES = [
    json.loads(line)
    for path in sorted(_RECORDED.glob("*.jsonl"))
    for line in path.read_bytes().splitlines()[:60]
]
_RARE: list[dict[str, Any]] = [
    {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 429, "num_turns": 3,
     "result": "You've hit your session limit · resets 3pm (Europe/Zurich)", "total_cost_usd": 0.25,
     "modelUsage": {"claude-haiku-5-5": {"costUSD": 0.25, "inputTokens": 10, "outputTokens": 20}},
     "permission_denials": [{"tool_name": "Bash", "tool_use_id": "t1"}], "structured_output": {"a": [1,
     "x"]}},
    {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "done",
     "structured_output": {"a": 1}, "total_cost_usd": 0.01, "usage": {"input_tokens": 3, "output_tokens": 4}},
    {"type": "result", "subtype": "error_max_turns", "is_error": True, "num_turns": 9,
    "errors": ["too many"]},
    {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_800_000_000,
     "rateLimitType": "five_hour"}},
    {"type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 529, "error": "overloaded"},
    {"type": "system", "subtype": "compact_boundary", "compact_metadata": {"pre_tokens": 9,
    "post_tokens": 1}},
    {"type": "system", "subtype": "permission_denied", "tool_use_id": "t1", "tool_name": "Bash",
    "message": "no"},
    {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True,
     "content": "it broke"}]}},
    {"type": "assistant", "error": "rate_limit", "message": {"id": "m", "model": "<synthetic>",
    "content": []}},
]  # fmt: skip


def make(chance: Random) -> bytes:
    """A few lines, changed; as often as not they end with a result."""
    chosen = [chance.choice(_LINES) for _ in range(chance.randrange(1, 8))]
    chosen += [chance.choice(_RARE) for _ in range(chance.randrange(3))]
    lines = [written(chance, changed(chance, line, chance.choice((0.0, 0.1, 0.5)))) for line in chosen]
    lines = [changed_bytes(chance, line) if chance.random() < 0.15 else line for line in lines]
    return b"\n".join(lines) + b"\n" * chance.randrange(3)


@contextmanager
def ground(folder: Path) -> Generator[Probe]:
    """One loop for all turns."""
    prices = price_list()
    codec = default_codec()
    with asyncio.Runner() as runner:

        async def turn(data: bytes) -> None:
            transcript = TranscriptFile(folder / "transcript", fresh=True)
            asked = Turn("task-aaaaaaaaaaaaaaaa.1", "", "a prompt", budget=1_000)
            running = RunningTurn(asked, transcript, prices, Patience(1, 2, 3), lambda _a, _m: None)
            splitter, accounts = LineSplitter(), CliAccounts(resumed=False)
            cut = len(data) // 3
            for chunk in (data[:cut], data[cut:], b"\n"):
                for line in splitter.feed(chunk):
                    transcript.append(line)
                    if (message := parse(line)) is None:
                        continue
                    running.hear(message)
                    account = accounts.take(message) if message.get("type") == "result" else None
                    running.take(message, account, (LIFECYCLE,) if len(data) % 2 else ())
                    assert running.patience_left()[1].code
            for end in (None, ProcessEnd(1, 0, expected=False, message="gone")):
                outcome = outcome_of(running, end, schema_asked=len(data) % 3 == 0)
                event = AttemptSucceeded(1, outcome, 25)
                topic, state = codec.encode(event, Meta(1, "c", "c", Actor.SLOT, None))
                assert codec.decode(topic, state)[0] == event
                assert 0 <= outcome.cost < 2**53
            transcript.close()

        yield lambda data: runner.run(turn(data))


TARGET = Target("stream", make, ground)
