"""The page is one file that loads nothing, and whatever a text says is text in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from claude_pool.adapters.report.page import as_data, page
from hypothesis import given
from hypothesis import strategies as st

NASTY = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "{{PROGRAM}} {{DATA}}",
    "\u2028\u2029 &amp; \x00 \ud800",
)


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("nasty", NASTY)
def test_a_text_cannot_leave_the_data(nasty: str) -> None:
    made = page({"said": nasty})

    assert made.count("<script") == 2
    assert data_of(made)["said"] == nasty.encode("utf-8", "replace").decode()


@given(text=st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    data = as_data({"said": text})

    assert not set(data) & set("<>&\u2028\u2029")
    assert json.loads(data) == {"said": text.encode("utf-8", "replace").decode()}


def test_only_its_own_program_may_run_and_nothing_may_be_loaded() -> None:
    made = page({})
    program = made.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in made
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", made.partition('id="data"')[0])
    assert "http://" not in program.replace("http://www.w3.org/2000/svg", "")
    assert "innerHTML" not in program
