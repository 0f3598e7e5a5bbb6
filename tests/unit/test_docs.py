"""The documentation is true: its generated pages, links, commands and settings are the code's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.cli import app
from geoservice.problems import PROBLEMS
from geoservice.reference import pages
from geoservice.settings import Settings, known_variables
from layers.own_systems import parse_own_systems
from loaders.mapping import parse_mapping

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_what_the_code_gives(name: str) -> None:
    assert pages()[name] == (ROOT / name).read_text(encoding="utf-8")


def test_there_is_no_page_of_a_layer_that_is_no_more() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (DOCS / "reference/layers").iterdir()}

    assert found <= set(pages())


@each_page
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]

    assert [] == [target for target in targets if not _leads_somewhere(page, target)]


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = page.parent / path if path else page
    if not anchor or not found.is_file():
        return found.exists()
    headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_first_one() -> None:
    reached, new = set(), {DOCS / "index.md"}
    while new:
        page = new.pop()
        reached.add(page)
        targets = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
        new |= {(page.parent / target).resolve() for target in targets} - reached

    assert set() == set(DOCS.rglob("*.md")) - reached


def test_every_problem_has_a_section() -> None:
    names = {problem.name for problem in PROBLEMS.values()}

    assert names <= _problem_sections()


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/nothing")])
def test_what_the_framework_refuses_has_a_section(method: str, path: str) -> None:
    answer = TestClient(create_app(Settings())).request(method, path)

    assert answer.json()["type"].rpartition("/")[2] in _problem_sections()


def _problem_sections() -> set[str]:
    text = (DOCS / "reference/problems.md").read_text(encoding="utf-8")
    return set(re.findall(r"^## (\S+)$", text, flags=re.MULTILINE))


def test_every_decision_is_listed() -> None:
    index = (DOCS / "decisions/index.md").read_text(encoding="utf-8")

    decisions = [path.name for path in (DOCS / "decisions").glob("0*.md")]
    assert [] == [name for name in decisions if f"({name})" not in index]


def test_the_example_of_settings_gives_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = [line[1:] for line in lines if re.match(r"#[A-Z_]+=.", line)]
    (tmp_path / ".env").write_text("\n".join(given), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert Settings(_env_file=None) == Settings()
    assert len(given) > 20


@each_page
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"GEOSERVICE_[A-Z]+__[A-Z_]+[A-Z]", page.read_text(encoding="utf-8")))

    assert set() == named - known_variables()


@each_page
def test_every_command_that_is_shown_exists(page: Path) -> None:
    unknown = [line for line in _commands(page) if not _exists(line)]

    assert [] == unknown


def _commands(page: Path) -> Iterator[list[str]]:
    """The words after ``geoservice`` in shell examples."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            found = re.search(r"(?:^|[ /(])geoservice ((?!/)[^|>)]+)", line)
            if found and "useradd" not in line:
                yield re.findall(r"[^\s'\"]+", found[1].partition(" #")[0])


def _exists(words: list[str]) -> bool:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words:
        command, words = command.commands.get(words[0]), words[1:]
    if command is None or hasattr(command, "commands"):
        return False
    known = {option for parameter in command.params for option in parameter.opts}
    return {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_the_example_of_a_mapping_is_one() -> None:
    page = (DOCS / "how-to/check-and-map.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)

    mapping = parse_mapping(yaml.safe_load(example))

    assert mapping.units == {"diameter_mm": "m"}
    assert mapping.nodata == ("待定", "-1")


def test_the_example_of_a_systems_file_is_one(tmp_path: Path) -> None:
    page = (DOCS / "how-to/coordinate-systems.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "xian80.gsb").touch()

    found = parse_own_systems(yaml.safe_load(example), tmp_path)

    assert set(found.systems) == {"sz-local", "old-grid", "xian80-plane"}
    assert set(found.shifts) == {"beijing1954", "xian1980"}
