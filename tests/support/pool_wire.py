"""A coordinator's end of a connection that speaks the protocol's own lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from claude_pool.adapters.client import Client, ToolError

from tests.support.pool_loop import PATIENCE

Json = dict[str, Any]


class Wire:
    """What a coordinator was given or told last. Close it before the pool ends."""

    def __init__(self, dial: Callable[[str], Client]) -> None:
        """`dial` makes a connection with the toolsets that it is given."""
        self._dial = dial
        self._client: Client | None = None
        self._text = ""
        self._failed = False

    def connect(self, toolsets: str) -> None:
        """Connect, and shake hands."""
        self._client = self._dial(toolsets)

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()

    def tools(self) -> list[Json]:
        """The tools that are offered."""
        return cast("list[Json]", self._request("tools/list", {})["tools"])

    def call(self, tool: str, arguments: Mapping[str, object]) -> None:
        """Call a tool."""
        result = self._request("tools/call", {"name": tool, "arguments": arguments})
        content = cast("list[Json]", result["content"])
        self._text, self._failed = "".join(part["text"] for part in content), bool(result.get("isError"))

    def read(self, address: str) -> None:
        """Read a resource."""
        try:
            result = self._request("resources/read", {"uri": address})
        except ToolError as error:
            self._text, self._failed = f"[{error.code}] {error.message}", True
        else:
            contents = cast("list[Json]", result["contents"])
            self._text, self._failed = contents[0]["text"], False

    def _request(self, method: str, params: Mapping[str, object]) -> Json:
        assert self._client is not None, "no coordinator is connected"
        return self._client.request(method, params, PATIENCE)

    def text(self) -> str:
        """What it was given."""
        assert not self._failed, self._text
        return self._text

    def result(self) -> object:
        """What it was given, as data."""
        return json.loads(self.text())

    def error(self) -> str:
        """What it was told instead of a result."""
        assert self._failed, f"no error: {self._text}"
        return self._text
