"""A headless Chromium, driven over its debugging pipe: pages opened, their times, and pictures of them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

NAMES = ("chromium", "chromium-browser", "google-chrome")

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip

_BECOME = """import fcntl, os, sys
for number, pipe in zip((3, 4), [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]):
    os.dup2(pipe, number)
os.execv(sys.argv[3], sys.argv[3:])"""
"""Becomes a browser, which reads orders from its descriptor 3 and answers on 4, whatever the pipes were."""

_PAINTED = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
    done([performance.now(), document.documentElement.dataset.ready]))))"""


def program() -> str | None:
    """The Chromium of this machine; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One tab of a running Chromium."""

    _orders: int
    _answers: int
    _session: str = ""
    _number: int = 0
    _rest: bytes = b""

    def open(self, url: str) -> tuple[float, str | None]:
        """Seconds from the navigation to the second frame after the page had loaded, and its `data-ready`."""
        self.ask("Page.navigate", url=url)
        self._until("Page.loadEventFired")
        milliseconds, ready = self.say(_PAINTED)
        return milliseconds / 1000, ready

    def say(self, expression: str) -> Any:
        """What an expression of the page's language comes to.

        Raises:
            RuntimeError: it failed.
        """
        told = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"the page failed: {told['exceptionDetails']}")
        return told["result"].get("value")

    def look(self, width: int, height: int, *, dark: bool) -> None:
        """Show pages in a window of that size in CSS pixels, in light or dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)  # fmt: skip
        self.ask("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """The answer to an order of the debugging protocol.

        Raises:
            RuntimeError: the browser refused it or ended.
        """
        self._number += 1
        order: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while (message := self._next()).get("id") != self._number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return cast("dict[str, Any]", message["result"])

    def attach(self) -> None:
        """Take a new tab; everything after this is about it."""
        tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not (more := os.read(self._answers, 1 << 20)):
                raise RuntimeError("the browser ended")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return cast("dict[str, Any]", json.loads(message))


@contextmanager
def browser(path: str) -> Generator[Browser]:
    """Start the Chromium at `path` with a profile of its own; both are gone after the block."""
    reads, orders = os.pipe()
    answers, writes = os.pipe()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        started = subprocess.Popen(
            [sys.executable, "-S", "-c", _BECOME, str(reads), str(writes), path, *_FLAGS,
             f"--user-data-dir={Path(profile) / 'profile'}"],
            pass_fds=(reads, writes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(reads)
        os.close(writes)
        try:
            tab = Browser(orders, answers)
            tab.attach()
            yield tab
        finally:
            os.close(orders)
            started.terminate()
            started.wait(20)
            os.close(answers)
