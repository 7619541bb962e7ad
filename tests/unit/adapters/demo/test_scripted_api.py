"""The scripted API over HTTP, as any client sees it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.demo.directives import Step, Usage
from claude_pool.adapters.demo.http import Connection
from claude_pool.adapters.demo.script import Script
from claude_pool.adapters.demo.scripted_api import ScriptedApi, running_api


@pytest.fixture(name="api")
def _api() -> Generator[ScriptedApi]:
    with running_api() as api:
        yield api


def connect(url: str) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=10))


def message(prompt: str, stream: bool = False) -> str:
    return json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": prompt}]})


def post(url: str, body: str, path: str = "/v1/messages") -> tuple[int, dict[str, str], dict[str, Any]]:
    with connect(url) as connection:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), json.loads(response.read())


def stream(url: str, prompt: str) -> list[dict[str, Any]]:
    with connect(url) as connection:
        connection.request("POST", "/v1/messages?beta=true", message(prompt, stream=True))
        text = connection.getresponse().read().decode()
    return [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]


def test_a_message_comes_whole(api: ScriptedApi) -> None:
    status, _, body = post(api.url, message("[[usage: input=7 output=3 cache_write=2]] hello"))
    assert (status, body["content"]) == (200, [{"type": "text", "text": "echo: hello"}])
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (7, 3)
    assert (body["usage"]["cache_creation_input_tokens"], body["stop_reason"]) == (2, "end_turn")


def test_a_message_comes_as_a_stream(api: ScriptedApi) -> None:
    events = stream(api.url, "[[reply: one two]]")
    assert [event["type"] for event in events] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[-2]["usage"]["output_tokens"] == 20


def test_the_last_event_of_a_stream_comes_with_its_end(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(_connection: Connection) -> None:
        await asyncio.sleep(0.01)  # so that what is written apart arrives apart

    monkeypatch.setattr(Connection, "_drain", slowly)
    with connect(api.url) as connection:
        connection.request("POST", "/v1/messages", message("hello", stream=True))
        read = b""
        while b"message_stop" not in read:
            read += connection.sock.recv(65_536)
    assert read.endswith(b"\r\n0\r\n\r\n")


def test_a_tool_is_asked_for_with_its_input(api: ScriptedApi) -> None:
    events = stream(api.url, '[[tool: Bash {"command":"ls"}]]')
    start = next(event for event in events if event["type"] == "content_block_start")
    delta = next(event for event in events if event["type"] == "content_block_delta")
    assert (start["content_block"]["name"], start["content_block"]["input"]) == ("Bash", {})
    assert json.loads(delta["delta"]["partial_json"]) == {"command": "ls"}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_tokens_can_be_counted(api: ScriptedApi) -> None:
    status, _, body = post(api.url, message("hello"), "/v1/messages/count_tokens")
    assert (status, body["input_tokens"] > 0, api.calls, api.count_tokens_calls) == (200, True, [], 1)


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/messages/batches"])
def test_other_paths_are_not_found(api: ScriptedApi, path: str) -> None:
    status, _, body = post(api.url, "{}", path)
    assert (status, body["error"]["type"]) == (404, "not_found_error")


def test_a_body_that_is_no_object_is_refused(api: ScriptedApi) -> None:
    assert [post(api.url, body)[0] for body in ("[1]", "nonsense", "")] == [400] * 3


def test_a_bad_directive_is_refused_by_name(api: ScriptedApi) -> None:
    status, _, body = post(api.url, message("[[bogus]]"))
    assert (status, "[[bogus]]" in body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors_have_the_usual_type(api: ScriptedApi, status: int, kind: str) -> None:
    got, _, body = post(api.url, message(f"[[status: {status}]]"))
    assert (got, body["type"], body["error"]["type"]) == (status, "error", kind)


def test_an_error_says_when_to_come_back(api: ScriptedApi) -> None:
    _, headers, _ = post(api.url, message("[[status: 429 retry-after=30 no-retry]]"))
    assert (headers["retry-after"], headers["x-should-retry"]) == ("30", "false")


def test_an_error_may_have_its_own_words(api: ScriptedApi) -> None:
    _, _, body = post(api.url, message('[[status: 403 "not for you"]]'))
    assert body["error"]["message"] == "not for you"


def test_one_connection_serves_many_requests(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        for number in range(3):
            connection.request("POST", "/v1/messages", message(f"n{number}", stream=True))
            assert f"n{number}" in connection.getresponse().read().decode()
    assert [call.end for call in api.calls] == ["complete"] * 3


def test_a_chunked_request_is_understood(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        body = iter([message("in chunks")[:9].encode(), message("in chunks")[9:].encode()])
        connection.request("POST", "/v1/messages", body, encode_chunked=True)
        assert json.loads(connection.getresponse().read())["content"][0]["text"] == "echo: in chunks"


def test_a_cut_stream_ends_without_its_end_and_serves_what_was_sent(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        connection.request(
            "POST", "/v1/messages", message("[[cut after: 2]] [[reply: a b c d]]", stream=True)
        )
        response = connection.getresponse()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    call = api.wait_until_closed(1)
    assert (call.end, call.served) == ("broken", Usage(100, 10))


def test_an_error_within_a_stream_is_an_event(api: ScriptedApi) -> None:
    events = stream(api.url, "[[error after: 1]] a b c")
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "overloaded_error")
    assert api.calls[0].end == "broken"


def test_a_client_that_leaves_a_hanging_request_is_noticed(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        connection.request("POST", "/v1/messages", message("[[hang]]"))
        assert api.wait_for_calls(1)[0].end == "open"
    call = api.wait_until_closed(1)
    assert (call.end, call.served) == ("aborted", Usage())


def test_a_client_that_leaves_a_stream_is_billed_for_what_it_saw(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        prompt = "[[usage: input=50 output=400]] [[reply: a b c d]] [[stall after: 1]]"
        connection.request("POST", "/v1/messages", message(prompt, stream=True))
        response = connection.getresponse()
        while b"content_block_delta" not in response.readline():
            pass
        response.close()
    call = api.wait_until_closed(1)
    assert (call.end, call.served) == ("aborted", Usage(50, 100))


def test_an_answer_waits_for_a_file(api: ScriptedApi, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with connect(api.url) as connection:
        prompt = f"[[until: {go}]] [[reply: first rest]]"
        connection.request("POST", "/v1/messages", message(prompt, stream=True))
        response = connection.getresponse()
        while b"content_block_delta" not in response.readline():
            pass
        assert api.calls[0].end == "open"
        go.touch()
        assert b" rest" in response.read()


def test_a_page_comes_instead_of_an_answer(api: ScriptedApi) -> None:
    with connect(api.url) as connection:
        connection.request("POST", "/v1/messages", message("[[html]]"))
        response = connection.getresponse()
        assert (response.status, response.getheader("content-type")) == (200, "text/html")


def test_usage_is_added_up_by_model(api: ScriptedApi) -> None:
    post(api.url, message("[[usage: input=1 output=2]]"))
    post(api.url, message("[[usage: input=10 output=20]]"))
    post(api.url, message("[[status: 500]]"))
    assert api.usage_by_model() == {"m": Usage(11, 22)}


def test_a_script_can_be_given() -> None:
    with running_api(Script().when("sky", Step(says="text", text="blue"))) as api:
        assert post(api.url, message("the sky?"))[2]["content"][0]["text"] == "blue"


def test_the_api_runs_in_an_event_loop_and_stops_with_open_connections() -> None:
    async def scenario() -> list[str]:
        async with ScriptedApi() as api:
            _, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rsplit(":", 1)[1]))
            body = message("[[hang]]").encode()
            writer.write(b"POST /v1/messages HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            await asyncio.to_thread(api.wait_for_calls, 1)
        writer.close()
        return [call.end for call in api.calls]

    assert asyncio.run(scenario()) == ["aborted"]


def test_the_module_serves_as_a_process_and_writes_its_calls_down(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    module = "claude_pool.adapters.demo.scripted_api"
    server = subprocess.Popen(
        [sys.executable, "-m", module, "--calls", str(calls)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        post(url, message("hello"))
    finally:
        os.kill(server.pid, signal.SIGINT)
        try:
            server.communicate(timeout=10)
        finally:
            server.kill()
    records = [json.loads(line) for line in calls.read_text("utf-8").splitlines()]
    assert [(record["number"], record["end"]) for record in records] == [(1, "open"), (1, "complete")]
    assert (records[1]["prompt"], records[1]["served"]["input"]) == ("hello", 100)
