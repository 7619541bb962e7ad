"""The page: its data, style and program in one file that needs no network and lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files

from ..views import View

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(content: View) -> str:
    """`content` (see `content.gather`) as one HTML document.

    Texts of the log are data in it and never markup: only the program whose digest the page's policy names
    may run, and nothing may be loaded.
    """
    here = files(__name__.rpartition(".")[0])
    style, program = (here.joinpath(name).read_text("utf-8").strip() for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    parts = {
        "POLICY": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        "STYLE": style,
        "DATA": as_data(content),
        "PROGRAM": program,
    }
    before, *rest = here.joinpath("page.html").read_text("utf-8").split("{{")
    return before + "".join(parts[name] + after for name, _, after in (each.partition("}}") for each in rest))


def as_data(content: View) -> str:
    """JSON that may stand in a script element, whatever the texts in it are."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text.encode("utf-8", "replace").decode()
