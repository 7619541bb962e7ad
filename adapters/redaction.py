"""Values of credentials that a pool knows, and how they are kept out of everything it writes down.

Known are values of the environment of whoever holds the pool: of variables whose names tell, of every
variable that is passed on by request, and passwords in addresses. They are replaced where words of slots come
in, so that all that is made of these words is clean; texts of callers that hold one are refused, not altered.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TextIO, TypeVar, cast

import msgspec
from claude_pool.domain.errors import InvalidArgument

T = TypeVar("T")

SHORTEST = 8
"""Characters; shorter values occur by chance."""

_LONGEST_WORD = 15
_TELLING = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|CREDENTIALS?|PAT)$|(?:PASSWORD|PASSWD|PASSPHRASE)$"
    r"|^(?:ANTHROPIC|CLAUDE_CODE|AWS|GOOGLE|GCLOUD|CLOUDSDK|VERTEX)_\w*(?:KEY|TOKEN|SECRET|PASSWORD|HEADERS)"
)
_PASSWORD_IN_ADDRESS = re.compile(r"^\w[\w+.-]*://[^/\s:@]*:([^/\s@]+)@")
_HEADER = re.compile(r"^[\w-]+:[ \t]*(?:Bearer[ \t]+|Basic[ \t]+)?(.+)$", re.MULTILINE)


def _plainly(value: object) -> object:
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else repr(value)


_encode = msgspec.json.Encoder(enc_hook=_plainly).encode


class Secrets:
    """The values to keep out. What was learned once stays known."""

    def __init__(self, environ: Mapping[str, str] | None = None, pass_env: Sequence[str] = ()) -> None:
        """`pass_env` names variables that count whatever their names are."""
        self._pass_env = frozenset(pass_env)
        self._names: dict[str, str] = {}
        self._texts: tuple[tuple[str, str], ...] = ()
        self._needles: tuple[bytes, ...] = ()
        self._endings: frozenset[bytes] = frozenset()
        self.learn(environ or {})

    def learn(self, environ: Mapping[str, str]) -> None:
        """Know the credentials of `environ` from now on, too."""
        for name, value in sorted(environ.items()):
            for secret in _values(name, value, name in self._pass_env):
                for form in _forms(secret):
                    self._names.setdefault(form, name)
        self._arrange()

    def hide(self, word: str, name: str = "word") -> None:
        """Keep `word` out from now on, too, whatever it is."""
        for form in _forms(word):
            self._names.setdefault(form, name)
        self._arrange()

    def _arrange(self) -> None:
        ordered = sorted(self._names.items(), key=lambda each: (-len(each[0]), each))
        self._texts = tuple(ordered)
        self._needles = tuple(text.encode("utf-8", "surrogateescape") for text, _ in ordered)
        self._endings = frozenset(
            needle[max(end - 3, 0) : end] for needle in self._needles for end in range(1, len(needle))
        )

    @property
    def any(self) -> bool:
        """Whether there is a value to keep out."""
        return bool(self._needles)

    def name_in(self, text: str) -> str | None:
        """The variable whose value stands in `text`, or None."""
        return next((name for value, name in self._texts if value in text), None)

    def clean(self, text: str) -> str:
        """`text` with `[redacted:NAME]` for each value."""
        for value, name in self._texts:
            if value in text:
                text = text.replace(value, f"[redacted:{name}]")
        return text

    def clean_line(self, line: bytes) -> bytes:
        """A line of JSON, or of whatever it is, without the values; a JSON line stays one."""
        if not self._in(line):
            return line
        try:
            return _encode(self.clean_json(msgspec.json.decode(line)))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return self.clean(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def clean_json(self, value: object) -> Any:
        """A JSON value with clean texts and keys."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            entries = cast("dict[str, object]", value).items()
            return {self.clean(key): self.clean_json(each) for key, each in entries}
        if isinstance(value, list):
            return [self.clean_json(each) for each in cast("list[object]", value)]
        return value

    def scrub(self, command: T) -> T:
        """`command`, a dataclass, with clean texts in it; itself where they are."""
        if not self._needles or not self._in(_encode(command)):
            return command
        return cast(T, self._scrubbed(command))

    def _scrubbed(self, value: Any) -> Any:
        if type(value) is str:  # no member of an enumeration
            return self.clean(value)
        if isinstance(value, tuple):
            return tuple(self._scrubbed(each) for each in cast("tuple[object, ...]", value))
        if isinstance(value, Mapping):
            return {k: self._scrubbed(each) for k, each in cast("Mapping[object, object]", value).items()}
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{f.name: self._scrubbed(getattr(value, f.name)) for f in fields(value) if f.init}
            )
        return value

    def may_end_inside(self, end: bytes) -> bool:
        """Whether a text may end in the middle of a value, by its last three bytes; False is certain."""
        known = self._endings
        return end[-1:] in known or end[-2:] in known or end in known

    def split(self, text: str) -> tuple[str, str]:
        """`text` in two parts, without the values: what may be told now, and an end that may begin one."""
        cut = len(text)
        for value, _ in self._texts:
            at = text.find(value[0], max(len(text) - len(value) + 1, 0))
            while at >= 0 and not value.startswith(text[at:]):
                at = text.find(value[0], at + 1)
            if at >= 0:
                cut = min(cut, at)
        told, held = self.clean(text[:cut]), text[cut:]
        whole = self.clean(text)
        return (told, held) if whole == told + held else (whole, "")

    def refuse(self, argument: str, given: object) -> None:
        """Let what a caller gave pass: a text, or anything that JSON can hold.

        Raises:
            InvalidArgument: it holds the value of a credential; the variable is named.
        """
        if not self._needles:
            return
        line = given.encode("utf-8", "surrogateescape") if isinstance(given, str) else _encode(given)
        if self._in(line):
            name = self.name_in(line.decode("utf-8", "surrogateescape"))
            raise InvalidArgument(
                argument=argument,
                problem=f"holds the value of the credential {name}; leave it out and name the variable "
                f"(--pass-env {name} hands it to slots)",
            )

    def _in(self, line: bytes) -> bool:
        # Finding so few one by one takes a fifth of the time that one pattern takes.
        for needle in self._needles:  # noqa: SIM110  # a generator costs more than the search
            if needle in line:
                return True
        return False


class CleanStream(io.TextIOBase):
    """A stream of text that passes everything on without the values."""

    def __init__(self, to: TextIO, secrets: Secrets) -> None:
        """`to` stays open when this is closed."""
        self._to = to
        self._secrets = secrets

    def write(self, text: str) -> int:
        """Pass `text` on."""
        self._to.write(self._secrets.clean(text))
        return len(text)

    def flush(self) -> None:
        """Flush what is below."""
        self._to.flush()

    def fileno(self) -> int:
        """The descriptor of what is below."""
        return self._to.fileno()


def _values(name: str, value: str, passed: bool) -> list[str]:
    found = [password for password in _PASSWORD_IN_ADDRESS.findall(value) if len(password) >= SHORTEST]
    if passed or _TELLING.search(name):
        whole = value.strip()
        if name.endswith("HEADERS"):
            found += [header.strip() for header in _HEADER.findall(value)]
        elif not found:
            found.append(whole)
    return [each for each in found if len(each) >= SHORTEST and not _plain(each)]


def _plain(value: str) -> bool:
    """Whether this is nothing that could be kept out of texts: one word, a number, or a file's path."""
    short = len(value) <= _LONGEST_WORD and (value.isalpha() or value.isdigit())
    return short or (os.path.isabs(value) and os.path.lexists(value))


def _forms(value: str) -> set[str]:
    """`value` as it stands in a text, in a JSON string, and in JSON inside of a JSON string."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(each, ensure_ascii=a)[1:-1] for each in forms for a in (True, False)}
    return forms
