"""A case as one file of tests, which carries it along."""

from __future__ import annotations

import base64
import textwrap

_TEST = '''"""Made by `claude-pool rerun --pytest {name}`: fails where the pool would not do what it did then.

The case is in here; `claude-pool rerun` and `claude-pool import` read it as a file, too.
"""

from base64 import b64decode

from {package}.rerunning import rerun

CASE = """
{case}
"""


def test_the_recorded_run_comes_to_the_same_events() -> None:
    result = rerun("{name}", b64decode(CASE))
    assert result.same, result.text
'''


def test_file(name: str, content: bytes) -> str:
    """The text of a file of tests that plays the case in `content` again; `name` is what it is called."""
    plain = "".join(c for c in name if c.isalnum() or c in "-_.") or "case.zip"
    lines = textwrap.wrap(base64.b64encode(content).decode(), 100)
    return _TEST.format(package=__package__, name=plain, case="\n".join(lines))
