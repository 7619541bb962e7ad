"""Reading and writing SKILL.md: nothing is lost, and nothing surprising gets in."""

from __future__ import annotations

import json

import pytest
from claude_pool.adapters.skills.document import digest_of, write_skill
from claude_pool.adapters.skills.faults import Fault
from claude_pool.adapters.skills.frontmatter import parse_skill
from claude_pool.domain.skills import KINDS, SCOPES, Skill, SkillArgument
from claude_pool.domain.values import Options
from hypothesis import given, settings
from hypothesis import strategies as st

ARGUMENT = "metadata:\n  arguments:\n    - name: a\n      "


def text(matter: str, prompt: str = "Do it.") -> str:
    return f"---\nname: x\ndescription: Does it.\n{matter}\n---\n\n{prompt}\n"


def read(matter: str) -> Skill:
    return parse_skill(text(matter), "x").skill


def fault(content: str) -> tuple[int, str]:
    with pytest.raises(Fault) as found:
        parse_skill(content, "x")
    return found.value.line, found.value.problem


def test_a_file_with_everything() -> None:
    skill = read(
        """argument-hint: "[issue] [depth]"
allowed-tools: Read, Bash(git log:*) Grep
license: MIT
metadata:
  author: Ann
  scope: coordinator
  arguments:
    - name: issue
      description: "Which: a number."
      required: true
      type: integer
    - name: depth
  config:
    model: haiku
    permission_mode: acceptEdits
    max_budget_usd: 0.5
    timeout_seconds: 90
    tools: []
    mcp_servers:
      docs: {command: docs, args: ["-v", "2"], port: 80}"""
    )

    assert skill == Skill(
        "x",
        "Does it.",
        "Do it.",
        (SkillArgument("issue", "Which: a number.", True, "integer"), SkillArgument("depth")),
        Options(
            model="haiku",
            permission_mode="acceptEdits",
            allowed_tools=("Read", "Bash(git log:*)", "Grep"),
            tools=(),
            mcp_servers=(("docs", '{"args":["-v","2"],"command":"docs","port":80}'),),
            max_budget=500_000,
            timeout_ms=90_000,
        ),
        "coordinator",
        "[issue] [depth]",
        (("license", '"MIT"'), ("metadata.author", '"Ann"')),
    )


def test_a_file_as_other_readers_of_the_format_have_it() -> None:
    skill = read("argument-hint: [file] [goal]\narguments: [file, goal]\nmodel: inherit\neffort: high")

    assert skill.arguments == (SkillArgument("file"), SkillArgument("goal"))
    assert (skill.options, skill.argument_hint) == (Options(effort="high"), "[file] [goal]")


def test_the_folder_names_a_skill_that_does_not_name_itself() -> None:
    assert parse_skill("---\ndescription: d\n---\nDo.", "from-folder").skill.name == "from-folder"


@pytest.mark.parametrize(
    ("name", "scope"),
    [("cps-coordinator-x", "coordinator"), ("cps-chain-x", "chain"), ("cps-x", "task")],
)
def test_a_prefix_of_the_name_tells_the_scope(name: str, scope: str) -> None:
    assert parse_skill(f"---\nname: {name}\ndescription: d\n---\nDo.", name).skill.scope == scope


def test_texts_are_what_stands_in_the_file() -> None:
    assert parse_skill("---\nname: x\ndescription: no\nargument-hint: 1:30\n---\nDo.", "x").skill == Skill(
        "x", "no", "Do.", argument_hint="1:30"
    )


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    content = "\ufeff" + text("metadata:\n  scope: task", "One\nTwo").replace("\n", "\r\n")

    assert parse_skill(content, "x").skill.prompt == "One\nTwo"


def test_a_rule_in_the_prompt_is_no_front_matter() -> None:
    assert parse_skill(text("license: MIT", "a\n---\nb"), "x").skill.prompt == "a\n---\nb"


@pytest.mark.parametrize(
    ("matter", "line", "problem"),
    [
        ("name: again", 4, "has the key 'name' twice, first in line 2"),
        ("license: &a MIT", 4, "holds an anchor (&a)"),
        ("license: *a", 4, "holds an alias (*a)"),
        ("license: !!python/object:os.system x", 4, "holds a tag"),
        ("license: !x y", 4, "holds a tag"),
        ("license: " + "[" * 300, 4, "is nested more than 20 deep"),
        ("a:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 300)), 23, "is nested more than 20 deep"),
        ("license: a: b", 4, "is not YAML: mapping values are not allowed here; put a text"),
        ("license: [", 4, "is not YAML"),
        ("? [a]\n: b", 4, "has a key that is no text"),
        ("license: a\x07b", 4, "holds the character U+0007"),
        ("allowed-tools: {a: b}", 4, "allowed-tools should be a text"),
        ("metadata: x", 4, "metadata should be a mapping"),
        ("metadata:\n  scope: tasks", 5, "has the scope 'tasks'; say task, coordinator, chain; did"),
        ("metadata:\n  arguments: x", 5, "arguments should be a list"),
        ("metadata:\n  arguments:\n    - description: x", 6, "has an argument without a name"),
        ("metadata:\n  arguments:\n    - name: a b", 6, "has an argument named 'a b'"),
        ("metadata:\n  arguments:\n    - name: a\n    - name: a", 7, "declares the argument a twice"),
        (ARGUMENT + "required: yes", 7, "required should be true or false"),
        (ARGUMENT + "type: int", 7, "has the type 'int'; say string, integer"),
        (ARGUMENT + "requird: true", 7, "an argument has no key 'requird'; did you mean 'required'?"),
        ("metadata:\n  config:\n    modle: haiku", 6, "config has no key 'modle'; did you mean 'model'?"),
        ("metadata:\n  config:\n    model: ''", 6, "config.model is empty"),
        ("metadata:\n  config:\n    effort: hihg", 6, "config.effort is none of low, medium, high"),
        ("metadata:\n  config:\n    permission_mode: root", 6, "config.permission_mode is none of plan"),
        ("metadata:\n  config:\n    max_turns: 0", 6, "config.max_turns should be a whole number from 1"),
        ("metadata:\n  config:\n    max_budget_usd: .nan", 6, "config.max_budget_usd should be dollars"),
        ("metadata:\n  config:\n    timeout_seconds: 1:30", 6, "config.timeout_seconds should be seconds"),
        ("metadata:\n  config:\n    mcp_servers: [a]", 6, "config.mcp_servers should be a mapping"),
        ("metadata:\n  config:\n    json_schema: {a: 1e999}", 6, "holds a number that is too large"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(matter: str, line: int, problem: str) -> None:
    found = fault(text(matter))

    assert (found[0], found[1][: len(problem)]) == (line, problem)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", 1, "should begin with a line ---"),
        ("Do it.", 1, "should begin with a line ---"),
        ("---\nname: x\n", 1, "has front matter without an end"),
        ("---\n---\nDo it.", 2, "is empty"),
        ("---\n- a\n---\nDo it.", 2, "the front matter should be a mapping"),
        ("---\nname: x\n---\nDo it.", 1, "needs a description"),
        ("---\nname: x\ndescription: ' '\n---\nDo it.", 3, "needs a description of 1 to"),
        ("---\nname: x\ndescription: d\n---\n \n", 4, "has no prompt below"),
        ("---\nname: x\ndescription: d\n---\na\0b", 4, "holds a NUL character"),
        ("---\nname: ../x\ndescription: d\n---\nDo it.", 2, "cannot be named '../x'"),
        ("---\nname: X\ndescription: d\n---\nDo it.", 2, "cannot be named 'X'"),
        ("---\nname: x\ndescription: d\nlicense: " + "a" * 65_536 + "\n---\nDo.", 2, "has more than 64 KB"),
    ],
)
def test_a_file_that_is_no_skill(content: str, line: int, problem: str) -> None:
    found = fault(content)

    assert (found[0], found[1][: len(problem)]) == (line, problem)


def test_what_is_odd_is_a_warning() -> None:
    parsed = parse_skill(text("alowed-tools: Read\nmetadata:\n  scop: task"), "y")

    assert parsed.warnings == (
        (2, "is named x but lies in y"),
        (4, "has an unknown key 'alowed-tools'; did you mean 'allowed-tools'?"),
        (6, "has an unknown key 'scop' in metadata; did you mean 'scope'?"),
    )


# ---------------------------------------------------------------------- the way there and back

LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
WORDS = st.text(LETTERS, min_size=1, max_size=30) | st.sampled_from(
    [
        "true",
        "no",
        "1:30",
        "1e3",
        "- a",
        "a: b",
        "'",
        '"',
        "#x",
        "null",
        "~",
        "\u2028",
        "\x85",
        "\ufeff",
        "---",
    ]
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


SERVERS = st.dictionaries(WORDS, OBJECTS.map(canonical), max_size=2)
OPTIONS = st.builds(
    Options,
    model=st.none() | WORDS,
    effort=st.none() | st.sampled_from(["low", "max"]),
    system_prompt=st.none() | WORDS,
    permission_mode=st.none() | st.sampled_from(["plan", "auto"]),
    allowed_tools=st.lists(WORDS, max_size=3).map(tuple),
    disallowed_tools=st.lists(WORDS, max_size=3).map(tuple),
    tools=st.none() | st.lists(WORDS, max_size=3).map(tuple),
    mcp_servers=SERVERS.map(lambda found: tuple(sorted(found.items()))),
    json_schema=st.none() | OBJECTS.map(canonical),
    max_turns=st.none() | st.integers(1, 10_000),
    fallback_model=st.none() | WORDS,
    max_budget=st.none() | st.integers(1, 10**12),
    timeout_ms=st.none() | st.integers(1, 2_592_000_000),
)  # fmt: skip
ARGUMENTS = st.lists(
    st.builds(
        SkillArgument,
        name=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True),
        description=st.just("") | WORDS,
        required=st.booleans(),
        kind=st.sampled_from(KINDS),
    ),
    max_size=4,
    unique_by=lambda each: each.name,
).map(tuple)
PROMPTS = (
    st.lists(WORDS, min_size=1).map(lambda lines: "\n".join(lines).replace("\r\n", "\n").strip()).filter(bool)
)
SKILLS = st.builds(
    Skill,
    name=NAMES,
    description=WORDS.map(str.strip).filter(bool),
    prompt=PROMPTS,
    arguments=ARGUMENTS,
    options=OPTIONS,
    scope=st.sampled_from(SCOPES),
    argument_hint=st.none() | WORDS,
    extra=st.dictionaries(
        st.sampled_from(["license", "when_to_use", "metadata.author", "metadata.version"]),
        JSON.map(lambda value: json.dumps(value, sort_keys=True)),
    ).map(lambda d: tuple(sorted(d.items()))),
)  # fmt: skip


@settings(deadline=None)
@given(SKILLS)
def test_a_skill_that_is_written_and_read_again_is_the_same(skill: Skill) -> None:
    written = write_skill(skill)

    again = parse_skill(written, skill.name)

    assert again.skill == skill
    assert again.warnings == ()
    assert (write_skill(again.skill), digest_of(again.skill)) == (written, digest_of(skill))
