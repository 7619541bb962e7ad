"""The site of the documentation: all pages, all links, nothing from elsewhere."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))  # the tools are programs, on nobody's path

from tools.manual.features import Results  # noqa: E402
from tools.manual.site import Site  # noqa: E402

RUNNING = ("tasks/running.feature", "The answer comes with its price", "real")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The site of this project, where one scenario has passed and nothing else has run."""
    site = Site(results=Results(1_700_000_000, {RUNNING: ("passed", 1.5)}))
    made = site.build()
    assert site.problems == []
    return made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the least that a site is made of."""
    for name, text in {
        "README.md": "# Start\n\nSee [more](docs/more.md).\n",
        "docs/README.md": "# Order\n\n**Begin.** [start](../README.md) · [more](more.md)\n",
        "docs/more.md": "# More\n",
        "docs/decisions/README.md": "# Decisions\n",
        "features/README.md": "# The manual\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def problems(project: Path) -> list[str]:
    """What is wrong with the site of a project."""
    site = Site(project)
    site.build()
    return site.problems


def test_every_page_and_every_feature_is_there(files: dict[str, str]) -> None:
    for source in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "features").rglob("*.feature")]:
        name = source.relative_to(ROOT).as_posix().replace("README.md", "index.html")
        assert re.sub(r"\.(md|feature)$", ".html", name) in files


def test_nothing_is_loaded_from_elsewhere(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.endswith(".html"):
            loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]*)"', text)
            assert [each for each in loaded if each.startswith(("http", "//"))] == [], name


def test_a_scenario_says_what_it_came_to_and_one_that_did_not_run_says_that(files: dict[str, str]) -> None:
    page = files["features/tasks/running.html"]
    assert "passed on real CLI, 1.5 s" in page
    assert "not run on stand-in CLI" in page
    assert "2023-11-14" in page


def test_headings_of_all_pages_can_be_searched(files: dict[str, str]) -> None:
    index = json.loads(files["headings.js"].partition("= ")[2].rstrip(";\n"))
    assert ["docs/events.html#taskparked", "task.parked", "task.parked", "Events"] in index


def test_a_small_project_is_in_order(project: Path) -> None:
    assert problems(project) == []


def test_a_page_that_no_reading_order_lists_is_named(project: Path) -> None:
    (project / "docs" / "lost.md").write_text("# Lost\n", "utf-8")
    assert problems(project) == ["docs/lost.md: no reading order lists it (docs/README.md)"]


@pytest.mark.parametrize("target", ["gone.md", "README.md#nowhere", "../features/gone.feature"])
def test_a_link_that_leads_nowhere_is_named(project: Path, target: str) -> None:
    (project / "docs" / "more.md").write_text(f"# More\n\n[this]({target})\n", "utf-8")
    assert any("docs/more.md" in each for each in problems(project))


def test_the_text_of_a_page_is_no_markup(project: Path) -> None:
    (project / "docs" / "more.md").write_text("# More\n\n`<script>x</script>`\n", "utf-8")
    assert "<script>x" not in Site(project).build()["docs/more.html"]


def test_a_picture_is_part_of_its_page(files: dict[str, str]) -> None:
    assert files["docs/replay.html"].count('<img src="data:image/png;base64,') == 3
    assert 'class="drawing"' in files["docs/replay.html"]
