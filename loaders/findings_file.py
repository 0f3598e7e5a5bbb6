"""Findings of a load as a file for programs: JSON, or GeoJSON for a map."""

from __future__ import annotations

from pathlib import Path

import orjson

from layers.errors import InvalidParameter
from loaders.findings import KEPT_PER_RULE
from loaders.report import LoadReport

EXTENSIONS = (".json", ".geojson")


def write_findings(report: LoadReport, path: Path) -> None:
    """Write the counts of all findings and the first of each rule.

    Args:
        path: ``.json``, or ``.geojson``: a feature for each, without geometry where the place is
            not known (RFC 7946, longitude and latitude).

    Raises:
        InvalidParameter: another extension.
    """
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS:
        reason = f"its extension is one of {', '.join(EXTENSIONS)}"
        raise InvalidParameter("findings", path.name, reason)
    about = {
        "load_id": report.load_id,
        "layer": report.layer,
        "files": list(report.files),
        "counts": dict(report.findings.counts.most_common()),
        "kept_per_rule": KEPT_PER_RULE,
        "checks": [check.as_json() for check in report.checks],
    }
    findings = [finding.as_json() for finding in report.findings.kept]
    if suffix == ".geojson":
        features = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": place} if place else None,
                "properties": finding,
            }
            for finding in findings
            for place in (finding.pop("place"),)
        ]
        document = {"type": "FeatureCollection", **about, "features": features}
    else:
        document = {**about, "findings": findings}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str))
