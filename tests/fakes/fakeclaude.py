"""A stand-in for the Claude Code CLI 2.1.330: the same stream-json protocol, no API, faults on request.

It answers prompts by the directives in them, keeps sessions under `$HOME/.claude/projects`, runs Bash for
real, and prices tokens as the real one does. Personas (`fakecli.personas`) make it misbehave; they come with
`--fake-persona='NAME ARGUMENT, NAME'` or, for one turn, with `[[persona: NAME ARGUMENT]]` in a prompt.
`--fake-calls=FILE` appends every model call to FILE in the format of the scripted API.

Run it with `python -I -S`; `tests/support/fake_cli.py` makes an executable that does.
"""

import sys
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[2]


def _mount() -> None:
    """Make the repository importable without an installation, which would cost start-up time."""
    package = ModuleType("claude_pool")
    package.__path__ = [str(_ROOT)]
    sys.modules["claude_pool"] = package
    sys.path.insert(0, str(_ROOT))


if __name__ == "__main__":
    _mount()
    from tests.fakes.fakecli.process import main

    main(sys.argv[1:])
