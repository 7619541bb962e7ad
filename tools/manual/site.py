"""The site: every page in its reading order, linked, searchable, without a server.

The order comes from lists that people read, too: `docs/README.md` for the pages, `features/README.md` for the
features, `docs/decisions/README.md` for the decisions. A page that none of them lists, and a link that leads
nowhere, is a problem.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from . import features
from .features import Results
from .markdown import Page, render
from .source import ROOT

HERE = Path(__file__).parent
FRAME = Template((HERE / "frame.html").read_text("utf-8"))
GUIDE, MANUAL, DECISIONS = "docs/README.md", "features/README.md", "docs/decisions/README.md"
LINK = re.compile(r"\]\(([^)#\s]+\.(?:md|feature))(?:#[^)]*)?\)")
SECTION = re.compile(r"^\*\*(.+?)\.?\*\*", re.MULTILINE)


class Site:
    """One site in the making. `problems` grows while it is made."""

    def __init__(self, root: Path = ROOT, results: Results | None = None) -> None:
        """Makes the pages of the project at `root`; `results` are what the features came to."""
        self.root = root
        self.results = results or Results.read(None)
        self.problems: list[str] = []
        self.sources = self._order()
        self.pages: dict[str, Page] = {}

    def _order(self) -> list[str]:
        order: list[str] = []
        for index in (GUIDE, MANUAL, DECISIONS):
            for target in [index, *self._listed(index)]:
                if target not in order and (self.root / target).is_file():
                    order.append(target)
        there = {path.relative_to(self.root).as_posix() for path in (self.root / "docs").rglob("*.md")}
        there |= {
            path.relative_to(self.root).as_posix() for path in (self.root / "features").rglob("*.feature")
        }
        self.problems += [f"{name}: no reading order lists it ({GUIDE})" for name in sorted(there - {*order})]
        order.remove("README.md")
        return ["README.md", *order, *sorted(there - {*order})]

    def _listed(self, index: str) -> list[str]:
        text = (self.root / index).read_text("utf-8")
        folder = posixpath.dirname(index)
        return [posixpath.normpath(posixpath.join(folder, target)) for target in LINK.findall(text)]

    def build(self) -> dict[str, str]:
        """All files of the site by their paths."""
        for source in self.sources:
            self.pages[source] = self._page(source)
        files = {page.path: self._frame(source, page) for source, page in self.pages.items()}
        files["site.css"] = (HERE / "site.css").read_text("utf-8")
        files["site.js"] = (HERE / "site.js").read_text("utf-8")
        files["headings.js"] = f"const HEADINGS = {json.dumps(list(self._headings()), ensure_ascii=False)};\n"
        self._check_links()
        return files

    def _page(self, source: str) -> Page:
        text = (self.root / source).read_text("utf-8")
        if source.endswith(".feature"):
            return features.page(place(source), source.removeprefix("features/"), text, self.results)
        return render(
            place(source),
            text,
            lambda target: self._target(source, target),
            lambda image: self._image(source, image),
        )

    def _target(self, source: str, target: str) -> str | None:
        """Where a link of `source` leads: to a page, out of the site, or (a file of the code) nowhere."""
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return target
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        if (self.root / path).is_dir() and (self.root / path / "README.md").exists():
            path = f"{path}/README.md"
        if path in self.sources:
            there = posixpath.relpath(place(path), posixpath.dirname(place(source)) or ".")
            return f"{there}#{anchor}" if anchor else there
        if not (self.root / path).exists():
            self.problems.append(f"{source}: {target} does not exist")
        return None

    def _image(self, source: str, target: str) -> str:
        path = self.root / posixpath.dirname(source) / target
        if not path.is_file():
            self.problems.append(f"{source}: the picture {target} does not exist")
            return ""
        if path.suffix == ".svg":
            return f'</p><div class="drawing" tabindex="0">{path.read_text("utf-8")}</div><p>'
        content = base64.b64encode(path.read_bytes()).decode()
        return f'<img src="data:image/{path.suffix[1:]};base64,{content}" alt="">'

    def _check_links(self) -> None:
        anchors = {page.path: {anchor for _, _, anchor in page.headings} for page in self.pages.values()}
        for source, page in self.pages.items():
            for link in page.links:
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                path = (
                    posixpath.normpath(posixpath.join(posixpath.dirname(page.path), name))
                    if name
                    else page.path
                )
                if path not in anchors:
                    self.problems.append(f"{source}: {link} leads nowhere")
                elif anchor and anchor not in anchors[path]:
                    self.problems.append(f"{source}: {link}: the page has no such heading")

    def _headings(self) -> Iterator[tuple[str, str, str, str]]:
        for page in self.pages.values():
            for level, text, anchor in page.headings:
                if level <= 3:
                    url = page.path if level == 1 else f"{page.path}#{anchor}"
                    yield url, text, text.lower(), page.title

    def _frame(self, source: str, page: Page) -> str:
        root = "../" * page.path.count("/")
        at = self.sources.index(source)
        turns: list[str] = []
        if at > 0:
            before = self.pages[self.sources[at - 1]]
            turns.append(f'<a rel="prev" href="{root}{before.path}">← {escape(before.title)}</a>')
        if at + 1 < len(self.sources):
            after = self.pages[self.sources[at + 1]]
            turns.append(f'<a rel="next" href="{root}{after.path}">{escape(after.title)} →</a>')
        return FRAME.substitute(
            root=root,
            title=escape(page.title),
            menu=self._menu(source, root),
            body=page.body,
            turns=" ".join(turns),
        )

    def _menu(self, source: str, root: str) -> str:
        parts: list[str] = []
        text = (self.root / GUIDE).read_text("utf-8")
        sections = SECTION.split(text)[1:]
        for title, listing in zip(sections[::2], sections[1::2], strict=True):
            listed = [posixpath.normpath(posixpath.join("docs", each)) for each in LINK.findall(listing)]
            parts += [f"<h2>{escape(title)}</h2>", self._list(listed, source, root)]
        for title, index in (("The manual", MANUAL), ("Decisions", DECISIONS)):
            listed = [each for each in self._listed(index) if each in self.pages]
            opened = " open" if source in listed else ""
            inside = self._list(listed, source, root)
            parts.append(f"<details{opened}><summary>{title}: {len(listed)}</summary>{inside}</details>")
        return "".join(parts)

    def _list(self, listed: list[str], source: str, root: str) -> str:
        items = [
            f'<li><a href="{root}{self.pages[each].path}"{" aria-current=page" if each == source else ""}>'
            f"{escape(self.pages[each].title)}{self._mark(each)}</a></li>"
            for each in listed
            if each in self.pages
        ]
        return f"<ul>{''.join(items)}</ul>"

    def _mark(self, source: str) -> str:
        if not source.endswith(".feature") or self.results.at is None:
            return ""
        name = source.removeprefix("features/")
        known = features.scenarios((self.root / source).read_text("utf-8"))
        outcome = self.results.summary(name, known)
        sign = {"passed": "✓", "failed": "✗"}.get(outcome, "–")
        return f' <span class="{outcome.replace(" ", "-")}" title="{outcome}">{sign}</span>'


def place(source: str) -> str:
    """Where the page of a source stands on the site."""
    if posixpath.basename(source) == "README.md":
        return posixpath.join(posixpath.dirname(source), "index.html")
    return re.sub(r"\.(md|feature)$", ".html", source)


def write(folder: Path, results: Results) -> list[str]:
    """Make the site in `folder`, which is made empty first where it holds an earlier one; the problems."""
    site = Site(results=results)
    files = site.build()
    if (folder / "headings.js").exists():
        shutil.rmtree(folder)
    for name, text in files.items():
        path = folder / name
        os.makedirs(path.parent, exist_ok=True)
        path.write_text(text, "utf-8")
    return site.problems
