"""Any sequence of loads, corrections and undos against a plain model in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from layers.access import Clearance
from layers.claims import Claim
from layers.errors import CannotUndo
from layers.extent import TimeInterval
from layers.features import FeatureQuery, select_features
from layers.registry import get_layer
from layers.roles import Role
from layers.undo import undo_load
from tests.support import City, parcel, publish_rows, stage_rows

YEARS = [datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2005, 2010, 2015, 2100)]
KEYS = ("A", "B", "C")
TICK = timedelta(microseconds=1)
Content = tuple[str, int]
"""Address and place of a parcel."""


@dataclass(frozen=True)
class Piece:
    """A version in the model: half open, without an end where ``end`` is None."""

    start: datetime
    end: datetime | None
    content: Content

    def holds(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)


Held = Mapping[str, tuple[Piece, ...]]


@dataclass(frozen=True)
class Load:
    """One step: rows by key, and what they claim; or the undoing of an earlier step."""

    rows: Mapping[str, Content] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    is_correction: bool = False
    is_complete: bool = False
    undoes: int | None = None


class Model:
    """What must be believed after each step."""

    def __init__(self) -> None:
        self.states: list[tuple[datetime, Held]] = []
        self.now: Held = dict.fromkeys(KEYS, ())
        self.undone_by: list[tuple[int, int]] = []

    def apply(self, load: Load, recorded_at: datetime) -> None:
        held = dict(self.now)
        for key, content in load.rows.items():
            held[key] = self._asserted(held[key], content, load, recorded_at)
        if load.is_complete:
            for key in set(KEYS) - load.rows.keys():
                held[key] = self._vanished(held[key], load, recorded_at)
        self._remember(held, recorded_at)

    def may_undo(self, step: int) -> bool:
        before, after = self._around(step)
        touched = [key for key in KEYS if before[key] != after[key]]
        if self._is_undone(step):
            # Though the same may have been loaded again since.
            return False
        return bool(touched) and all(self.now[key] == after[key] for key in touched)

    def _is_undone(self, step: int) -> bool:
        return any(
            undone == step and not self._is_undone(undoing) for undone, undoing in self.undone_by
        )

    def undo(self, step: int, recorded_at: datetime) -> None:
        before, after = self._around(step)
        held = {key: before[key] if before[key] != after[key] else self.now[key] for key in KEYS}
        self.undone_by.append((step, len(self.states)))
        self._remember(held, recorded_at)

    def believed(self, as_recorded: datetime, at: datetime) -> dict[str, Content]:
        held: Held = dict.fromkeys(KEYS, ())
        for recorded_at, state in self.states:
            if recorded_at <= as_recorded:
                held = state
        return {
            key: piece.content
            for key, pieces in held.items()
            for piece in pieces
            if piece.holds(at)
        }

    def _remember(self, held: Held, recorded_at: datetime) -> None:
        self.now = held
        self.states.append((recorded_at, held))

    def _around(self, step: int) -> tuple[Held, Held]:
        before: Held = self.states[step - 1][1] if step else dict.fromkeys(KEYS, ())
        return before, self.states[step][1]

    @staticmethod
    def _asserted(
        pieces: tuple[Piece, ...], content: Content, load: Load, recorded_at: datetime
    ) -> tuple[Piece, ...]:
        unended = next((piece for piece in pieces if piece.end is None), None)
        since = load.since or recorded_at
        if load.is_correction:
            if load.since is None and unended is not None:
                since = unended.start
            if any(
                piece.content == content and piece.start <= since and _reaches(piece, load.until)
                for piece in pieces
            ):
                return pieces
        elif (
            unended is not None
            and unended.content == content
            and (load.since is None or unended.start <= load.since)
        ):
            return pieces
        return _order([*_outside(pieces, since, load.until), Piece(since, load.until, content)])

    @staticmethod
    def _vanished(
        pieces: tuple[Piece, ...], load: Load, recorded_at: datetime
    ) -> tuple[Piece, ...]:
        if load.is_correction and load.since is None:
            return tuple(piece for piece in pieces if piece.end is not None)
        return _order(_outside(pieces, load.since or recorded_at, load.until))


def _reaches(piece: Piece, until: datetime | None) -> bool:
    return piece.end is None or (until is not None and until <= piece.end)


def _outside(pieces: Sequence[Piece], since: datetime, until: datetime | None) -> list[Piece]:
    left = []
    for piece in pieces:
        if piece.end is not None and piece.end <= since:
            left.append(piece)
            continue
        if until is not None and piece.start >= until:
            left.append(piece)
            continue
        if piece.start < since:
            left.append(Piece(piece.start, since, piece.content))
        if until is not None and (piece.end is None or piece.end > until):
            left.append(Piece(until, piece.end, piece.content))
    return left


def _order(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    return tuple(sorted(pieces, key=lambda piece: piece.start))


contents = st.tuples(st.sampled_from("甲乙"), st.integers(0, 1))
rows = st.dictionaries(st.sampled_from(KEYS), contents, max_size=3)


@st.composite
def loads(draw: Callable[..., Any], step: int) -> Load:
    if step and draw(st.integers(0, 3)) == 0:
        return Load(undoes=draw(st.integers(0, step - 1)))
    since = draw(st.none() | st.sampled_from(YEARS))
    is_correction = draw(st.booleans())
    until = None
    if is_correction and since is not None and since < YEARS[-1]:
        until = draw(st.none() | st.sampled_from([year for year in YEARS if year > since]))
    return Load(draw(rows), since, until, is_correction, draw(st.booleans()))


@st.composite
def histories(draw: Callable[..., Any]) -> list[Load]:
    return [draw(loads(step)) for step in range(draw(st.integers(1, 6)))]


@given(history=histories())
@settings(max_examples=40)
def test_every_instant_of_both_times_is_as_in_the_model(city: City, history: list[Load]) -> None:
    model = Model()
    with city.address.connect(Role.OWNER) as connection:
        numbers: list[int] = []
        for load in history:
            _step(connection, model, numbers, load)

        _compare(connection, model)
        connection.rollback()


def _step(connection: Connection, model: Model, numbers: list[int], load: Load) -> None:
    if load.undoes is None:
        staged = [parcel(key, 114 + at, 22.5, address=a) for key, (a, at) in load.rows.items()]
        number = stage_rows(connection, "parcels", staged)
        claim = Claim(
            load.since,
            load.until,
            is_correction=load.is_correction,
            is_complete=load.is_complete,
        )
        done = publish_rows(connection, "parcels", claim=claim, load_id=number)
        model.apply(load, done.recorded_at)
        numbers.append(number)
        return
    if load.undoes >= len(numbers):
        return
    if not model.may_undo(load.undoes):
        with pytest.raises(CannotUndo), connection.begin_nested():
            undo_load(connection, numbers[load.undoes])
        return
    undone = undo_load(connection, numbers[load.undoes])
    model.undo(load.undoes, undone.recorded_at)
    numbers.append(undone.load_id)


def _compare(connection: Connection, model: Model) -> None:
    connection.execute(text("SET LOCAL search_path = read_public, public"))
    instants = [recorded_at for recorded_at, _ in model.states]
    recorded = [instants[0] - TICK, *instants, instants[-1] - TICK]
    valid = [instant + shift for instant in YEARS + instants for shift in (-TICK, timedelta(0))]
    for as_recorded in recorded:
        for at in valid:
            assert model.believed(as_recorded, at) == _read(connection, at, as_recorded)
    for at in valid:
        assert model.believed(instants[-1], at) == _read(connection, at, None)


def _read(connection: Connection, at: datetime, as_recorded: datetime | None) -> dict[str, Content]:
    query = FeatureQuery(TimeInterval(at, at), limit=10, as_recorded=as_recorded)
    statement = select_features(get_layer("parcels"), Clearance.PUBLIC, query)
    found = connection.execute(statement).all()
    return {row.code: (row.address, round(_west(row.geometry)) - 114) for row in found}


def _west(geometry: str) -> float:
    number: float = json.loads(geometry)["coordinates"][0][0][0][0]
    return number
