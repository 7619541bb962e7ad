"""The debugging story of docs/debugging.md, told by running it.

    python tools/story.py            run it, and write the page
    python tools/story.py --check    run it; exit 1 and show the difference where the page says something else

A chain runs on the real Claude Code CLI against a scripted API that has one more thing to say than its steps
allow for. Ids of chains and tasks are derived and stay the same; times, other ids and digests count for
nothing in the comparison.
"""

from __future__ import annotations

import difflib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from claude_pool.adapters.demo.directives import Step, ToolCall  # noqa: E402
from claude_pool.adapters.demo.script import Script  # noqa: E402
from claude_pool.adapters.demo.scripted_api import running_api  # noqa: E402

from tests.support.owners import stopped_owners  # noqa: E402
from tests.support.real_cli import bundled_cli, cli_environment  # noqa: E402

PAGE = ROOT / "docs" / "debugging.md"
TEMPLATE = ROOT / "tools" / "story.md"
FILES = ("lexer.py", "parser.py", "printer.py")
VARIES = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "SESSION"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?"), "TIME"),
    (re.compile(r"\b\d+(?:\.\d+)?(?: ?ms| ?s)\b"), "SPAN"),
    (re.compile(r"(?<=_ms)(?: +)\d+"), " SPAN"),
    (re.compile(r"SPAN → SPAN"), "SPAN"),  # spans that are shown alike are shown once
    (re.compile(r"(?<=\(event )\d+|(?<=\ball )\d+(?= events)"), "POSITION"),
    (re.compile(r"(?<=length=)\d+|(?<=rss_mb=)\d+"), "SIZE"),
    (re.compile(r"^ *\d+(?= +TIME)|(?<=slot) +\d+|(?<=policy) +\d+|\d+ to \d+", re.MULTILINE), " POSITION"),
    (re.compile(r"\b(?:cmd|owner|pool)-[a-z2-7]{16}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r"\b[\d,.]+ (?:bytes|[kM]B)\b"), "SIZE"),
    (re.compile(r" +"), " "),
)
"""What differs from run to run and means nothing."""


def script() -> Script:
    """An API that names three files where the chain was made for one."""
    told = Script()
    told.when("Which files", Step(says="text", text="\n".join(FILES)))
    reads = [Step(tools=(ToolCall("Read", {"file_path": f"src/{name}"}),)) for name in FILES]
    told.when("Read each", *reads, Step(says="text", text="A test for each of them."))
    told.when("Write down", Step(says="text", text="Three files lack tests."))
    return told


def told(template: str, folder: Path, environment: dict[str, str]) -> str:
    """The template with each file written where it is shown, and each command of a console block answered."""
    lines: list[str] = []
    fence, shown = "", list[str]()
    for line in template.splitlines():
        lines.append(line)
        if not fence:
            fence, shown = line.removeprefix("```") if line.startswith("```") else "", []
        elif line == "```":
            if fence == "yaml":
                (folder / shown[0].removeprefix("# ")).write_text("\n".join(shown[1:]) + "\n", "utf-8")
            fence = ""
        elif fence == "console":
            lines += ran(line.removeprefix("$ "), folder, environment)
        else:
            shown.append(line)
    return "\n".join(lines) + "\n"


def ran(line: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """What a shell shows of one command."""
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    shown = done.stdout.replace(str(folder), "~/project")
    return [each.rstrip() for each in shown.splitlines()]


def story() -> str:
    """The page, as it comes out now."""
    with (
        TemporaryDirectory(prefix="story-", ignore_cleanup_errors=True) as made,
        running_api(script()) as api,
    ):
        folder = Path(made) / "project"
        (folder / "src").mkdir(parents=True)
        for name in FILES:
            (folder / "src" / name).write_text(f'"""The {name[:-3]}."""\n', "utf-8")
        environment = cli_environment(Path(made) / "home", api.url) | {
            "CLAUDE_POOL_CLAUDE": str(bundled_cli()),
            "CLAUDE_POOL_MODEL": "sonnet",
            "CLAUDE_POOL_SLOTS": "1",
            "NO_COLOR": "1",
            "COLUMNS": "118",
        }
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        with stopped_owners(Path(made), environment):
            return told(TEMPLATE.read_text("utf-8"), folder, environment)


def essence(text: str) -> list[str]:
    """The lines of a page, without what differs from run to run."""
    for pattern, name in VARIES:
        text = pattern.sub(name, text)
    return text.splitlines()


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    now = story()
    if arguments != ["--check"]:
        PAGE.write_text(now, "utf-8")
        return 0
    difference = list(
        difflib.unified_diff(essence(PAGE.read_text("utf-8")), essence(now), PAGE.name, "now", lineterm="")
    )
    print("\n".join(difference) or f"{PAGE.name} tells what happens")
    if difference:
        print(f"\nwrite it anew with {shlex.join(['python', 'tools/story.py'])}")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
