"""Markdown to HTML: headings that can be linked to, and links that lead to the site's pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

DETAILS = re.compile(r"<details><summary>for Mermaid</summary>.*?</details>", re.DOTALL)
"""The site shows the drawing itself."""
MARK = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass
class Page:
    """One page: where it stands, its title and body, its headings with levels and anchors, its links."""

    path: str
    title: str
    body: str
    headings: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    links: list[str] = field(default_factory=list[str])


def render(path: str, text: str, link: Callable[[str], str | None], image: Callable[[str], str]) -> Page:
    """A page from Markdown. `link` says where a target leads on the site (None: nowhere, so that its text
    stands alone), `image` what stands for a picture.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(MARK.sub("", DETAILS.sub("", text)))
    page = Page(path, "", "")
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            words = _words(tokens[number + 1])
            anchor = _anchor(words, seen)
            token.attrSet("id", anchor)
            page.headings.append((int(token.tag[1]), words, anchor))
            page.title = page.title or words
        if token.type == "inline":
            token.children = _linked(token.children or [], link, image, page)
    page.body = parser.renderer.render(tokens, parser.options, {})
    page.body = page.body.replace("<table>", '<div class="wide" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
    page.body = page.body.replace("<pre>", '<pre tabindex="0">')
    return page


def _words(inline: Token) -> str:
    return "".join(each.content for each in inline.children or [])


def _anchor(words: str, seen: dict[str, int]) -> str:
    """As forges make it."""
    name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
    count = seen.get(name, 0)
    seen[name] = count + 1
    return f"{name}-{count}" if count else name


def _linked(
    children: Sequence[Token], link: Callable[[str], str | None], image: Callable[[str], str], page: Page
) -> list[Token]:
    made: list[Token] = []
    dropped = 0
    for token in children:
        if token.type == "link_open":
            target = link(str(token.attrGet("href")))
            if target is None:
                dropped += 1
                continue
            token.attrSet("href", target)
            page.links.append(target)
        elif token.type == "link_close" and dropped:
            dropped -= 1
            continue
        elif token.type == "image":
            token = Token("html_inline", "", 0, content=image(str(token.attrGet("src"))))
        made.append(token)
    return made


def code(text: str) -> str:
    """A block of text as it is."""
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
