"""The fake answers prompts as the real CLI does: the same lines, results, errors and prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_process import Line

from .conftest import BYPASS, Bench, Warm, nanodollars

BASH = '[[tool: Bash {"command":"%s"}]]'


def test_every_turn_begins_with_an_init_line(warm: Warm) -> None:
    cli = warm.start(*BYPASS)
    cli.ask("one")
    cli.ask("two")
    inits = cli.of_type("system", "init")
    assert [init["model"] for init in inits] == ["claude-haiku-5-5"] * 2
    assert "msg_lifecycle_v1" in inits[0]["capabilities"]
    assert (inits[0]["permissionMode"], inits[0]["claude_code_version"]) == ("bypassPermissions", "2.1.330")


def test_a_result_names_the_prompt_it_answers(warm: Warm) -> None:
    cli = warm.start()
    uuid = cli.prompt("hello")
    result = cli.until_type("result")
    assert (result["user_message_uuid"], result["user_message_uuids"]) == (uuid, [uuid])
    assert (result["result"], result["subtype"], result["num_turns"]) == ("echo: hello", "success", 1)


def test_a_prompt_is_queued_started_and_completed(warm: Warm) -> None:
    cli = warm.start()
    uuid = cli.prompt("hello")
    cli.until(lambda line: line.get("state") == "completed")
    states = [(line["command_uuid"], line["state"]) for line in cli.of_type("command_lifecycle")]
    assert states == [(uuid, "queued"), (uuid, "started"), (uuid, "completed")]


def test_the_pieces_of_the_stream_make_up_the_answer(warm: Warm) -> None:
    cli = warm.start()
    result = cli.ask("[[reply: one two three]]")
    events = [line["event"] for line in cli.of_type("stream_event")]
    pieces = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(pieces) == result["result"] == "one two three"
    assert len(pieces) == 3


def test_a_stream_begins_and_ends_with_the_same_events(warm: Warm) -> None:
    cli = warm.start()
    cli.ask("[[reply: x]]")
    kinds = [
        line["event"]["type"] if line["type"] == "stream_event" else line["type"]
        for line in cli.lines
        if line["type"] in ("stream_event", "assistant", "result")
    ]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "assistant",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "result",
    ]


def test_a_failing_command_is_reported_with_its_exit_code(warm: Warm) -> None:
    cli = warm.start(*BYPASS)
    result = cli.ask(BASH % "echo hi; exit 3" + " [[result]]")
    assert (result["result"], result["is_error"], result["num_turns"]) == ("Exit code 3\nhi", False, 2)
    block = cli.of_type("user")[0]["message"]["content"][0]
    assert (block["type"], block["is_error"]) == ("tool_result", True)


def test_a_command_without_output_says_so(warm: Warm) -> None:
    result = warm.start(*BYPASS).ask(BASH % "true" + " [[result]]")
    assert result["result"] == "(Bash completed with no output)"


def test_an_unknown_tool_is_an_error_for_the_model(warm: Warm) -> None:
    result = warm.start(*BYPASS).ask("[[tool: Nope {}]] [[result]]")
    assert result["result"] == "<tool_use_error>Error: No such tool available: Nope</tool_use_error>"


def test_a_written_file_can_be_read(warm: Warm) -> None:
    path = warm.folder / "note.txt"
    write = f'[[tool: Write {{"file_path":"{path}","content":"hi"}}]]'
    result = warm.start(*BYPASS).ask(f'{write} [[tool: Read {{"file_path":"{path}"}}]] [[result]]')
    assert (result["result"], path.read_text("utf-8")) == ("1\thi", "hi")


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("401", 401, "authentication_failed"),
        ("403", 403, "authentication_failed"),
        ("404", 404, "model_not_found"),
        ("429", 429, "rate_limit"),
        ("429 retry-after=300", 429, "rate_limit"),
        ("500", 500, "server_error"),
        ("529", 529, "server_error"),
        ("400", 400, "unknown"),
        ("400 credit", 400, "billing_error"),
    ],
)
def test_an_http_error_is_reported_alike(warm: Warm, fault: str, status: int, error: str) -> None:
    cli = warm.start()
    result = cli.ask(f"[[status: {fault}]]")
    assert (result["api_error_status"], result["is_error"], result["subtype"]) == (status, True, "success")
    assert (result["terminal_reason"], result["num_turns"]) == ("api_error", 1)
    said = cli.of_type("assistant")[-1]
    assert (said["error"], said["message"]["model"]) == (error, "<synthetic>")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("401", "Invalid API key · Fix external API key"),
        ("400 credit", "Credit balance is too low"),
    ],
)
def test_well_known_errors_have_the_same_words(warm: Warm, fault: str, text: str) -> None:
    assert warm.start().ask(f"[[status: {fault}]]")["result"] == text


def test_a_prompt_that_is_too_long_has_a_reason_of_its_own(warm: Warm) -> None:
    result = warm.start().ask("[[status: 400 too-long]]")
    assert (result["terminal_reason"], result["api_error_status"]) == ("prompt_too_long", 400)
    assert result["result"].startswith("Prompt is too long")


@pytest.mark.parametrize(("fault", "status"), [("error after: 2", 529), ("html", None)])
def test_a_broken_stream_is_an_api_error_without_cost(warm: Warm, fault: str, status: int | None) -> None:
    result = warm.start().ask(f"[[{fault}]] one two three")
    assert (result["is_error"], result["terminal_reason"]) == (True, "api_error")
    assert (result["api_error_status"], result["total_cost_usd"]) == (status, 0)


def test_a_cut_stream_is_an_api_error_that_costs_what_was_seen_of_it_at_most(warm: Warm) -> None:
    result = warm.start().ask("[[cut after: 2]] one two three")
    assert (result["is_error"], result["terminal_reason"]) == (True, "api_error")
    # whether the CLI counts what it had read when the connection broke is a race inside it
    assert 0 <= result["total_cost_usd"] <= warm.start().ask("one two three")["total_cost_usd"]


def test_a_stream_that_broke_once_is_repeated(warm: Warm) -> None:
    assert warm.start().ask("[[cut after: 1]] [[times: 1]] [[reply: whole]]")["result"] == "whole"


def test_a_retry_is_announced(bench: Bench) -> None:
    cli = bench.start(CLAUDE_CODE_MAX_RETRIES="1")
    result = cli.ask("[[status: 529]] [[times: 1]] [[reply: at last]]")
    retry = cli.of_type("system", "api_retry")[0]
    assert (retry["attempt"], retry["max_retries"], retry["error_status"]) == (1, 1, 529)
    assert (retry["error"], result["result"]) == ("overloaded", "at last")


@pytest.mark.parametrize(
    ("prompt", "said", "turns"),
    [
        ("[[stop: max_tokens]] a [[then]] [[reply: b]]", "b", 2),
        ("[[refuse]] a [[then]] [[reply: b]]", "b", 2),
        ("[[empty]] [[then]] [[reply: b]]", "b", 2),
        ("[[empty]]", "", 2),
    ],
)
def test_the_model_is_asked_to_go_on(warm: Warm, prompt: str, said: str, turns: int) -> None:
    result = warm.start().ask(prompt)
    assert (result["result"], result["is_error"], result["num_turns"]) == (said, False, turns)


@pytest.mark.parametrize(("stop", "turns"), [("[[refuse]]", 2), ("[[stop: max_tokens]]", 4)])
def test_a_model_that_never_goes_on_fails_the_turn(warm: Warm, stop: str, turns: int) -> None:
    result = warm.start().ask(f"{stop} a")
    assert (result["is_error"], result["api_error_status"], result["num_turns"]) == (True, None, turns)


def test_a_missing_login_fails_the_turn(bench: Bench) -> None:
    cli = bench.start(ANTHROPIC_API_KEY=None)
    result = cli.ask("hello")
    assert (result["result"], result["is_error"]) == ("Not logged in · Please run /login", True)
    assert cli.of_type("assistant")[0]["error"] == "authentication_failed"
    assert cli.of_type("system", "init")[0]["apiKeySource"] == "none"


def test_the_limit_of_turns_ends_a_prompt_but_not_the_next(warm: Warm) -> None:
    cli = warm.start(*BYPASS, "--max-turns=2")
    result = cli.ask(" ".join([BASH % "true"] * 3) + " done")
    assert (result["subtype"], result["terminal_reason"]) == ("error_max_turns", "max_turns")
    assert (result["errors"], result["num_turns"]) == (["Reached maximum number of turns (2)"], 3)
    assert cli.ask("again")["result"] == "echo: again"


SCHEMA = '--json-schema={"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'


def test_an_answer_by_schema_is_structured(warm: Warm) -> None:
    result = warm.start(SCHEMA).ask('[[tool: StructuredOutput {"a":1}]]')
    assert (result["structured_output"], result["result"]) == ({"a": 1}, '{"a":1}')
    assert (result["subtype"], result["num_turns"]) == ("success", 2)


def test_a_wrong_answer_by_schema_can_be_corrected(warm: Warm) -> None:
    cli = warm.start(SCHEMA)
    result = cli.ask('[[tool: StructuredOutput {"a":"x"}]] [[tool: StructuredOutput {"a":2}]]')
    said = cli.of_type("user")[0]["message"]["content"][0]["content"]
    assert said == "Output does not match required schema: /a: must be integer"
    assert (result["structured_output"], result["num_turns"]) == ({"a": 2}, 3)


def test_a_plain_answer_to_a_schema_succeeds_without_structure(warm: Warm) -> None:
    result = warm.start(SCHEMA).ask("[[reply: just words]]")
    assert (result["result"], result["is_error"], result["num_turns"]) == ("just words", False, 2)
    assert "structured_output" not in result


def test_an_answer_that_never_fits_the_schema_fails(warm: Warm) -> None:
    result = warm.start(SCHEMA).ask(" ".join(['[[tool: StructuredOutput {"a":"x"}]]'] * 8))
    assert result["subtype"] == "error_max_structured_output_retries"
    assert result["terminal_reason"] == "structured_output_retry_exhausted"


USAGES = [
    ("haiku", "input=1000 output=200 cache_read=50 cache_write=30 cache_write_1h=70", 218_250),
    ("haiku", "input=100000 output=1000", 10_500_000),
    ("haiku", "input=50000 output=0 cache_read=50001", 27_500_050),
    ("haiku", "input=200000 output=10000", 125_000_000),
    ("sonnet", "input=250000 output=10000 cache_read=1000", 600_100_000),
    ("opus", "input=1000 output=100 cache_write=1000 cache_write_1h=1000", 19_000_000),
    ("fable", "input=1000 output=100 cache_read=10000", 14_000_000),
    ("nobody-knows-me", "input=1000 output=100", 6_000_000),
]


@pytest.mark.parametrize(("model", "usage", "cost"), USAGES)
def test_tokens_cost_the_same(warm: Warm, model: str, usage: str, cost: int) -> None:
    result = warm.start(f"--model={model}").ask(f"[[usage: {usage}]] x")
    assert nanodollars(result["total_cost_usd"]) == cost
    (spent,) = result["model_usage_since_last_result"].values()
    assert nanodollars(spent["costUSD"]) == cost
    assert spent["costBasis"] == ("unknown" if model == "nobody-knows-me" else "list")


def test_cost_adds_up_within_a_process(bench: Bench) -> None:
    cli = bench.start(*BYPASS)
    cli.ask(BASH % "true")
    result = cli.ask("more")
    assert nanodollars(result["total_cost_usd"]) == 60_000
    assert result["modelUsage"]["claude-haiku-5-5"]["inputTokens"] == 300
    assert result["model_usage_since_last_result"]["claude-haiku-5-5"]["inputTokens"] == 100


def test_planning_with_haiku_is_done_by_sonnet(warm: Warm) -> None:
    assert warm.start("--permission-mode=plan").ask("[[model]]")["result"] == "claude-sonnet-5-5"


def test_the_appended_system_prompt_reaches_the_model(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "append.txt"
    file.write_text("Speak like a heron.", "utf-8")
    cli = bench.start(f"--append-system-prompt-file={file}")
    assert cli.ask("[[system has: like a heron]]")["result"] == "yes"
    assert cli.ask("[[system has: like a stork]]")["result"] == "no"


def test_tools_that_are_not_allowed_do_not_exist(bench: Bench) -> None:
    cli = bench.start(*BYPASS, "--disallowedTools=Bash")
    result = cli.ask(BASH % "true" + " [[result]]")
    assert "No such tool available: Bash" in result["result"]


def test_the_host_offers_tools_over_the_control_channel(bench: Bench) -> None:
    cli = bench.start(*BYPASS)
    greeting = {"subtype": "initialize", "sdkMcpServers": ["pool"]}
    cli.send({"type": "control_request", "request_id": "greeting", "request": greeting})
    called: list[Line] = []
    answers: Line = {
        "initialize": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "pool", "version": "1"},
        },
        "tools/list": {
            "tools": [
                {"name": "note", "description": "d", "inputSchema": {"type": "object", "properties": {}}}
            ]
        },
        "tools/call": {"content": [{"type": "text", "text": "noted"}]},
    }

    def serve(line: Line) -> bool:
        request = line.get("request", {})
        if line["type"] == "control_request" and request["subtype"] == "mcp_message":
            message = request["message"]
            if message["method"] == "tools/call":
                called.append(message["params"])
            answer: Line = {
                "jsonrpc": "2.0",
                "id": message.get("id"),
                "result": answers.get(message["method"], {}),
            }
            body = {"subtype": "success", "request_id": line["request_id"]}
            cli.send({"type": "control_response", "response": {**body, "response": {"mcp_response": answer}}})
        return bool(line["type"] == "result")

    cli.prompt('[[tool: mcp__pool__note {"text":"hi"}]] [[result]]')
    result = cli.until(serve)
    assert (result["result"], called[0]["name"], called[0]["arguments"]) == ("noted", "note", {"text": "hi"})
