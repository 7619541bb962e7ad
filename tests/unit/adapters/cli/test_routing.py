"""`auto` and `route` with the real owner and slots of the fake CLI."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_pool.adapters.cli.route_cases import (
    ROUTES,
    Case,
    Verdict,
    by_label,
    parse_cases,
    read_cases,
    score,
)
from claude_pool.adapters.cli.routing import with_cases
from claude_pool.domain.errors import InvalidArgument

from tests.support.commands import COMMAND, Shell, a_shell
from tests.support.stand_in import PATIENCE, until

PARALLEL = {"route": "parallel", "prompts": ["one", "two"], "reason": "apart"}
CHAIN = {
    "route": "chain",
    "steps": [{"name": "a", "prompt": "one"}, {"name": "b", "prompt": "then {previous_output}"}],
}


def work(route: object) -> str:
    """Work that a router answers with `route`."""
    return f"[[reply: {json.dumps(route)}]] Tidy up."


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with a_shell(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The same for many tests, where what was asked before makes no difference."""
    with a_shell(tmp_path_factory.mktemp("used")) as made:
        yield made


def test_parallel_results_are_printed_in_order(used: Shell) -> None:
    ended = used.raw("auto", work(PARALLEL))
    assert (ended.returncode, ended.stdout) == (0, "[1] echo: one\n[2] echo: two\n")
    assert ended.stderr.startswith("parallel: $0.0")


def test_a_chain_prints_its_last_output(used: Shell) -> None:
    ended = used.raw("auto", work(CHAIN))
    assert (ended.returncode, ended.stdout) == (0, "echo: then echo: one\n")


def test_a_single_task_prints_its_answer_and_why_it_came_to_that(used: Shell) -> None:
    ended = used.raw("auto", work(PARALLEL), "--prefer", "chain")
    assert ended.stdout.startswith('{"route": "parallel"')
    assert ended.stderr.startswith(
        "single, because the router chose parallel, which the hints do not allow: $"
    )


def test_the_view_has_the_work_and_the_cost_of_all(used: Shell) -> None:
    view = used.json("auto", work(CHAIN), "--tag", "t", "-m", "haiku", "--router-model", "sonnet")
    assert (view["route"], view["chain"]["state"], view["finished"]) == ("chain", "completed", True)
    costs = [task["cost_microdollars"] for task in used.json("tasks", "--tag", "t")["tasks"]]
    assert (len(costs), sum(costs)) == (3, view["cost_microdollars"])
    assert used.json("task", view["router_task_id"])["model"] != view["chain"]["steps"][0].get("model")


def test_the_same_key_prints_the_same_again_and_runs_nothing(shell: Shell) -> None:
    words = ("auto", work(PARALLEL), "--idempotency-key", "k")
    assert shell.json(*words) == shell.json(*words)
    assert shell.json("status")["completed_tasks"] == 3


def test_work_that_fails_ends_with_the_code_of_failure(used: Shell) -> None:
    ended = used.raw("auto", work({"route": "single"}) + " [[status: 404]]")
    assert ended.returncode == 1
    assert "[1] [model_not_found] " in ended.stderr


def test_an_interrupt_cancels_the_work(shell: Shell) -> None:
    shell.run("resume")
    prompt = f"[[until: {shell.folder / 'gate'}]] wait"
    with subprocess.Popen(
        [str(COMMAND), "auto", prompt, "--prefer", "single"],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as command:  # fmt: skip
        try:
            until(lambda: shell.json("status")["running_tasks"] == 1, "the task")
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=PATIENCE)
        finally:
            command.kill()

    assert (command.returncode, said.startswith("cancelled task-")) == (130, True)
    assert shell.json("status")["cancelled_tasks"] == 1


def test_a_route_is_printed_and_nothing_of_it_done(shell: Shell) -> None:
    printed = shell.raw("route", work(CHAIN)).stdout
    assert printed.startswith("route   chain\n")
    assert "\na: one\n" in printed
    assert shell.json("route", work(PARALLEL))["prompts"] == ["one", "two"]
    assert shell.json("status")["completed_tasks"] == 2


def test_a_route_needs_a_prompt_or_cases(used: Shell) -> None:
    assert "say either a prompt or --cases" in used.run("route", code=2)
    assert "hints stand in the cases" in used.run("route", "--cases", "--max-parallel", "2", code=2)


def write_cases(shell: Shell, *cases: dict[str, Any]) -> str:
    (shell.folder / "cases.json").write_text(json.dumps(cases), "utf-8")
    return "cases.json"


def test_cases_are_counted_by_label_and_errors_apart(shell: Shell) -> None:
    file = write_cases(
        shell,
        {"label": "split", "prompt": work(PARALLEL), "expected": ["parallel"]},
        {"label": "split", "prompt": work(CHAIN), "expected": ["parallel", "single"]},
        {"label": "split", "prompt": "[[status: 404]]", "expected": ["single"]},
        {"label": "none", "prompt": "[[reply: nothing]]", "expected": ["single"]},
        {
            "label": "none",
            "prompt": work(CHAIN),
            "expected": ["single"],
            "hints": {"prefer": "prefer_single"},
        },
    )
    found = shell.json("route", "--cases", file)

    assert (found["cases"], found["right"], found["errors"], found["accuracy"]) == (5, 2, 1, 0.5)
    assert {label: each["accuracy"] for label, each in found["labels"].items()} == {"split": 0.5, "none": 0.5}
    assert [each["right"] for each in found["verdicts"]] == [True, False, None, False, True]
    assert found["verdicts"][2]["error"].startswith("[model_not_found] ")
    assert found["cost_microdollars"] == shell.json("status")["spent_microdollars"]

    printed = shell.raw("route", "--cases", file)
    assert printed.returncode == 1
    assert printed.stdout.splitlines()[0].split() == ["LABEL", "CASES", "RIGHT", "ERRORS", "ACCURACY", "COST"]
    assert printed.stdout.splitlines()[1].split()[:5] == ["split", "3", "1", "1", "50%"]
    assert "wrong: split: chain, not parallel or single (" in printed.stderr
    assert "wrong: none: no route (the router's answer holds no route), not single (" in printed.stderr
    assert "error: split: [model_not_found]" in printed.stderr


def test_a_file_of_cases_that_is_wrong_says_where(used: Shell) -> None:
    file = write_cases(used, {"label": "a", "prompt": "b", "expected": ["singel"]})
    assert "cases.json: case 1: expected should be a list of routes" in used.run(
        "route", "--cases", file, code=2
    )
    assert "none.json: cannot be read" in used.run("route", "--cases", "none.json", code=2)


GOOD: dict[str, Any] = {"label": "a", "prompt": "b", "expected": ["single"]}

WRONG: list[tuple[str, str]] = [
    ("[", "cases: is not JSON"),
    ("{}", "should be a JSON list"),
    ("[]", "should be a JSON list"),
    ("[1]", "case 1: should be an object"),
    (json.dumps([GOOD, {**GOOD, "promt": "x"}]), "case 2: has no field 'promt'; did you mean 'prompt'?"),
    (json.dumps([{**GOOD, "label": " "}]), "needs a label and a prompt"),
    (json.dumps([{**GOOD, "prompt": 1}]), "needs a label and a prompt"),
    (json.dumps([{**GOOD, "expected": []}]), "expected should be"),
    (json.dumps([{**GOOD, "expected": "single"}]), "expected should be"),
    (json.dumps([{**GOOD, "hints": []}]), "hints should be an object"),
    (json.dumps([{**GOOD, "hints": {"max_paralel": 1}}]), "did you mean 'max_parallel'?"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_no_case_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        parse_cases(text, "cases")
    assert problem in refusal.value.message


def test_the_programs_own_cases_cover_every_route_under_several_labels() -> None:
    cases = read_cases("own")
    assert 20 <= len(cases) <= 30
    assert {route for case in cases for route in case.expected} == set(ROUTES)
    assert len({case.label for case in cases}) >= 6
    assert len({case.prompt for case in cases}) == len(cases)


def test_a_score_without_a_route_has_no_accuracy() -> None:
    case = Case("a", "b", ("single",))
    assert score([Verdict(case, None, "[draining] No.")]).accuracy is None
    assert by_label([Verdict(case, "single"), Verdict(case, "single", fallback=True)])["a"].accuracy == 0.5


def test_cases_without_a_file_are_the_programs_own() -> None:
    assert with_cases(["route", "--cases"]) == ["route", "--cases=own"]
    assert with_cases(["route", "--cases", "--json"]) == ["route", "--cases=own", "--json"]
    assert with_cases(["route", "--cases", "x.json"]) == ["route", "--cases", "x.json"]
    assert with_cases(["run", "--", "--cases"]) == ["run", "--", "--cases"]
