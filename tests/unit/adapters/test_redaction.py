"""Values of credentials: which are known, how they are replaced, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from claude_pool.adapters.redaction import CleanStream, Secrets
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.pool import SetContext
from claude_pool.domain.values import Options
from hypothesis import given
from hypothesis import strategies as st

KEY = "sk-ant-0123456789abcdef"
AWKWARD = 'pa"ss\\word\nwith {all} – of it'


@pytest.mark.parametrize(
    "name",
    [
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "GITHUB_TOKEN", "STRIPE_SECRET", "PGPASSWORD"),
        *("MYSQL_PASSWD", "APIKEY", "GH_PAT", "SIGNING_PASSPHRASE", "MY_CREDENTIALS", "SECRET"),
    ],
)
def test_variables_with_telling_names_are_known(name: str) -> None:
    assert Secrets({name: KEY}).clean(f"<{KEY}>") == f"<[redacted:{name}]>"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOME", "/home/somebody"),
        ("GIT_AUTHOR_NAME", "Jane von Somebody"),
        ("AWS_REGION", "eu-central-1"),
        ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "32000"),
        ("MY_TOKEN", "short12"),
        ("PGPASSWORD", "postgres"),
        ("PIN_TOKEN", "1234567890"),
        ("KEYBOARD", "en_US.UTF-8/intl"),
        ("DATABASE_URL", "postgres://localhost/things"),
    ],
)
def test_a_value_that_is_none_or_that_nobody_could_keep_out_of_texts_is_not(name: str, value: str) -> None:
    assert not Secrets({name: value}).any


def test_the_path_of_a_file_with_a_secret_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key1").touch()
    assert not Secrets({"SSH_KEY": str(tmp_path / "key1")}).any


def test_a_variable_that_is_passed_on_is_known_whatever_its_name() -> None:
    assert Secrets({"THING": KEY}, pass_env=["THING"]).clean(KEY) == "[redacted:THING]"
    assert not Secrets({"THING": KEY}).any


def test_a_password_in_an_address_is_known() -> None:
    secrets = Secrets({"HTTPS_PROXY": "http://me:hunter2hunter2@proxy.example:8080"})
    assert (
        secrets.clean("it is hunter2hunter2 at proxy.example")
        == "it is [redacted:HTTPS_PROXY] at proxy.example"
    )


def test_each_header_is_known_by_itself() -> None:
    secrets = Secrets({"ANTHROPIC_CUSTOM_HEADERS": f"X-Team: platform\nAuthorization: Bearer {KEY}"})
    assert secrets.clean(f"curl -H '{KEY}'") == "curl -H '[redacted:ANTHROPIC_CUSTOM_HEADERS]'"


def test_a_value_inside_of_another_does_not_leave_a_rest() -> None:
    secrets = Secrets({"A_KEY": KEY, "B_KEY": KEY + "-and-more"})
    assert secrets.clean(f"{KEY}-and-more {KEY}") == "[redacted:B_KEY] [redacted:A_KEY]"


@pytest.mark.parametrize("value", [KEY, AWKWARD])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_line_of_json_stays_one_and_holds_no_form_of_the_value(value: str, ascii_only: bool) -> None:
    secrets = Secrets({"A_KEY": value})
    inner = json.dumps({"command": f"echo {value}"}, ensure_ascii=ascii_only)
    line = json.dumps({value: 1, "partial_json": inner, "n": [1.5, None, value]}, ensure_ascii=ascii_only)
    clean = json.loads(secrets.clean_line(line.encode()))
    assert clean["[redacted:A_KEY]"] == 1 and clean["n"] == [1.5, None, "[redacted:A_KEY]"]
    assert json.loads(clean["partial_json"]) == {"command": "echo [redacted:A_KEY]"}


def test_what_is_no_json_is_cleaned_as_it_stands() -> None:
    secrets = Secrets({"A_KEY": KEY})
    assert secrets.clean_line(b"\xff{" + KEY.encode() + b"\xfe") == b"\xff{[redacted:A_KEY]\xfe"


def test_numbers_of_a_line_stay_what_they_are() -> None:
    value = "0.1234567890123"
    line = json.dumps({"total_cost_usd": 0.1234567890123, "said": value}).encode()
    assert json.loads(Secrets({"A_KEY": value}).clean_line(line)) == {
        "total_cost_usd": 0.1234567890123,
        "said": "[redacted:A_KEY]",
    }


def test_a_line_without_a_value_is_passed_on_itself() -> None:
    line = b'{"a": 1}'
    assert Secrets({"A_KEY": KEY}).clean_line(line) is line


def test_a_callers_text_with_a_value_is_refused_by_the_variables_name() -> None:
    with pytest.raises(InvalidArgument) as refused:
        Secrets({"A_KEY": KEY}).refuse("prompt", f"use {KEY} for it")
    assert (
        "prompt" in refused.value.message
        and "A_KEY" in refused.value.message
        and KEY not in refused.value.message
    )


def test_an_object_with_a_value_anywhere_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        Secrets({"A_KEY": AWKWARD}).refuse("options", Options(system_prompt=f"key: {AWKWARD}"))


def test_what_was_learned_stays_known() -> None:
    secrets = Secrets({"A_KEY": KEY})
    secrets.learn({"A_KEY": "another-value-1"})
    assert secrets.clean(f"{KEY} another-value-1") == "[redacted:A_KEY] [redacted:A_KEY]"


def test_a_command_is_scrubbed_in_depth_and_left_alone_where_it_is_clean() -> None:
    secrets = Secrets({"A_KEY": KEY})
    clean = SetContext("a", "b")
    dirty = Options(system_prompt=KEY, allowed_tools=("Read", f"Bash({KEY})"))
    assert secrets.scrub(clean) is clean
    assert secrets.scrub(dirty) == Options(
        system_prompt="[redacted:A_KEY]", allowed_tools=("Read", "Bash([redacted:A_KEY])")
    )


def test_a_stream_passes_on_what_it_may() -> None:
    below = io.StringIO()
    stream = CleanStream(below, Secrets({"A_KEY": KEY}))
    assert stream.write(f"failed: {KEY}\n") == len(KEY) + 9
    stream.flush()
    assert below.getvalue() == "failed: [redacted:A_KEY]\n"


@given(st.lists(st.text(alphabet="abX-", max_size=12)), st.sampled_from(["abXabX-ab", "ab-ab-ab-a"]))
def test_a_text_in_pieces_never_tells_a_value(pieces: list[str], value: str) -> None:
    secrets = Secrets({"A_KEY": value})
    told, held = "", ""
    for piece in pieces:
        more, held = secrets.split(held + piece)
        told += more
    assert value not in told + held
    assert (told + held).replace("[redacted:A_KEY]", value) == "".join(pieces)
