"""Prices from files: the shipped ones, and a user's own over them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.claude.price_file import price_file, price_list, version_key
from claude_pool.domain.errors import InvalidArgument
from claude_pool.domain.prices import Rates

from tests.unit.adapters.claude.bench import real_bench

ROW = "input = 1\noutput = 5.0\ncache_read = 0.1\ncache_write_5m = 1.25\ncache_write_1h = 2\n"
MINE = f"[models.mine]\n{ROW}"


def written(folder: Path, text: str | bytes) -> str:
    """A price file with this content."""
    path = folder / "prices.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def refused(path: str) -> str:
    """What the error says of a file that is none."""
    with pytest.raises(InvalidArgument) as error:
        price_file(path)
    assert error.value.code == "invalid_argument"
    assert path in error.value.message and "leave --prices" in error.value.message
    return error.value.message


def test_the_shipped_file_says_where_and_when_its_prices_are_from() -> None:
    shipped = price_file()
    assert shipped.path is None and shipped.sources
    assert (version_key(shipped.cli) > (2,), shipped.date[:2]) == (True, "20")


def test_every_shipped_model_is_named_once_and_the_unknown_one_is_the_dearest() -> None:
    prices = price_list()
    assert {"default", "opus", "sonnet", "haiku"} <= set(prices.aliases)
    for rates in prices.models.values():
        assert rates.input * rates.long_factor <= prices.unknown.input
        assert rates.output * rates.long_factor <= prices.unknown.output


def test_a_row_of_the_users_file_holds_instead_of_the_shipped_one_and_others_stay(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f'cli = "9.0.0"\ndate = 2027-01-02\nsources = ["a letter"]\n[aliases]\nme = "mine"\n{MINE}'
        f"[models.claude-opus-5-5]\n{ROW}max_output = 7\nlong_above = 9\nlong_factor = 3\n",
    )
    mine, shipped = price_file(path), price_list()
    assert (mine.path, mine.cli, mine.date, mine.sources) == (path, "9.0.0", "2027-01-02", ("a letter",))
    assert mine.prices.rates("me") == Rates(1_000, 5_000, 100, 1_250, 2_000)
    assert mine.prices.rates("opus") == Rates(1_000, 5_000, 100, 1_250, 2_000, 9, 3, 7)
    assert mine.prices.rates("haiku") == shipped.rates("haiku")
    assert mine.prices.unknown == shipped.unknown


def test_an_unknown_model_costs_what_the_dearest_of_both_files_costs(tmp_path: Path) -> None:
    prices = price_list(written(tmp_path, MINE.replace("input = 1\n", "input = 77\n")))
    assert prices.unknown.input == 77_000
    assert prices.unknown.output == price_list().unknown.output
    own = price_list(written(tmp_path, "[unknown]\n" + ROW.replace("5.0", "99.0")))
    assert (own.unknown.input, own.unknown.output) == (price_list().unknown.input, 99_000)


def test_a_price_is_rounded_up_to_what_can_be_counted(tmp_path: Path) -> None:
    prices = price_list(written(tmp_path, MINE.replace("input = 1\n", "input = 0.0015\n")))
    assert prices.rates("mine").input == 2


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    mine = price_file(written(tmp_path, ""))
    assert mine.prices == price_list() and mine.cli == price_file().cli


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input = \n\n", "line 1"),
        (b"\xff\xfe", "TOML"),
        ("a = " + "[" * 5000, "TOML"),
        ("modles = 1", "did you mean 'models'"),
        ("models = 1", "models: it is not a table"),
        ("[models]\nmine = 3", "models.mine: it is not a table"),
        ("cli = 3", "cli"),
        ("date = true", "date"),
        ("sources = 1", "sources"),
        ("sources = [1]", "sources"),
        (f'{MINE}[aliases]\nx = "mien"', "did you mean 'mine'"),
        (f"{MINE}[aliases]\nx = 3", "aliases.x"),
        (f'{MINE}[plan]\nx = "nothing"', "plan.x"),
        (f"{MINE}inputs = 3", "did you mean 'input'"),
        (f"{MINE}long_above = 3", "belong together"),
        (f"{MINE}long_above = 3\nlong_factor = 1.5", "models.mine.long_factor"),
        (f"{MINE}long_above = 0\nlong_factor = 2", "models.mine.long_above"),
        (f"{MINE}max_output = -1", "models.mine.max_output"),
        (f"{MINE}max_output = true", "models.mine.max_output"),
        ("[unknown]\ninput = 3", "unknown.output: it is missing"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused_with_its_place(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert said in refused(written(tmp_path, text))


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "-0.0", "nan", "-nan", "inf", "-inf", "true", '"3"', "[]", "{}", "10000.01", "1e400",
     "0.0009", "2027-01-01", "9" * 400, "1e-999999999999"],
)  # fmt: skip
def test_what_can_be_no_price_is_refused_with_its_key(tmp_path: Path, value: str) -> None:
    message = refused(written(tmp_path, MINE.replace("input = 1\n", f"input = {value}\n")))
    assert "models.mine.input" in message or "TOML" in message
    assert len(message) < 500


def test_a_missing_price_is_refused(tmp_path: Path) -> None:
    assert "models.mine.output: it is missing" in refused(
        written(tmp_path, MINE.replace("output = 5.0\n", ""))
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(str(tmp_path / "none.toml"))
    refused(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "regular file" in refused(str(tmp_path / "pipe"))
    assert "1 MiB" in refused(written(tmp_path, b"#" * (1 << 20 | 1)))


@pytest.mark.parametrize(
    ("older", "newer"), [("2.1.9", "2.1.10"), ("2.1.330", "3.0.0"), ("unknown", "0.0.1"), ("", "2.1")]
)
def test_versions_are_ordered_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


@pytest.mark.real
def test_the_cli_asks_the_models_that_the_file_says_for_its_aliases_and_accounts_them_so(
    tmp_path: Path,
) -> None:
    prices = price_list()

    async def scene() -> None:
        async with real_bench(tmp_path) as bench:
            await bench.launch(model="haiku")
            asked = [(alias, name, "default") for alias, name in prices.aliases.items()]
            for alias, name, mode in (*asked, *((*each, "plan") for each in prices.plan.items())):
                report = await bench.run("hello", model=alias, permission_mode=mode)
                assert bench.calls()[-1].model == report.outcome.model == name, (alias, mode)
                usage: dict[str, Any] = bench.printed()[-1]["model_usage_since_last_result"][name]
                assert usage["maxOutputTokens"] == prices.rates(name).max_output
                assert usage["costUSD"] == pytest.approx(report.outcome.cost / 1e6)

    asyncio.run(scene())
