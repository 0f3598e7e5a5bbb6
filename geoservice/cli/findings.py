"""What ``geoservice load`` does with findings: rules chosen, files written, warnings printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from sqlalchemy import Connection

from geoservice.cli.terminal import shown
from layers.city import CityFrame
from layers.errors import InvalidParameter
from loaders import LoadReport
from loaders.findings_file import EXTENSIONS, write_findings
from loaders.findings_page import city_outline, findings_page
from loaders.rules import RULES, find_rule


@dataclass(frozen=True)
class Outputs:
    """Files to write when a load has ended; refused before it begins if they cannot be.

    Attributes:
        findings: JSON or GeoJSON.
        page: HTML.
    """

    findings: Path | None
    page: Path | None

    def __post_init__(self) -> None:
        wanted = (("findings", self.findings, EXTENSIONS), ("report", self.page, (".html",)))
        for option, path, extensions in wanted:
            if path is None:
                continue
            if path.suffix.lower() not in extensions:
                reason = f"its extension is one of {', '.join(extensions)}"
                raise InvalidParameter(option, path.name, reason)
            if not path.absolute().parent.is_dir():
                raise InvalidParameter(option, path.name, "there is no such folder")

    @property
    def are_wanted(self) -> bool:
        """Whether there is anything to write."""
        return self.findings is not None or self.page is not None

    def write(self, reports: Sequence[LoadReport], connection: Connection, city: CityFrame) -> None:
        """Write the files; of several loads each with its layer after the name."""
        for report in reports:
            ending = f"_{report.layer}" if len(reports) > 1 else ""
            if self.findings is not None:
                write_findings(report, self.findings.with_stem(self.findings.stem + ending))
            if self.page is not None:
                page = findings_page(report, city_outline(connection), city.extent)
                path = self.page.with_stem(self.page.stem + ending)
                path.write_text(page, encoding="utf-8")


def checks_of(text: str) -> Literal["all", "rows"]:
    """Which checks are run.

    Raises:
        InvalidParameter: another word.
    """
    if text == "all":
        return "all"
    if text == "rows":
        return "rows"
    raise InvalidParameter("checks", text, "is all or rows")


def strict_rules(names: Sequence[str]) -> frozenset[str]:
    """Rules whose breach shall reject a row.

    Raises:
        InvalidParameter: no such rule, or one that does not judge a row by itself.
    """
    promotable = [rule.id for rule in RULES.values() if rule.promotable]
    for name in names:
        if name not in promotable:
            reason = f"{name!r} is none of the rules that may reject: {', '.join(promotable)}"
            raise InvalidParameter("strict", name, reason)
    return frozenset(names)


def show_warnings(console: Console, report: LoadReport) -> None:
    """Print what was found in rows that were loaded."""
    for rule_id, count in report.warnings.most_common():
        rule = find_rule(rule_id)
        console.print(
            f"  [yellow]{count:,}[/] {shown(rule_id)}: {rule.title.en} {rule.title.zh}",
            highlight=False,
        )
    for check in report.checks:
        if check.note:
            console.print(f"  {check.name}: {shown(check.note)}", highlight=False)
