"""Clients are told when a list has changed, whichever protocol they speak."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from claude_pool.adapters.mcp.changes import ListChanges

from tests.support.scripted_pool import scripted_pool, server_of, wired
from tests.unit.adapters.mcp.test_wire import ENVELOPE


def test_a_client_with_a_handshake_is_sent_a_notification(tmp_path: Path) -> None:
    async def body() -> None:
        changes = ListChanges()
        async with scripted_pool(tmp_path) as running, wired(server_of(running, changes=changes)) as wire:
            await wire.view("pool_status")
            await changes.tools_changed()
            await changes.prompts_changed()
            await wire.heard_of("notifications/tools/list_changed")
            await wire.heard_of("notifications/prompts/list_changed")

    asyncio.run(body())


def test_a_client_without_one_hears_of_what_it_listens_for(tmp_path: Path) -> None:
    async def body() -> None:
        changes = ListChanges()
        async with (
            scripted_pool(tmp_path) as running,
            wired(server_of(running, changes=changes), handshake=False) as wire,
        ):
            params = {"notifications": {"toolsListChanged": True}, "_meta": ENVELOPE}
            request = {"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": params}
            await wire.send(json.dumps(request).encode())
            await wire.heard_of("notifications/subscriptions/acknowledged")
            await changes.prompts_changed()
            await changes.tools_changed()
            heard = await wire.heard_of("notifications/tools/list_changed")
            assert heard["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "l"
            assert all(message["method"] != "notifications/prompts/list_changed" for message in wire.heard)

    asyncio.run(body())


def test_a_connection_that_has_ended_is_not_told(tmp_path: Path) -> None:
    async def body() -> None:
        changes = ListChanges()
        async with scripted_pool(tmp_path) as running:
            server = server_of(running, changes=changes)
            async with wired(server) as gone:
                await gone.view("pool_status")
            async with wired(server) as there:
                await there.view("pool_status")
                await asyncio.wait_for(changes.tools_changed(), 5)
                await there.heard_of("notifications/tools/list_changed")

    asyncio.run(body())


def test_the_capability_is_announced_in_both_eras(tmp_path: Path) -> None:
    async def body() -> None:
        async with scripted_pool(tmp_path) as running:
            server = server_of(running)
            async with wired(server, handshake=False) as old:
                assert (await old.initialize())["capabilities"]["tools"] == {"listChanged": True}
            async with wired(server, handshake=False) as new:
                found = await new.request("server/discover", _meta=ENVELOPE)
                assert found["result"]["capabilities"]["tools"] == {"listChanged": True}

    asyncio.run(body())
