"""All generated files, and writing them."""

from __future__ import annotations

from pathlib import Path

from geoservice.reference.cli import cli_page
from geoservice.reference.events import events_page
from geoservice.reference.formats import formats_page
from geoservice.reference.layers import code_lists_page, layer_page, layers_page
from geoservice.reference.problems import problems_page
from geoservice.reference.rules import rules_page
from geoservice.reference.settings import env_example, settings_page
from layers.registry import LAYERS

ROOT = Path(__file__).resolve().parents[2]
"""The checkout that the pages are written into."""

_LAYERS = "docs/reference/layers"


def pages() -> dict[str, str]:
    """The text of every generated file, by its path in the checkout."""
    return {
        ".env.example": env_example(),
        "docs/reference/settings.md": settings_page(),
        "docs/reference/problems.md": problems_page(),
        "docs/reference/cli.md": cli_page(),
        "docs/reference/events.md": events_page(),
        "docs/reference/formats.md": formats_page(),
        "docs/reference/code-lists.md": code_lists_page(),
        "docs/reference/rules.md": rules_page(),
        f"{_LAYERS}/index.md": layers_page(),
        **{f"{_LAYERS}/{layer.name}.md": layer_page(layer) for layer in LAYERS},
    }


def write_pages() -> None:
    """Write all files, and remove the pages of layers that are no more."""
    wanted = pages()
    for path in (ROOT / _LAYERS).glob("*.md"):
        if path.relative_to(ROOT).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (ROOT / name).write_text(text, encoding="utf-8")
