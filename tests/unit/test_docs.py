"""The documentation is true: generated pages are those of the code, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geoservice.problems import PROBLEMS
from geoservice.reference.pages import pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_what_the_code_gives(name: str) -> None:
    assert pages()[name] == (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))

    inside = [target for target in targets if "://" not in target]
    missing = [target for target in inside if not (page.parent / target).exists()]
    assert [] == missing


def test_every_problem_has_a_section() -> None:
    text = (ROOT / "docs/reference/problems.md").read_text(encoding="utf-8")

    names = {problem.name for problem in PROBLEMS.values()}
    assert names <= set(re.findall(r"^## (\S+)$", text, flags=re.MULTILINE))


def test_every_decision_is_listed() -> None:
    index = (ROOT / "docs/decisions/index.md").read_text(encoding="utf-8")

    decisions = [path.name for path in (ROOT / "docs/decisions").glob("0*.md")]
    assert [name for name in decisions if f"({name})" not in index] == []
