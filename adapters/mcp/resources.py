"""The pool's resources: what may be read at a `pool://` address."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from claude_pool.domain.errors import InvalidArgument, NotFound
from mcp_types import Resource, ResourceTemplate, TextResourceContents

from ..application import Application
from ..views import View
from .transcripts import ReadTranscript

JSON = "application/json"
LINES = "application/x-ndjson"

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of address. A `{field}` in it stands for one path segment, which `read` is given."""

    address: str
    name: str
    description: str
    read: Callable[[str], Awaitable[str]]
    mime: str = JSON

    def match(self, uri: str) -> str | None:
        """What stands for the field, empty where there is none; None where `uri` is not of this kind."""
        before, field, after = _FIELD.split(self.address) if "{" in self.address else (self.address, "", "")
        found = re.fullmatch(re.escape(before) + ("([^/?#]+)" if field else "()") + re.escape(after), uri)
        return None if found is None else found.group(1)


class Resources:
    """All resources of one pool."""

    def __init__(self, application: Application, transcript: ReadTranscript) -> None:
        """`transcript` reads what a slot printed for a task."""
        self._application = application
        self._transcript = transcript
        self._shelves = (
            Shelf("pool://status", "status", "The pool now.", self._status),
            Shelf("pool://slots", "slots", "All slots in service.", self._slots),
            Shelf("pool://budget", "budget", "Money: spent, reserved, allowed.", self._budget),
            Shelf("pool://context", "context", "The values that all slots share.", self._context),
            Shelf("pool://slots/{id}", "slot", "One slot.", self._slot),
            Shelf("pool://results/{task_id}", "result", "A task with its whole output.", self._result),
            Shelf("pool://chains/{chain_id}", "chain", "A chain with all its steps.", self._chain),
            Shelf(
                "pool://chains/{chain_id}/diff",
                "diff",
                "What a chain changed in its copy of the repository.",
                self._diff,
                "text/x-diff",
            ),
            Shelf("pool://events/{position}", "event", "One event of the log.", self._event),
            Shelf(
                "pool://transcripts/{task_id}",
                "transcript",
                "Every line that slots printed for a task's latest attempt; of a very long one, the end.",
                self._transcript_of,
                LINES,
            ),
        )

    def listed(self) -> list[Resource]:
        """The resources with fixed addresses."""
        return [
            Resource(uri=s.address, name=s.name, description=s.description, mime_type=s.mime)
            for s in self._shelves
            if "{" not in s.address
        ]

    def templates(self) -> list[ResourceTemplate]:
        """The addresses with a field."""
        return [
            ResourceTemplate(uri_template=s.address, name=s.name, description=s.description, mime_type=s.mime)
            for s in self._shelves
            if "{" in s.address
        ]

    async def read(self, uri: str) -> TextResourceContents:
        """What lies at `uri`.

        Raises:
            NotFound: there is no such address, or nothing there.
            InvalidArgument: it holds something that is no id.
        """
        for shelf in self._shelves:
            if (field := shelf.match(uri)) is not None:
                return TextResourceContents(uri=uri, mime_type=shelf.mime, text=await shelf.read(field))
        raise NotFound(kind="resource", id=uri[:100], hint="resources/list shows what there is.")

    async def _status(self, _field: str) -> str:
        return _json(self._application.status())

    async def _slots(self, _field: str) -> str:
        return _json({"slots": self._application.status()["slots"]})

    async def _budget(self, _field: str) -> str:
        return _json(self._application.money.budget_now())

    async def _context(self, _field: str) -> str:
        return _json(self._application.context.list()["values"])

    async def _slot(self, slot_id: str) -> str:
        return _json(self._application.slots.view(slot_id))

    async def _result(self, task_id: str) -> str:
        view = await self._application.view(task_id)
        if view.get("output_ref"):
            view = {**view, "output": await self._application.output(task_id)}
        return _json(view)

    async def _chain(self, chain_id: str) -> str:
        return _json(await self._application.chains.view(chain_id))

    async def _diff(self, chain_id: str) -> str:
        return await self._application.chains.diff(chain_id)

    async def _event(self, position: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]{0,14}", position):
            raise InvalidArgument(argument="position", problem="an event's position is 1, 2, 3 …")
        at = int(position)
        page = await self._application.replay(at - 1, at, None, 1)
        if not page["events"]:
            raise NotFound(kind="event", id=position, hint="pool_status says the last position.")
        return _json(page["events"][0])

    async def _transcript_of(self, task_id: str) -> str:
        attempts: int = (await self._application.view(task_id))["attempts"]
        text = await self._transcript(task_id, attempts)
        if text is None:
            raise NotFound(kind="transcript of", id=task_id, hint="No slot has printed anything for it.")
        return text


def _json(view: View) -> str:
    return json.dumps(view, ensure_ascii=False, allow_nan=False)
