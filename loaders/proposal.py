"""Which columns of a file may fill which attributes, how surely, and why.

A load takes columns by their exact names and aliases only; here names that are merely alike and
what the values look like count as well, for a person to look at. Confidence is from 0 to 1: that of
the name, lowered where values do not fit, raised where they could hardly be anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import islice

import pyarrow as pa

from layers.base import Attribute, AttributeType, CodeList, Layer
from loaders.columns import Forms
from loaders.convert import NULL_WORDS, convert
from loaders.dates import DATE_FORMS, DateForm
from loaders.inference import MAX_CODES
from loaders.inspection import Inspection
from loaders.mapping import Mapping as ColumnMapping
from loaders.mapping import normal_name
from loaders.measures import divide_sections
from loaders.names import rate_name
from loaders.quantities import UNITS, unit_in_name

SURE = 0.5
"""Confidence from which a column is proposed; below it is only hinted at."""

_HINT = 0.3
_ALIKE_WORD = 0.8
_FITS = 0.95
_WORDS_LOOKED_AT = 2000
_WORDS_MAPPED = 60


@dataclass(frozen=True)
class Match:
    """A column that may fill an attribute.

    Attributes:
        confidence: 0 to 1.
        reasons: Why, for people.
        fitting: Share of the rows with a value whose value fits, 0 to 1.
        values: Text in the file to code meant, for a coded attribute.
        unit: Of bare numbers, where it is not that of the attribute.
        dates: Form of the days, where it is not the usual one.
        warnings: What a person has to look at.
    """

    attribute: str
    column: str
    confidence: float
    reasons: tuple[str, ...]
    fitting: float
    values: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    dates: DateForm | None = None
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """A plain dictionary."""
        return {
            "attribute": self.attribute,
            "column": self.column,
            "confidence": round(self.confidence, 2),
            "reasons": list(self.reasons),
            "fitting": round(self.fitting, 4),
            "values": dict(self.values),
            "unit": self.unit,
            "dates": self.dates,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Proposal:
    """How a file may fill a layer.

    Attributes:
        score: 0 to 1; how well the file fits, for comparing layers.
        matches: Proposed, in the order of the layer's attributes.
        hints: Columns that are less likely, or that another attribute has taken.
        unfilled: Attributes without a column.
        unused: Columns that fill nothing.
        key: Attributes that would identify a feature; none if it would be derived.
    """

    layer: Layer
    score: float
    matches: tuple[Match, ...]
    hints: tuple[Match, ...]
    unfilled: tuple[str, ...]
    unused: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def mapping(self) -> ColumnMapping:
        """The mapping that ``geoservice load`` would take."""
        return ColumnMapping(
            columns={m.attribute: m.column for m in self.matches},
            values={m.attribute: m.values for m in self.matches if m.values},
            units={m.attribute: m.unit for m in self.matches if m.unit},
            dates={m.attribute: m.dates for m in self.matches if m.dates},
        )

    def as_json(self) -> dict[str, object]:
        """Plain dictionaries and lists."""
        return {
            "layer": self.layer.name,
            "score": round(self.score, 2),
            "matches": [match.as_json() for match in self.matches],
            "hints": [match.as_json() for match in self.hints],
            "unfilled": list(self.unfilled),
            "unused": list(self.unused),
            "key": list(self.key),
            "mapping": self.mapping.as_json(),
        }


def propose(found: Inspection, layers: Sequence[Layer]) -> tuple[Proposal, ...]:
    """Proposals for those layers that the file may fill at all, the best one first."""
    proposals = [propose_for(found, layer) for layer in layers]
    fitting = [one for one in proposals if one.score > 0]
    return tuple(sorted(fitting, key=lambda one: -one.score))


def propose_for(found: Inspection, layer: Layer) -> Proposal:
    """How a file may fill a layer, whether it fits or not."""
    free = [a for a in layer.attributes if a.derived is None]
    positions = found.coordinates.columns if found.coordinates else ()
    columns = [c.name for c in found.columns if c.name not in positions]
    rated = [_rated(attribute, column, found) for attribute in free for column in columns]
    ranked = sorted((m for m in rated if m is not None), key=lambda m: -m.confidence)
    matches, hints = _one_each(ranked)
    filled = {match.attribute for match in matches}
    used = {match.column for match in matches}
    key = next((names for names in layer.natural_keys if filled.issuperset(names)), ())
    order = [attribute.name for attribute in free]
    return Proposal(
        layer,
        _score(found, layer, matches, len(columns), has_key=bool(key)),
        tuple(sorted(matches, key=lambda m: order.index(m.attribute))),
        hints,
        tuple(name for name in order if name not in filled),
        tuple(column for column in columns if column not in used),
        key,
    )


def _one_each(ranked: Sequence[Match]) -> tuple[list[Match], tuple[Match, ...]]:
    """Each attribute and each column once, the surest pairs first; and what was left."""
    matches: list[Match] = []
    hints: list[Match] = []
    attributes: set[str] = set()
    columns: set[str] = set()
    for match in ranked:
        taken = match.attribute in attributes or match.column in columns
        if taken or match.confidence < SURE:
            hints.append(match)
            continue
        matches.append(match)
        attributes.add(match.attribute)
        columns.add(match.column)
    return matches, tuple(m for m in hints if m.attribute not in attributes)


def _score(
    found: Inspection, layer: Layer, matches: Sequence[Match], columns: int, *, has_key: bool
) -> float:
    filled = {match.attribute for match in matches}
    if any(a.required and a.name not in filled for a in layer.attributes):
        return 0.0
    ends = layer.end_nodes
    has_ends = ends is not None and filled.issuperset((ends.start, ends.end))
    if found.dimensions:
        if layer.geometry_type.dimension not in found.dimensions:
            return 0.0
    elif not has_ends:
        return 0.0
    share = sum(match.confidence for match in matches) / max(columns, 1)
    return min(0.1 + 0.7 * share + 0.2 * has_key, 1.0)


def _rated(attribute: Attribute, column: str, found: Inspection) -> Match | None:
    """How likely a column fills an attribute; None where nothing speaks for it."""
    confidence, reason = rate_name(attribute, column, found.cut_encoding)
    words = dict(islice(found.words.get(column, {}).items(), _WORDS_LOOKED_AT))
    if confidence == 0 and not _is_telling(attribute, words):
        return None
    match = _with_values(Match(attribute.name, column, confidence, (), 1.0), attribute, words)
    match = _with_confidence(match, attribute, words, reason)
    return match if match.confidence >= _HINT else None


def _is_telling(attribute: Attribute, words: Mapping[str, int]) -> bool:
    """Whether values alone may show that a column is of an attribute."""
    if attribute.codes is None:
        return attribute.pattern is not None
    few = list(words)[: MAX_CODES + 1]
    known = sum(word.casefold() in attribute.codes.by_word for word in few)
    return len(few) <= MAX_CODES and known >= 0.5 * len(few) > 0


def _with_values(match: Match, attribute: Attribute, words: Mapping[str, int]) -> Match:
    """The match with what makes its values fit: codes meant, a unit, a form of days."""
    if attribute.codes is not None:
        match = replace(match, values=_meanings(attribute.codes, words))
    fitting = {
        forms: _share(attribute, words, forms, match.values) for forms in _ways(attribute, match)
    }
    best = max(fitting.values(), default=1.0)
    usual = next(iter(fitting))
    if best < _FITS or fitting[usual] >= best:
        return replace(match, fitting=fitting[usual])
    good = [forms for forms, share in fitting.items() if share == best]
    unit, dates = good[0].unit, good[0].dates
    others = ", ".join(str(f.unit.name if f.unit else f.dates) for f in good[1:])
    return replace(
        match,
        fitting=best,
        unit=unit.name if unit else None,
        dates=dates if dates != "ymd" else None,
        warnings=(f"it could also be: {others}",) if others else (),
    )


def _ways(attribute: Attribute, match: Match) -> Iterator[Forms]:
    """In which the values may be written, the usual one first."""
    own = UNITS.get(attribute.unit or "")
    named = unit_in_name(match.column)[1]
    if named is not None and own is not None and named.dimension == own.dimension:
        yield Forms(unit=named)
        return
    yield Forms()
    if attribute.type in (AttributeType.DATE, AttributeType.TIMESTAMP):
        yield from (Forms(dates=form) for form in DATE_FORMS if form != "ymd")
    elif own is not None and own.dimension == "length":
        yield from (Forms(unit=UNITS[name]) for name in ("m", "cm", "mm") if name != own.name)


def _share(
    attribute: Attribute, words: Mapping[str, int], forms: Forms, values: Mapping[str, str]
) -> float:
    """Share of the values, each counted as often as it comes, that an attribute can take."""
    filled = {word: count for word, count in words.items() if word.casefold() not in NULL_WORDS}
    if not filled:
        return 1.0
    column = pa.array(list(filled), pa.string())
    bad: set[int] = set()
    if attribute.section is not None:
        divided = divide_sections(column, attribute, forms)
        column, bad = divided.rest, set(divided.problems)
    bad |= set(convert(column, attribute, replacements=values, forms=forms).problems)
    counts = list(filled.values())
    return 1 - sum(counts[at] for at in bad) / sum(counts)


def _meanings(codes: CodeList, words: Mapping[str, int]) -> dict[str, str]:
    """Texts of a file to the codes that they mean, surely or probably; not those that are codes."""
    found: dict[str, str] = {}
    for word in list(words)[:_WORDS_MAPPED]:
        if word in codes.by_code:
            continue
        code = codes.by_word.get(word.casefold()) or _alike(codes, word)
        if code is not None:
            found[word] = code
    return found


def _alike(codes: CodeList, word: str) -> str | None:
    """The one code whose title is in a text, or is like it."""
    plain = normal_name(word)
    held = [(len(w), code) for w, code in codes.by_word.items() if len(w) > 1 and w in plain]
    longest = max(held, default=(0, ""))[0]
    inside = {code for length, code in held if length == longest}
    if inside:
        return inside.pop() if len(inside) == 1 else None
    alike = get_close_matches(plain, codes.by_word, n=1, cutoff=_ALIKE_WORD)
    return codes.by_word[alike[0]] if alike else None


def _with_confidence(
    match: Match, attribute: Attribute, words: Mapping[str, int], reason: str
) -> Match:
    """The match with the confidence of its name, as its values lower or raise it."""
    reasons = [reason] if reason else []
    confidence = match.confidence * (0.4 + 0.6 * match.fitting)
    if not any(word.casefold() not in NULL_WORDS for word in words):
        return replace(match, confidence=0.9 * confidence, reasons=(*reasons, "it is empty"))
    if (evidence := _evidence(match, attribute, words)) and match.fitting >= _FITS:
        reasons.append(evidence)
        confidence = max(confidence, min(confidence + 0.25, 1.0), 0.6)
    elif match.fitting < 1:
        reasons.append(f"{1 - match.fitting:.0%} of its values do not fit")
    if match.unit:
        reasons.append(f"bare numbers fit as {match.unit}, not as {attribute.unit}")
    if match.dates:
        reasons.append(f"days fit as {match.dates}")
    return replace(match, confidence=min(confidence, 1.0), reasons=tuple(reasons))


def _evidence(match: Match, attribute: Attribute, words: Mapping[str, int]) -> str:
    """What in the values speaks for the attribute; the empty text if they could be anything."""
    if attribute.codes is not None:
        codes = attribute.codes
        known = [w for w in words if w in match.values or w.casefold() in codes.by_word]
        chinese = any(not word.isascii() or len(word) > 2 for word in known)
        telling = len(known) >= 2 and len(known) >= _FITS * len(words) and chinese
        return f"its values are those of the list {codes.name}" if telling else ""
    if attribute.pattern is not None:
        return f"its values are of the form {attribute.pattern}"
    if attribute.type is AttributeType.DATE and match.confidence:
        return "its values are days"
    if attribute.minimum is not None and attribute.maximum is not None and match.confidence:
        unit = f" {attribute.unit}" if attribute.unit else ""
        return f"its values lie in {attribute.minimum:g} to {attribute.maximum:g}{unit}"
    return ""
