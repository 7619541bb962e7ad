"""Texts of others in a prompt attach no file and run no command, on a CLI that would attach and run."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from claude_pool.adapters.demo.scripted_api import running_api

from tests.support.commands import Shell, a_shell
from tests.support.hostile_repository import read_in, secret
from tests.support.past import until_state
from tests.support.real_cli import bundled_cli, cli_environment
from tests.support.real_git import write

FORMS = (
    "@{0}", "read @{0} now", '"@{0}"', '@"{0}"', "'@{0}'", "`@{0}`", "```\n@{0}\n```", "<tag>@{0}</tag>",
    "<tag>\n@{0}\n</tag>", "next line\n@{0}", "\t@{0}", "@~/{1}", "@./{1}", "@{1}", "@../project/{1}",
    '@"{1}"', "@{0}#L1-2", "\u00a0@{0}", "\u3000@{0}", "\ufeff@{0}", "\u2028@{0}", "\u3002@{0}", "\uff01@{0}",
    "(@{0})",
)  # fmt: skip
ATTACHED = {f"form{n}" for n in (0, 1, 3, 6, 9, 10, 11, 13, 15, 17, 21, 22)}


@dataclass(frozen=True)
class Scene:
    """A pool of the real CLI, a text with every form of a mention, and what the API was sent."""

    shell: Shell
    text: str
    sent: list[bytes]

    @property
    def said(self) -> str:
        """The text as a JSON string in which no form stands as it is."""
        return '"' + "".join(f"\\u{ord(letter):04x}" for letter in self.text) + '"'


def mentions(project: Path, home: Path) -> str:
    """Every form in one text, each of a file of its own."""
    parts: list[str] = []
    for number, form in enumerate(FORMS):
        name = f"file {number}.txt" if form == '@"{1}"' else f"file{number}.txt"
        write((home if "~" in form else project) / name, f"{secret(f'form{number}')}-end\n")
        parts.append(form.format(project / name, name))
    return "\n".join(parts)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Generator[Scene]:
    """Its CLI lacks the switch against mentions, as older ones do."""
    folder = tmp_path_factory.mktemp("mentions")
    cli = folder / "claude"
    cli.write_text(
        f'#!/bin/sh\nunset CLAUDE_CODE_DISABLE_FILE_MENTIONS\nexec {bundled_cli()} "$@"\n', "utf-8"
    )
    cli.chmod(0o755)
    with running_api() as api:
        api.bodies = []
        environment = cli_environment(folder / "home", api.url)
        with a_shell(folder, environment=environment, CLAUDE_POOL_CLAUDE=str(cli)) as shell:
            yield Scene(shell, mentions(shell.folder, folder / "home"), api.bodies)


def attaches_nothing(scene: Scene) -> None:
    assert any(b"file0.txt" in body for body in scene.sent), "the model is told the text"
    assert read_in(scene.sent) == set()


@pytest.mark.real
def test_the_output_of_a_step_attaches_nothing_to_the_next(scene: Scene) -> None:
    steps = [
        {"name": "a", "prompt": f"[[reply: {scene.said}]]"},
        {"name": "b", "prompt": "{previous_output}"},
    ]
    ran = scene.shell.json("chain", "run", "-", stdin=json.dumps({"steps": steps}))
    assert ran["steps"][1]["state"] == "completed", ran
    attaches_nothing(scene)


@pytest.mark.real
def test_messages_of_slots_and_shared_values_attach_nothing(scene: Scene) -> None:
    send = (
        f'[[tool: mcp__pool__slot_send_message {{"to": "slot-0", "content": {scene.said}}}]] [[reply: sent]]'
    )
    scene.shell.run("run", send)
    scene.shell.run("context", "set", "key", scene.text)
    scene.shell.run("run", "look")
    scene.shell.run("context", "delete", "key")
    attaches_nothing(scene)


@pytest.mark.real
def test_an_argument_of_a_skill_attaches_nothing(scene: Scene) -> None:
    skill = "---\nname: look\ndescription: Looks.\narguments: [text]\n---\nLook at this: {text}\n"
    write(scene.shell.folder / ".claude-pool" / "skills" / "look" / "SKILL.md", skill)
    step = {"name": "a", "skill": "look", "arguments": {"text": scene.text}}
    ran = scene.shell.json("chain", "run", "-", stdin=json.dumps({"steps": [step]}))
    assert ran["state"] == "completed", ran
    attaches_nothing(scene)


@pytest.mark.real
def test_what_a_rejection_says_and_shows_attaches_nothing(scene: Scene) -> None:
    task_id = scene.shell.run("submit", f"[[reply: {scene.said}]] work", "--review=2").strip()
    until_state(scene.shell, task_id, "pending_review", 60)
    scene.shell.run("reject", task_id, scene.text)
    until_state(scene.shell, task_id, "pending_review", 60)
    scene.shell.run("approve", task_id)
    attaches_nothing(scene)


@pytest.mark.real
def test_a_prompt_that_begins_with_a_slash_is_told_to_the_model(scene: Scene) -> None:
    first = scene.shell.json("run", "/clear")
    assert first["output"] == "echo: /clear"
    again = scene.shell.json("run", "/cost", f"--session=resume:{first['session_id']}")
    assert again["output"] == "echo: /cost"
    steps = [{"name": "a", "prompt": "[[reply: /compact]]"}, {"name": "b", "prompt": "{previous_output}"}]
    ran = scene.shell.json("chain", "run", "-", stdin=json.dumps({"steps": steps}))
    assert ran["steps"][1]["output"] == "echo: /compact"


@pytest.mark.real
def test_a_callers_own_prompt_would_attach_files_there(scene: Scene) -> None:
    """The control: this CLI does read what a prompt mentions."""
    attaches_nothing(scene)
    scene.shell.run("run", scene.text)
    assert read_in(scene.sent) >= ATTACHED
