"""The table of least separations, as data: shipped with the service, replaceable by the operator.

The shipped one is of an older lineage and is not verified, and every answer says so. A city loads
the table of the standard in force as a file of the same form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from layers.codes import PIPE_CATEGORIES

if TYPE_CHECKING:
    from layers.separation.bodies import Body

Metres = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1, max_length=500)]
_LARGEST_FILE_BYTES = 1_000_000


class Measure(StrEnum):
    """What a rule is about: the distance in plan, or in height where pipes cross."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PipeClass(_Part):
    """Pipes that the table treats alike: of a category, and of burials or pressures if it says."""

    name: _Text
    title: _Text
    category: str
    burials: tuple[str, ...] = ()
    pressures: tuple[str, ...] = ()


class Rule(_Part):
    """The least distance between pipes of two sets of classes, in either order.

    Attributes:
        up_to_mm: Only where the larger diameter is at most this; ``above_mm``: is above it.
    """

    clause: _Text
    a: tuple[str, ...]
    b: tuple[str, ...]
    required_m: Metres
    up_to_mm: float | None = None
    above_mm: float | None = None
    note: str | None = None

    def fits(self, one: Body, other: Body) -> bool:
        """Whether the sizes meet its condition, or may: unknown ones always do."""
        sizes = (one.largest_side_mm, other.largest_side_mm)
        largest = max((size for size in sizes if size), default=None)
        if self.above_mm is not None and None not in sizes:
            return largest is not None and largest > self.above_mm
        if self.up_to_mm is not None and largest is not None:
            return largest <= self.up_to_mm
        return True


class Requirement(_Part):
    """What the table asks of two pipes.

    Attributes:
        is_strictest: Whether it is the strictest of several that may be meant, as too little is
            known of the pipes to tell.
    """

    rule: Rule
    is_strictest: bool


class SeparationTable(_Part):
    """A table of least separations, metres between outer faces.

    Attributes:
        verified: Whether somebody has compared it with the standard that it is said to be of.
        exempt_burials: Pipes laid in these ways are not judged, such as those overhead.
        strips_m: Beside a pipe, by category, in which digging endangers it.
        uncertainty_m: By which a recorded position may be off, by its data source.
        unknown_uncertainty_m: The same where the data source is not known.
    """

    name: _Text
    source: _Text
    edition: _Text
    verified: bool
    exempt_burials: tuple[str, ...] = ()
    classes: Annotated[tuple[PipeClass, ...], Field(min_length=1, max_length=200)]
    horizontal: Annotated[tuple[Rule, ...], Field(max_length=2_000)]
    vertical: Annotated[tuple[Rule, ...], Field(max_length=2_000)]
    strips_m: dict[str, Metres]
    uncertainty_m: dict[str, Metres]
    unknown_uncertainty_m: Metres

    @model_validator(mode="after")
    def _is_of_known_classes(self) -> Self:
        categories = {code.code for code in PIPE_CATEGORIES.codes}
        if unknown := {one.category for one in self.classes} - categories:
            message = f"classes are of unknown categories: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        if missing := categories - set(self.strips_m):
            message = f"strips_m lacks {', '.join(sorted(missing))}"
            raise ValueError(message)
        names = {one.name for one in self.classes}
        for rule in (*self.horizontal, *self.vertical):
            if unknown := {*rule.a, *rule.b} - names:
                message = f"{rule.clause} names unknown classes: {', '.join(sorted(unknown))}"
                raise ValueError(message)
        return self

    @classmethod
    def shipped(cls) -> Self:
        """The table that comes with the service."""
        text = files("layers").joinpath("separation", "standard.json").read_bytes()
        return cls.model_validate_json(text)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The table of a JSON file of the operator.

        Raises:
            ValueError: it cannot be read, or is no such table; the text says where.
        """
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST_FILE_BYTES + 1)
        except OSError as error:
            message = "cannot be read"
            raise ValueError(message) from error
        if len(text) > _LARGEST_FILE_BYTES:
            message = f"has more than {_LARGEST_FILE_BYTES:,} bytes"
            raise ValueError(message)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "table"
            message = f"{place}: {first['msg'].removeprefix('Value error, ')}"
            raise ValueError(message) from None

    @property
    def named(self) -> Mapping[str, Any]:
        """What every answer says of the table it was made with."""
        return {
            "name": self.name,
            "source": self.source,
            "edition": self.edition,
            "verified": self.verified,
        }

    @cached_property
    def reach_m(self) -> float:
        """Beyond this distance between outer faces no rule is breached."""
        return max((rule.required_m for rule in self.horizontal), default=0.0)

    def classes_of(self, pipe: Body) -> tuple[str, ...]:
        """The classes that a pipe may be of; one if enough is known, none if there is none."""
        found: Sequence[PipeClass] = [
            one for one in self.classes if one.category == pipe["category"]
        ]
        found = [one for one in found if pipe["burial"] in one.burials] or found
        if pressure := (pipe["pressure"] or "").strip():
            found = [one for one in found if pressure.startswith(one.pressures)] or found
        return tuple(one.name for one in found)

    def requirement(self, measure: Measure, one: Body, other: Body) -> Requirement | None:
        """What is asked of two pipes, in whichever order they come; None if nothing is.

        Where a pipe may be of several classes, the strictest rule counts.
        """
        rules = {
            number: rule
            for pair in product(self.classes_of(one), self.classes_of(other))
            for number, rule in self._by_pair[measure].get(_unordered(*pair), ())
            if rule.fits(one, other)
        }
        if not rules:
            return None
        strictest = max(rules, key=lambda number: (rules[number].required_m, -number))
        several = len({rule.required_m for rule in rules.values()}) > 1
        return Requirement(rule=rules[strictest], is_strictest=several)

    def is_exempt(self, pipe: Body) -> bool:
        """Whether a pipe is laid in a way that the table does not judge."""
        return pipe["burial"] in self.exempt_burials

    def strip_m(self, category: str | None) -> float:
        """The strip beside a pipe; the widest where its category is not known."""
        widest = max(self.strips_m.values())
        return self.strips_m.get(category or "", widest)

    def uncertainty_of(self, data_source: str | None) -> float:
        """By how many metres a recorded position may be off."""
        return self.uncertainty_m.get(data_source or "", self.unknown_uncertainty_m)

    @cached_property
    def _by_pair(self) -> Mapping[Measure, Mapping[tuple[str, str], list[tuple[int, Rule]]]]:
        return {
            Measure.HORIZONTAL: _rules_by_pair(self.horizontal),
            Measure.VERTICAL: _rules_by_pair(self.vertical),
        }


def _rules_by_pair(rules: Sequence[Rule]) -> Mapping[tuple[str, str], list[tuple[int, Rule]]]:
    found: dict[tuple[str, str], list[tuple[int, Rule]]] = defaultdict(list)
    for number, rule in enumerate(rules):
        for pair in set(_pairs_of(rule)):
            found[pair].append((number, rule))
    return found


def _pairs_of(rule: Rule) -> Iterator[tuple[str, str]]:
    return (_unordered(*pair) for pair in product(rule.a, rule.b))


def _unordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)
