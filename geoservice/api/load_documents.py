"""Jobs of loading as documents, each as its reader may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geoservice.loads.preview import Preview, may_quote, shows_keys
from layers.access import Clearance
from layers.base import Layer
from layers.load_jobs import ENDED, WISHES, JobState, Wish
from tiles.tilejson import field_description

_INSTANTS = ("created_at", "heartbeat_at", "finished_at", "files_removed_at")
_MAX_PREVIEW_ZOOM = 18


def job_document(
    job: Mapping[str, Any], layer: Layer, level: Clearance, base: str
) -> dict[str, Any]:
    """One job: its state, how far it is, and what was found."""
    address = f"{base}/loads/{job['job_id']}"
    return {
        "id": job["job_id"],
        "layer": layer.name,
        "files": [{"name": f["name"], "bytes": f["bytes"]} for f in job["files"]],
        "options": job["options"],
        "state": job["state"],
        "asked": job["asked"],
        "can": [wish for wish in Wish if may_ask(job, wish)],
        "progress": {
            "step": job["step"],
            "rows_done": job["rows_done"],
            "rows_total": job["rows_total"],
        },
        "message": job["message"],
        "load_id": job["load_id"],
        **{name: job[name] for name in _INSTANTS},
        "report": _report(job["report"], layer, level),
        "result": job["result"],
        "links": _links(job, address),
    }


def may_ask(job: Mapping[str, Any], wish: Wish) -> bool:
    """Whether a job is in a state in which something can be asked of it."""
    if job["asked"] is not None and not (wish is Wish.CANCEL and job["asked"] == Wish.CONFIRM):
        return False
    return job["state"] in WISHES[wish]


def is_settled(job: Mapping[str, Any]) -> bool:
    """Whether nothing more happens to a job until somebody asks for it."""
    return job["asked"] is None and job["state"] in (*ENDED, JobState.READY)


def has_preview(job: Mapping[str, Any]) -> bool:
    """Whether the files of a job can be shown on a map now."""
    return job["preview"] is not None and job["files_removed_at"] is None


def _links(job: Mapping[str, Any], address: str) -> dict[str, str]:
    links = {"self": address, "events": f"{address}/events"}
    if has_preview(job):
        links["preview"] = f"{address}/preview.json"
    return links


_NOT_TOLD = ("findings", "finding_count", "examples", "load_id")


def _report(
    report: Mapping[str, Any] | None, layer: Layer, level: Clearance
) -> dict[str, Any] | None:
    """What the check found; of rows above the level only that they are there."""
    if report is None:
        return None
    findings = report["findings"]
    seen = [found for found in findings if found["clearance"] <= level]
    told = {k: v for k, v in report.items() if k not in _NOT_TOLD}
    return {
        **told,
        "findings": [_finding(found, layer, level) for found in seen],
        "findings_withheld": len(findings) - len(seen),
        "findings_complete": len(findings) >= report["finding_count"],
    }


def _finding(found: Mapping[str, Any], layer: Layer, level: Clearance) -> dict[str, Any]:
    is_told = may_quote(layer, level, found["details"].get("column"))
    return {
        "rule": found["rule"],
        "row": found["row"],
        "key": found["key"] if shows_keys(layer, level) else None,
        "severity": found["severity"],
        "sentence": found["sentence"] if is_told else found["title"],
        "place": found["place"],
    }


def preview_document(
    job: Mapping[str, Any], preview: Preview, layer: Layer, level: Clearance, base: str
) -> dict[str, Any]:
    """TileJSON 3.0.0 of a preview, with the proposed mapping and what the map holds."""
    bounds = preview.bounds()
    fields = {
        "row": "Number: row of the upload, from 1 行号",
        "accepted": "Boolean: whether it would be loaded 是否可入库",
        "reason": "String: why it is rejected 原因",
        "key": "String: natural key 标识",
        **{a.name: field_description(a) for a in layer.attributes_at(level)},
    }
    held = job["preview"]
    return {
        "tilejson": "3.0.0",
        "name": f"load {job['job_id']}",
        "description": f"{layer.title.en} {layer.title.zh}",
        "scheme": "xyz",
        "tiles": [f"{base}/loads/{job['job_id']}/preview/{{z}}/{{x}}/{{y}}.mvt"],
        "minzoom": 0,
        "maxzoom": _MAX_PREVIEW_ZOOM,
        "bounds": bounds.as_list() if bounds else None,
        "vector_layers": [{"id": "preview", "fields": fields}],
        "layer": layer.name,
        "mapping": [
            {"file": s["name"], "columns": s["mapping"], "unmapped": s["unmapped"]}
            for s in job["report"]["sources"]
        ],
        "on_map": preview.counts(),
        "is_sample": not held["has_all"],
        "rows": {name: job["report"][name] for name in ("read", "rejected")},
    }
