"""Findings of a load as one HTML page for people: a map, counts and sentences in both languages.

The page stands alone: no script, no style and no picture from anywhere else. Every text of a file
is escaped, so what a column holds is shown and never obeyed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

import orjson
from sqlalchemy import Connection, func, select

from layers import districts
from layers.extent import BBox
from layers.tables import held_table
from loaders.findings import KEPT_PER_RULE, Finding
from loaders.report import LoadReport
from loaders.rules import Severity, find_rule

Ring = Sequence[tuple[float, float]]
"""Longitudes and latitudes, degrees."""

_WIDTH_PX = 900
_LISTED = 200
"""Findings of a rule in the tables of the page; the file for programs has all that are kept."""
_LEAST_DEGREES = 0.002
_TOLERANCE_DEGREES = 0.001

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border: 1px solid #ddd; }
td.n { text-align: right; } svg { width: 100%; height: auto; border: 1px solid #ccc; }
.outline { fill: #f6f3ec; stroke: #8a6fb0; stroke-width: 1; } .note { color: #555; }
.error { fill: #c62828; } .warning { fill: #ef8e00; }
b.error { color: #c62828; } b.warning { color: #9a5b00; }
"""


def city_outline(connection: Connection) -> list[Ring]:
    """Outlines of the districts that are held, simplified to about a hundred metres; commits."""
    table = held_table(districts.LAYER)
    simple = func.ST_SimplifyPreserveTopology(table.c.geom, _TOLERANCE_DEGREES)
    rows = connection.execute(
        select(func.ST_AsGeoJSON(simple, 5)).where(
            func.upper_inf(table.c.valid_during), table.c.level == "district"
        )
    ).scalars()
    rings = [ring for row in rows for ring in _rings(row)]
    connection.commit()
    return rings


def _rings(geojson: str) -> Iterator[Ring]:
    for polygon in orjson.loads(geojson)["coordinates"]:
        yield [(x, y) for x, y in polygon[0]]


def findings_page(report: LoadReport, outline: Sequence[Ring], extent: BBox) -> str:
    """The page of a load.

    Args:
        outline: Rings to draw under the findings.
        extent: Of the city, where nothing has a place.
    """
    head = (
        f"{report.layer}: load {report.load_id}" if report.load_id else f"{report.layer}: dry run"
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(head)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(head)} · 检查报告</h1>",
        f"<p>{escape(', '.join(report.files))}</p>",
        _table(tuple(report.counts()), [tuple(f"{count:,}" for count in report.counts().values())]),
        *_summary(report),
        _map(report.findings.kept, outline, extent),
        *_lists(report),
        _checks(report),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _summary(report: LoadReport) -> Iterator[str]:
    counts = report.findings.counts
    yield "<h2>By rule · 按规则</h2>"
    if not counts:
        yield "<p>Nothing was found. 未发现问题。</p>"
        return
    severities = {finding.rule: finding.severity for finding in report.findings.kept}
    rows = []
    for rule_id, count in counts.most_common():
        rule = find_rule(rule_id)
        severity = severities.get(rule_id, rule.severity)
        rows.append(
            (
                f"{count:,}",
                _Markup(f'<b class="{severity.value}">{_word(severity)}</b>'),
                _Markup(f'<a href="#{escape(rule_id)}">{escape(rule_id)}</a>'),
                f"{rule.title.en} · {rule.title.zh}",
                f"{rule.remedy.en} {rule.remedy.zh}",
            )
        )
    yield _table(("count", "severity", "rule", "what · 问题", "how to mend it · 处理方法"), rows)
    yield (
        f'<p class="note">Counts are exact; of each rule the first {KEPT_PER_RULE:,} are kept. '
        f"计数准确;每条规则仅保留前 {KEPT_PER_RULE:,} 条。</p>"
    )


def _word(severity: Severity) -> str:
    return "rejected · 拒绝" if severity is Severity.ERROR else "loaded · 已入库"


def _map(findings: Sequence[Finding], outline: Sequence[Ring], extent: BBox) -> str:
    """An SVG of the findings that have a place, over what lies there of the outline."""
    placed = [finding for finding in findings if finding.place is not None]
    box = _box([finding.place for finding in placed if finding.place], extent)
    scale = math.cos(math.radians((box.south + box.north) / 2))
    per_degree = _WIDTH_PX / ((box.east - box.west) * scale)
    height = min(max((box.north - box.south) * per_degree, 100), 2 * _WIDTH_PX)

    def at(lon: float, lat: float) -> str:
        return f"{(lon - box.west) * scale * per_degree:.1f} {(box.north - lat) * per_degree:.1f}"

    shapes = [
        f'<path class="outline" d="M{"L".join(at(lon, lat) for lon, lat in ring)}Z"/>'
        for ring in outline
    ]
    for finding in placed:
        x, y = at(*finding.place).split() if finding.place else ("0", "0")
        said = escape(f"{finding.rule} {finding.key or ''}: {finding.told.en} {finding.told.zh}")
        shapes.append(
            f'<circle class="{finding.severity.value}" cx="{x}" cy="{y}" r="4" '
            f'fill-opacity=".7"><title>{said}</title></circle>'
        )
    note = (
        f"{len(placed):,} of {len(findings):,} kept findings have a place; "
        f"{box.west:.4f}, {box.south:.4f} to {box.east:.4f}, {box.north:.4f}, EPSG:4490. "
        f"有位置的 {len(placed):,} 条,共保留 {len(findings):,} 条。"
    )
    return (
        f'<h2>Map · 地图</h2>\n<svg viewBox="0 0 {_WIDTH_PX} {height:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(shapes)}</svg>\n<p class="note">{note}</p>'
    )


def _box(places: Sequence[tuple[float, float]], extent: BBox) -> BBox:
    """The box of the places with a margin around it; the extent where there are none."""
    if not places:
        return extent
    lons, lats = [place[0] for place in places], [place[1] for place in places]
    margin = max(max(lons) - min(lons), max(lats) - min(lats), _LEAST_DEGREES) * 0.1
    return BBox(min(lons) - margin, min(lats) - margin, max(lons) + margin, max(lats) + margin)


def _lists(report: LoadReport) -> Iterator[str]:
    by_rule: dict[str, list[Finding]] = {}
    for finding in report.findings.kept:
        by_rule.setdefault(finding.rule, []).append(finding)
    for rule_id, count in report.findings.counts.most_common():
        rule, found = find_rule(rule_id), by_rule.get(rule_id, [])[:_LISTED]
        yield f'<h2 id="{escape(rule_id)}">{escape(f"{rule.title.en} · {rule.title.zh}")}</h2>'
        yield (
            f'<p class="note">{escape(rule_id)} · {escape(rule.source)} · '
            f"{len(found):,} of {count:,} shown · 显示 {len(found):,} / {count:,} 条</p>"
        )
        yield _table(("row", "key", "place", "sentence", "说明"), [_row(one) for one in found])


def _row(finding: Finding) -> tuple[str, ...]:
    place = finding.place
    told = finding.told
    return (
        "" if finding.row is None else str(finding.row),
        finding.key or "",
        f"{place[0]:.6f} {place[1]:.6f}" if place else "",
        told.en,
        told.zh,
    )


def _checks(report: LoadReport) -> str:
    if not report.checks:
        return ""
    rows = [
        (check.name, f"{check.seconds:.2f}", f"{check.found:,}", check.note)
        for check in report.checks
    ]
    return "<h2>Checks · 检查</h2>\n" + _table(("check", "seconds", "found", "note"), rows)


class _Markup(str):
    """HTML of ours in a cell; any other text is escaped."""

    __slots__ = ()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = (
        "<tr>"
        + "".join(f"<td>{cell if isinstance(cell, _Markup) else escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"
