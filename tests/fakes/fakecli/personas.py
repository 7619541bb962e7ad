"""What can be wrong with a CLI. Each persona is a name and an optional argument; several may be combined.

At the start of the process:
    mute            never prints anything and never exits by itself
    slowstart MS    is silent for so long before it reads anything
    crashstart RC   exits with RC at once, with a stack trace on stderr
    noterm          ignores SIGTERM, SIGINT, SIGHUP and interrupts
    deaf            never answers a control request
    closestdin      closes its stdin after the first prompt
    noread          reads nothing more after the first prompt
    nosession       knows no conversation to resume
    old             behaves like 2.1.197: no correlation ids, cost kept at /clear and lost at resume

In the middle of a turn, once its first piece was printed:
    exit0           exits 0 without a result
    crash RC        exits with RC and a stack trace on stderr
    kill9           kills itself with SIGKILL
    stderrflood N   prints N bytes to stderr
    flood N         prints N bytes of unknown lines to stdout
    daemon N        leaves N processes with sessions of their own that ignore SIGTERM (they end after 120 s)
    rejected EPOCH  tells of a usage limit that ends then, and goes on as if nothing were
    respawn         starts such a process when it gets SIGTERM, then exits

On the wire:
    stall K         prints K lines of a turn, then nothing ever again
    garbage         prints lines that are no JSON between the others
    unknown         prints lines of unknown types and with fields of wrong types between the others
    unicode         prints U+2028, U+0085, NUL and a byte that is no UTF-8 between the others
    noinit          prints no system/init lines

With the result:
    cut N           prints the first N bytes of the result line (default: half of it), then exits 0
    bigline N       says N bytes
    double          prints two results
    nocost          says nothing about cost
    badcost KIND    says a cost that is negative, nan, huge or text
    expensive F     bills F times the price (default 1000)
    peer            first runs a turn that a peer started; `peer after`: afterwards, unasked
    crashafter RC   exits with RC once the turn is over

In conversations:
    badclear        keeps the conversation's id at /clear
    slowclear MS    takes so long for /clear
    asks            asks for permission before every tool
    linger          does not exit when its stdin is closed
"""

from __future__ import annotations

NAMES = frozenset(
    [
        "normal",
        "mute",
        "slowstart",
        "crashstart",
        "noterm",
        "deaf",
        "closestdin",
        "noread",
        "nosession",
        "old",
        "exit0",
        "crash",
        "kill9",
        "stderrflood",
        "rejected",
        "flood",
        "daemon",
        "respawn",
        "stall",
        "garbage",
        "unknown",
        "unicode",
        "noinit",
        "cut",
        "bigline",
        "double",
        "nocost",
        "badcost",
        "expensive",
        "peer",
        "crashafter",
        "badclear",
        "slowclear",
        "asks",
        "linger",
    ]
)


class Personas:
    """The personas in force: those of the process, and those of the running turn."""

    def __init__(self, text: str = "") -> None:
        """`text` is a comma-separated list of names with arguments.

        Raises:
            ValueError: there is no such persona.
        """
        self._always = _parsed(text.split(","))
        self._turn: dict[str, str] = {}

    def begin_turn(self, texts: tuple[str, ...]) -> None:
        """Add the personas that a prompt asks for, until the next turn.

        Raises:
            ValueError: there is no such persona.
        """
        self._turn = _parsed(list(texts))

    def argument(self, name: str) -> str | None:
        """The argument of a persona in force, or None where it is not in force."""
        return self._turn.get(name, self._always.get(name))

    def number(self, name: str, default: int = 0) -> int | None:
        """The argument as a number, `default` where there is none, None where it is not in force."""
        argument = self.argument(name)
        return None if argument is None else int(argument or default)

    def __contains__(self, name: str) -> bool:
        """Whether a persona is in force."""
        return self.argument(name) is not None


def _parsed(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, _, argument = text.strip().partition(" ")
        if name and name not in NAMES:
            raise ValueError(f"there is no persona {name!r}")
        found[name] = argument.strip()
    return found
