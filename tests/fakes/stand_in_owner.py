"""A stand-in for the owner: it keeps the rules of starting, greeting and leaving, and answers by script.

Settings come as JSON on standard input. The environment variable STAND_IN holds the script (JSON):
`fail` {"exit", "log"} ends at once; `delay` waits that many seconds before it listens; `results` maps a
tool to a list of structured results, given out in turn, the last one again and again; `errors` maps a tool
to the text of its error; `replace` leaves on the first greeting of a pool; `refuse` answers greetings with
that welcome (`hang`: not at all); `version` is what it says it is; `dies` and `silent` name tools. The
tool `die` ends the process, `slow` never answers, any other returns its arguments. What is heard goes to
`heard.jsonl` in the state directory, one JSON array [pid, message] a line.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

SCRIPT: dict[str, Any] = json.loads(os.environ.get("STAND_IN", "{}"))


class StandIn:
    """One owner by script."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.state = Path(document["places"]["state_dir"])
        self.connections = 0
        self.given: dict[str, int] = {}
        self.leave = asyncio.Event()

    def hear(self, message: object) -> None:
        with open(self.state / "heard.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps([os.getpid(), message]) + "\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            hello = json.loads(await reader.readline() or b"{}")
            self.hear(hello)
            if hello:
                await self.welcome(hello, reader, writer)
        except ConnectionError:
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def welcome(
        self, hello: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        marker = self.state / "replaced"
        if SCRIPT.get("replace") and not marker.exists():
            marker.touch()
            await self.send(writer, {"claude_pool": 1, "replace": True})
            self.leave.set()
            await asyncio.Event().wait()  # The connection closes with the process.
        welcome: dict[str, Any] = {
            "claude_pool": 1,
            "ok": True,
            "pid": os.getpid(),
            "version": SCRIPT.get("version", hello.get("version")),
            "conflict": [],
        }
        if SCRIPT.get("refuse") == "hang":
            await asyncio.Event().wait()
        await self.send(writer, SCRIPT.get("refuse", welcome))
        if "stop" in hello:
            self.leave.set()
            return
        while line := await reader.readline():
            message: Any = json.loads(line)
            self.hear(message)
            if "method" in message and (answer := self.answer(message)):
                await self.send(writer, answer)

    async def send(self, writer: asyncio.StreamWriter, message: object) -> None:
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()

    def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        method = message.get("method")
        envelope: dict[str, Any] = {"jsonrpc": "2.0", "id": message.get("id")}
        if method == "initialize":
            return {**envelope, "result": {"protocolVersion": "2025-11-25", "pid": os.getpid()}}
        if method == "tools/call":
            result = self.tool(message["params"]["name"], message["params"].get("arguments", {}))
            return {**envelope, "result": result} if result else None
        if method == "resources/read":
            text = f"all of {message['params']['uri']}"
            return {
                **envelope,
                "result": {"contents": [{"text": text * 100_000 if "long" in text else text}]},
            }
        if method == "subscriptions/listen":
            return {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}
        if method == "refused":
            return {**envelope, "error": {"code": -32602, "message": "Invalid request parameters"}}
        return {**envelope, "result": {"method": method}} if "id" in message else None

    def tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        if name == "die" or name in SCRIPT.get("dies", ()):
            os._exit(9)
        if name == "slow" or name in SCRIPT.get("silent", ()):
            return None
        if text := SCRIPT.get("errors", {}).get(name):
            return {"content": [{"type": "text", "text": text}], "isError": True}
        results = SCRIPT.get("results", {}).get(name)
        if results is None:
            return {"content": [], "structuredContent": {"tool": name, "pid": os.getpid(), **arguments}}
        turn = self.given[name] = self.given.get(name, -1) + 1
        return {"content": [], "structuredContent": results[min(turn, len(results) - 1)]}


async def main() -> int:
    document = json.loads(sys.stdin.read())
    if "fail" in SCRIPT:
        print(SCRIPT["fail"]["log"], flush=True)
        return int(SCRIPT["fail"]["exit"])
    owner = StandIn(document)
    lock = os.open(owner.state / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("[store_in_use] the log is held by another owner", flush=True)
        return 3
    await asyncio.sleep(SCRIPT.get("delay", 0))
    owner.hear(
        {
            "settings": document,
            "sid": os.getsid(0),
            "cwd": os.getcwd(),
            "fds": sorted(os.listdir("/proc/self/fd")),
        }
    )
    address = document["places"]["socket"]
    Path(address).unlink(missing_ok=True)
    server = await asyncio.start_unix_server(owner.serve, address, limit=64 << 20)
    idle = 0
    # It must not outlive a test that forgot it: it ends ten seconds after its last connection.
    while idle < 200 and not owner.leave.is_set():
        idle = 0 if owner.connections else idle + 1
        await asyncio.sleep(0.05)
    server.close()
    Path(address).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
