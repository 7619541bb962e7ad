"""`fork` as a caller meets it, against an owner that answers by a script."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stand_in import PATIENCE, Bench, until

CHAIN, TASK = "chain-aaaaaaaaaaaaaaaa", "task-bbbbbbbbbbbbbbbb"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("words", "forked", "cancel"),
    [
        (("fork", "chain-cccccccccccccccc", "--from", "do"), {"chain_id": CHAIN}, "pool_cancel_chain"),
        (("fork", "task-cccccccccccccccc"), {"task_id": TASK}, "pool_cancel"),
    ],
    ids=["chain", "task"],
)
def test_an_interrupt_while_it_waits_cancels_the_new_one_alone(
    bench: Bench, words: tuple[str, ...], forked: dict[str, str], cancel: str
) -> None:
    nothing: dict[str, str] = {}
    bench.script(results={"pool_fork": [forked], cancel: [nothing]}, silent=["pool_wait"])
    with bench.claude_pool(*words, "--wait") as process:
        until(lambda: "pool_wait" in [name for name, _ in bench.calls()], "the wait")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)

    (new,) = forked.values()
    assert (process.returncode, out, err.decode()) == (130, b"", f"cancelled {new}\n")
    assert bench.calls()[-1] == (cancel, forked)
