"""The model's side without an API: one call streamed as lines, with the faults that its step asks for."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_pool.adapters.demo.directives import Fault, Step, Usage
from claude_pool.adapters.demo.sse import ERROR_TYPES, Event, Message, fault_message

_POLL_SECONDS = 0.01


class Interrupted(Exception):
    """The call was stopped; `streamed` is the text that had come by then, None before the first byte."""

    def __init__(self, message: Message | None = None, streamed: str | None = None) -> None:
        """`message` is what was being streamed."""
        super().__init__()
        self.message = message
        self.streamed = streamed


@dataclass(frozen=True)
class Failure:
    """A call that failed. `broken` says that it broke in the middle of a stream."""

    text: str
    status: int | None
    error: str
    api_type: str | None
    retryable: bool = False
    broken: bool = False
    wait_seconds: float | None = None
    resets: int | None = None


_ERRORS = {
    400: "unknown",
    401: "authentication_failed",
    403: "authentication_failed",
    404: "model_not_found",
    413: "invalid_request",
    429: "rate_limit",
}
_MAX_WAIT_SECONDS = 60.0


def http_failure(fault: Fault, model: str) -> Failure:
    """What the CLI makes of an HTTP error."""
    message = fault_message(fault, model)
    wait: float | None = None
    if fault.retry_after is not None and fault.retry_after.isdecimal():
        wait = float(fault.retry_after)
    return Failure(
        text=_failure_text(fault, message, model),
        status=fault.status,
        error="billing_error" if fault.variant == "credit" else _ERRORS.get(fault.status, "server_error"),
        api_type=ERROR_TYPES.get(fault.status, "api_error"),
        retryable=(fault.status in (401, 429) or fault.status >= 500)
        and not fault.no_retry
        and (wait or 0) <= _MAX_WAIT_SECONDS,
        wait_seconds=wait,
        resets=fault.resets,
    )


def _failure_text(fault: Fault, message: str, model: str) -> str:
    if fault.variant == "credit":
        return "Credit balance is too low"
    if fault.variant == "too-long":
        return "Prompt is too long"
    if fault.resets is not None:
        return "You've hit your session limit"
    texts = {
        401: "Invalid API key · Fix external API key",
        403: f"Failed to authenticate. API Error: 403 {message}",
        404: f"There's an issue with the selected model ({model}). It may not exist or you may not have "
        "access to it. Run --model to pick a different model.",
        413: "Request too large (max 32MB). Accumulated images and attachments in the conversation pushed "
        "the request over the limit. Remove older images or compact the conversation.",
        429: f"API Error: Request rejected (429) · {message}",
    }
    if fault.status >= 500:
        return (
            f"API Error: {fault.status} {message}. This is a server-side issue, usually temporary — try "
            "again in a moment. If it persists, check your inference gateway (fake)."
        )
    return texts.get(fault.status, f"API Error: {fault.status} {message}")


_BROKEN = {
    "cut": Failure(
        "API Error: Connection dropped (ECONNRESET). Check the gateway set in ANTHROPIC_BASE_URL, "
        "then try again.",
        None,
        "server_error",
        None,
        retryable=True,
        broken=True,
    ),
    "error": Failure(
        "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.",
        529,
        "server_error",
        "overloaded_error",
        retryable=True,
        broken=True,
    ),
    "html": Failure(
        "API Error: API returned an empty or malformed response (HTTP 200) — check for a proxy or gateway "
        "intercepting the request.",
        None,
        "unknown",
        None,
        retryable=True,
        broken=True,
    ),
}


class Model:
    """Answers calls. `calls_file` gets two JSON lines for each, as the scripted API writes them."""

    def __init__(
        self, environment: Mapping[str, str], state: Path, stop: threading.Event, calls_file: Path | None
    ) -> None:
        """`state` is a folder that counts faults across processes; `stop` interrupts whatever runs."""
        self._state = state
        self._stop = stop
        self._calls_file = calls_file
        self._number = 0
        self._familiar = set[str]()
        self.retries = int(environment.get("CLAUDE_CODE_MAX_RETRIES", "10"))

    def call(
        self, step: Step, key: str, at: int, prompt: str, model: str, text: str, show: Callable[[Event], None]
    ) -> Message | Failure:
        """Make one attempt. `show` gets the events of the stream as they come.

        Raises:
            Interrupted: it was stopped.
        """
        self._number += 1
        message = Message(f"msg_{os.getpid():x}{self._number:04d}", model, step, text)
        call: dict[str, Any] = {
            "number": self._number,
            "at": time.time(),
            "model": model,
            "prompt": prompt,
            "step": at,
            "status": 0,
            "end": "open",
            "served": asdict(Usage()),
        }
        self._record(call)
        try:
            outcome = self._attempt(message, self._fault(step, key, at), call, show)
        except Interrupted:
            call["end"] = "aborted"
            raise
        finally:
            self._record(call)
        return outcome

    def look_up(self, name: str) -> None:
        """Ask whether there is a model of this name, the first time that it is wanted."""
        if name in self._familiar:
            return
        self._familiar.add(name)
        step = Step(usage=Usage(100, 1))
        self.call(step, name, 0, "Hi", name, "Hello", lambda _event: None)

    def _attempt(
        self, message: Message, fault: Fault | None, call: dict[str, Any], show: Callable[[Event], None]
    ) -> Message | Failure:
        self.pause(message.step.delay_ms / 1000)
        kind = fault.kind if fault else ""
        if kind == "hang":
            self.pause(None)
        if fault is not None and kind in ("status", "html"):
            call["status"], call["end"] = fault.status or 200, "failed"
            return http_failure(fault, message.model) if kind == "status" else _BROKEN["html"]
        call["status"] = 200
        broken = self._stream(message, fault, call, show)
        if broken is not None:
            call["end"] = "broken"
            return broken
        call["end"], call["served"] = "complete", asdict(message.step.usage)
        return message

    def _stream(
        self, message: Message, fault: Fault | None, call: dict[str, Any], show: Callable[[Event], None]
    ) -> Failure | None:
        sent, streamed = 0, ""
        try:
            for event in message.events():
                if event.name == "ping":
                    continue
                if fault is not None and sent >= fault.after and event.name in _PIECES_OVER:
                    if fault.kind in _BROKEN:
                        return _BROKEN[fault.kind]
                    self.pause(None)
                if event.piece and sent:
                    self.pause(message.step.pace_ms / 1000)
                elif self._stop.is_set():
                    raise Interrupted
                show(event)
                if event.piece:
                    sent += 1
                    streamed += str(event.fields["delta"].get("text", ""))
                    call["served"] = asdict(message.served(sent))
                    self._hold(message.step.until if sent == 1 else None)
        except Interrupted:
            raise Interrupted(message, streamed) from None
        return None

    def _hold(self, path: str | None) -> None:
        while path is not None and not os.path.exists(path):
            self.pause(_POLL_SECONDS)

    def pause(self, seconds: float | None) -> None:
        """Wait, for ever where `seconds` is None.

        Raises:
            Interrupted: it was stopped.
        """
        if self._stop.wait(seconds):
            raise Interrupted

    def _fault(self, step: Step, key: str, at: int) -> Fault | None:
        fault = step.fault
        if fault is None or fault.times is None:
            return fault
        self._state.mkdir(parents=True, exist_ok=True)
        name = sha256(f"{at} {key}".encode()).hexdigest()
        with open(self._state / name, "ab", buffering=0) as counter:
            counter.write(b".")  # appends of several processes do not overwrite one another
            return fault if counter.tell() <= fault.times else None

    def _record(self, call: dict[str, Any]) -> None:
        if self._calls_file is not None:
            with self._calls_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(call) + "\n")


_PIECES_OVER = ("content_block_delta", "content_block_stop", "message_delta", "message_stop")
