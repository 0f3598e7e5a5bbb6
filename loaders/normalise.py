"""Rows of a file as rows of a layer: values, geometry, key, clearance, place and date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from layers.access import Clearance
from layers.base import AttributeType, Layer
from layers.city import BoolArray, CityFrame
from loaders.admin import AdminAreas
from loaders.checks.rows import check_rows
from loaders.columns import ARROW_TYPES
from loaders.convert import as_text, convert, derive
from loaders.findings import Finding, Findings, finding_of
from loaders.formats.stream import DEFECT, GEOMETRY
from loaders.geometry import Form, Shaped, shape
from loaders.mapping import ColumnPlan
from loaders.measures import divide_sections
from loaders.places import Place, places_of
from loaders.positions import Locator
from loaders.rules import Severity, Thresholds

Z_SOURCE = "z_source"
"""Attribute that says where the heights of a geometry come from; filled here if no column does."""

_KEY_DECIMALS = 9
"""Decimals of a degree that count in a derived key: 0.1 mm, so that a last bit does not."""


RowNumbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be a feature.

    Attributes:
        original: JSON of the row's columns as read.
        place: Longitude and latitude, EPSG:4490, degrees, where the row has a position in the city.
    """

    row_number: int
    natural_key: str | None
    reasons: tuple[str, ...]
    original: bytes
    clearance: int
    place: Place | None = None


@dataclass(frozen=True)
class Normalised:
    """A batch divided: rows to stage, in the columns of ``staged_schema``, and rows rejected.

    Attributes:
        warnings: What was found at accepted rows; the first of each rule.
        warning_counts: How many accepted rows breach each rule.
        is_clean: Shape (accepted rows,): whether nothing was found of a row.
        known: How many more rows there were that are held as they are.
    """

    accepted: pa.RecordBatch
    rejected: Sequence[Rejected]
    warnings: Sequence[Finding] = ()
    warning_counts: Mapping[str, int] = field(default_factory=dict)
    is_clean: BoolArray = field(default_factory=lambda: np.zeros(0, bool))
    known: int = 0

    def with_faults(self, faults: Sequence[str], clearance: int) -> Normalised:
        """The same with what is wrong with the header of the file."""
        found = [
            finding_of(fault, severity=Severity.WARNING, row=None, key=None, clearance=clearance)
            for fault in faults
        ]
        counts = Counter(self.warning_counts) + Counter(finding.rule for finding in found)
        return replace(self, warnings=[*found, *self.warnings], warning_counts=counts)

    @property
    def repaired(self) -> int:
        """How many of the accepted rows had a geometry that was repaired."""
        return self.warning_counts.get("repaired_geometry", 0)


def staged_schema(layer: Layer) -> pa.Schema:
    """Columns of a staging table, in order."""
    return pa.schema(
        [
            ("row_number", pa.int64()),
            ("natural_key", pa.string()),
            ("key_derived", pa.bool_()),
            *((a.column, ARROW_TYPES[a.type]) for a in layer.attributes),
            ("admin_code", pa.string()),
            ("clearance", pa.int16()),
            ("valid_from", pa.timestamp("us", "UTC")),
            ("geom", pa.binary()),
        ]
    )


@dataclass(frozen=True)
class Normaliser:
    """Everything that turns batches of one data set into rows of one layer.

    Attributes:
        strict: Rules of rows whose breach rejects the row although it need not.
    """

    layer: Layer
    plan: ColumnPlan
    locator: Locator
    city: CityFrame
    areas: AdminAreas | None
    thresholds: Thresholds = field(default_factory=Thresholds)
    strict: frozenset[str] = frozenset()

    def normalise(self, batch: pa.RecordBatch, numbers: RowNumbers) -> Normalised:
        """Divide a batch into rows to stage and rows rejected.

        Args:
            batch: As ``reader.Features`` gives it.
            numbers: Shape (rows,): number of each row within the load, counted from 1.
        """
        findings = Findings(batch.num_rows, self.strict)
        _find_defects(batch.column(DEFECT), findings)
        values = self._values(batch, findings)
        located = self.locator.locate(batch, self.layer.geometry_type, findings)
        shaped = self._shaped(located, values, findings)
        check_rows(self.layer, values, self.plan.columns, self.thresholds, findings)
        keys = self._keys(batch, values)
        clearances = self._clearances(values, batch.num_rows)
        told = _Told(numbers, keys, clearances, located, self.locator, self.city)
        rejected = _reject(batch, findings, told)
        columns = [
            pa.array(numbers),
            *_with_derived_keys(keys, shaped),
            *(values[a.name] for a in self.layer.attributes),
            self._admin_codes(shaped),
            clearances,
            self._valid_from(values, batch.num_rows),
            shaped.as_ewkb(),
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=staged_schema(self.layer))
        accepted = rows.filter(pa.array(~findings.bad)) if rejected else rows
        is_clean = findings.clean[~findings.bad]
        warnings, counts = _warnings(findings, told), findings.warning_counts()
        return Normalised(accepted, rejected, warnings, counts, is_clean)

    def _values(self, batch: pa.RecordBatch, findings: Findings) -> dict[str, pa.Array]:
        values: dict[str, pa.Array] = {}
        sections: dict[str, pa.Array] = {}
        for attribute in self.layer.attributes:
            if attribute.derived is not None:
                values[attribute.name] = derive(values[attribute.derived.attribute], attribute)
                continue
            column, forms = self._column(batch, attribute.name), self.plan.forms_of(attribute.name)
            meant = self.plan.values.get(attribute.name, {})
            if attribute.section is not None:
                divided = divide_sections(column, attribute, forms, meant)
                column, sections[attribute.section] = divided.rest, divided.sections
                findings.add_all(divided.problems)
            converted = convert(
                column,
                attribute,
                replacements=meant,
                time_zone=self.city.time_zone,
                forms=forms,
            )
            values[attribute.name] = converted.values
            findings.add_all(converted.problems)
        for name, found in sections.items():
            _find_contradictions(name, values[name], found, findings)
            values[name] = pc.coalesce(values[name], found)
        return values

    def _column(self, batch: pa.RecordBatch, attribute: str) -> pa.Array:
        if attribute in self.plan.constants:
            return pa.repeat(self.plan.constants[attribute], batch.num_rows)
        if attribute in self.plan.columns:
            return batch.column(self.plan.columns[attribute])
        return pa.nulls(batch.num_rows, pa.string())

    def _shaped(self, located: Form, values: dict[str, pa.Array], findings: Findings) -> Shaped:
        """The geometries; ``z_source`` of the values says where their heights come from."""
        geometry_type = self.layer.geometry_type
        shaped = shape(located, geometry_type, self.locator.operation, self.city, findings)
        absent = shaped.missing & ~findings.bad & ~self._has_ends(values)
        for row in np.flatnonzero(absent).tolist():
            findings.add(row, "no_geometry")
        has_z = shaped.has_z
        from_survey = np.zeros(len(has_z), bool)
        if "ground_elevation_m" in values and geometry_type.has_z:
            ground = _numbers(values["ground_elevation_m"])
            from_survey = ~has_z & np.isfinite(ground)
            shaped = shaped.raised(np.where(from_survey, ground, np.nan))
        if Z_SOURCE in values:
            words = np.select([has_z, from_survey], ["file", "surveyed"], "unknown")
            values[Z_SOURCE] = pc.coalesce(values[Z_SOURCE], pa.array(words, pa.string()))
        return shaped

    def _has_ends(self, values: dict[str, pa.Array]) -> BoolArray:
        """Whether the geometry can be made of two nodes later."""
        ends = self.layer.end_nodes
        if ends is None:
            return np.zeros(1, bool)
        known = pc.and_(values[ends.start].is_valid(), values[ends.end].is_valid())
        return np.asarray(known.to_numpy(zero_copy_only=False))

    def _keys(self, batch: pa.RecordBatch, values: dict[str, pa.Array]) -> pa.Array:
        """Natural keys; null where one of their parts is."""
        parts = [as_text(values[name]) for name in self.plan.key_attributes]
        parts += [pc.utf8_trim_whitespace(as_text(batch.column(c))) for c in self.plan.key_columns]
        if not parts:
            return pa.nulls(batch.num_rows, pa.string())
        keys = pc.binary_join_element_wise(*parts, "-") if len(parts) > 1 else parts[0]
        return pc.if_else(pc.equal(keys, ""), None, keys)

    def _clearances(self, values: dict[str, pa.Array], rows: int) -> pa.Array:
        rule = self.layer.row_clearance
        if rule is None:
            return pa.repeat(pa.scalar(int(self.layer.clearance), pa.int16()), rows)
        encoded = values[rule.attribute].dictionary_encode()
        levels = [int(rule.of(code)) for code in encoded.dictionary.to_pylist()]
        known = pa.array(levels, pa.int16()).take(encoded.indices)
        return known.fill_null(int(max(rule.default, self.layer.clearance)))

    def _admin_codes(self, shaped: Shaped) -> pa.Array:
        if self.areas is None:
            return pa.nulls(len(shaped.has_z), pa.string())
        return self.areas.codes(shaped.inner_positions())

    def _valid_from(self, values: dict[str, pa.Array], rows: int) -> pa.Array:
        """Midnight in the city of the day from which a new feature holds."""
        kind = pa.timestamp("us", "UTC")
        attribute = self.layer.valid_from
        if attribute is None:
            return pa.nulls(rows, kind)
        if self.layer.attribute[attribute].type is not AttributeType.DATE:
            return values[attribute].cast(kind)
        midnight = values[attribute].cast(pa.timestamp("us"))
        local = pc.assume_timezone(
            midnight, self.city.time_zone, ambiguous="earliest", nonexistent="latest"
        )
        return local.cast(kind)


def _find_contradictions(
    attribute: str, given: pa.Array, found: pa.Array, findings: Findings
) -> None:
    """Find the rows in which two columns give an attribute different values."""
    differ = pc.fill_null(pc.not_equal(given, found), fill_value=False)
    for row in np.flatnonzero(differ.to_numpy(zero_copy_only=False)).tolist():
        both = f"{given[row].as_py()!r} and {found[row].as_py()!r}"
        findings.add(row, f"contradiction: {attribute}={both}")


def _find_defects(column: pa.Array, findings: Findings) -> None:
    if column.null_count < len(column):
        for row, defect in enumerate(column.to_pylist()):
            if defect is not None:
                findings.add(row, f"malformed_row: {defect}")


def _numbers(column: pa.Array) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(column.fill_null(np.nan).to_numpy(zero_copy_only=False))


def _with_derived_keys(keys: pa.Array, shaped: Shaped) -> tuple[pa.Array, pa.Array]:
    """Keys without gaps, and which of them are derived from the geometry.

    A derived key ends in ``#1``; the ordinal of equal ones is counted when all rows are staged.
    """
    derived = keys.is_null()
    if not keys.null_count:
        return keys, derived
    rows = np.flatnonzero(derived.to_numpy(zero_copy_only=False))
    canonical = shapely.transform(
        shapely.normalize(shaped.objects(rows)), lambda c: np.round(c, _KEY_DECIMALS)
    )
    filled = keys.to_numpy(zero_copy_only=False).copy()
    for row, wkb in zip(rows.tolist(), shapely.to_wkb(canonical), strict=True):
        filled[row] = f"{blake2b(wkb or b'', digest_size=16).hexdigest()}#1"
    return pa.array(filled, pa.string()), derived


@dataclass(frozen=True)
class _Told:
    """What findings of a batch say of its rows besides what is wrong."""

    numbers: RowNumbers
    keys: pa.Array
    clearances: pa.Array
    located: Form
    locator: Locator
    city: CityFrame

    def of(self, rows: Sequence[int]) -> list[tuple[int, str | None, int, Place | None]]:
        """Number, key, clearance and place of some rows of the batch."""
        wanted = pa.array(rows, pa.int64())
        levels = self.clearances.take(wanted).to_pylist()
        places = places_of(self.located, np.asarray(rows, np.intp), self.locator, self.city)
        return [
            (
                int(self.numbers[row]),
                key,
                int(level if level is not None else Clearance.RESTRICTED),
                place,
            )
            for row, key, level, place in zip(
                rows, self.keys.take(wanted).to_pylist(), levels, places, strict=True
            )
        ]


def _reject(batch: pa.RecordBatch, findings: Findings, told: _Told) -> list[Rejected]:
    rows = sorted(findings.reasons)
    if not rows:
        return []
    originals = originals_of(batch, rows)
    return [
        Rejected(number, key, tuple(findings.reasons[row]), original, clearance, place)
        for row, original, (number, key, clearance, place) in zip(
            rows, originals, told.of(rows), strict=True
        )
    ]


def _warnings(findings: Findings, told: _Told) -> list[Finding]:
    found: list[Finding] = []
    for rule, details in findings.warnings.items():
        rows = [row for row in sorted(details) if not findings.bad[row]]
        for row, (number, key, clearance, place) in zip(rows, told.of(rows), strict=True):
            found.append(
                finding_of(
                    f"{rule}: {details[row]}",
                    severity=Severity.WARNING,
                    row=number,
                    key=key,
                    clearance=clearance,
                    place=place,
                )
            )
    return found


def originals_of(batch: pa.RecordBatch, rows: Sequence[int]) -> list[bytes]:
    """JSON of rows of a batch as they were read, each geometry as WKT."""
    return [_original(row) for row in batch.take(pa.array(rows, pa.int64())).to_pylist()]


def _original(row: dict[str, Any]) -> bytes:
    wkb = row.pop(GEOMETRY)
    row.pop(DEFECT)
    if wkb:
        geometry = shapely.from_wkb(wkb, on_invalid="ignore")
        if geometry is not None:
            row.setdefault("geometry", shapely.to_wkt(geometry, rounding_precision=-1))
    text = orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS)
    return text.replace(b"\\u0000", b"")
