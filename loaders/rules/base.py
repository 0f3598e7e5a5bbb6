"""What a rule is: its name, its weight, what it says to people and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from layers.base import Title


class Severity(StrEnum):
    """What a finding does to its row."""

    ERROR = "error"
    """The row is rejected and waits in quarantine."""
    WARNING = "warning"
    """The row is loaded, with the finding."""


@dataclass(frozen=True)
class Rule:
    """One rule that data are held against.

    Attributes:
        id: Stable name; the word before the colon of a reason.
        title: What is wrong, in a few words.
        sentence: What is wrong in one case; ``{...}`` are details of the finding.
        remedy: How people mend it.
        source: Standard, clause or decision that the rule comes from.
        layers: Names of the layers that are held against it; none means all.
        promotable: Whether ``--strict`` can make an error of it: it judges one row by itself.
    """

    id: str
    severity: Severity
    title: Title
    sentence: Title
    remedy: Title
    source: str
    layers: tuple[str, ...] = ()
    promotable: bool = False

    def told(self, details: Mapping[str, Any]) -> Title:
        """The sentence of a case; a detail that is not known is shown as ``?``."""
        known = _Details({name: _plain(value) for name, value in details.items()})
        return Title(self.sentence.en.format_map(known), self.sentence.zh.format_map(known))


class _Details(dict[str, str]):
    """Details by name; a missing one is a question mark."""

    def __missing__(self, _: str) -> str:
        return "?"


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def error(
    rule_id: str, title: Title, sentence: Title, remedy: Title, source: str, *layers: str
) -> Rule:
    """A rule whose breach rejects the row."""
    return Rule(rule_id, Severity.ERROR, title, sentence, remedy, source, layers)


def warning(
    rule_id: str,
    title: Title,
    sentence: Title,
    remedy: Title,
    source: str,
    *layers: str,
    promotable: bool = False,
) -> Rule:
    """A rule whose breach is told, and the row loaded."""
    return Rule(rule_id, Severity.WARNING, title, sentence, remedy, source, layers, promotable)
