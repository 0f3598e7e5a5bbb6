"""Codes of parcels (19 characters) and of real estate units (28), taken apart and checked.

The structure is that of GB/T 37346. All characters carry a meaning and none is a check digit, so a
code is judged by its grammar only; whether the parcel exists is another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layers.base import Title

SOURCE = "GB/T 37346, structure of parcel and unit codes"
PARCEL_LENGTH, UNIT_LENGTH = 19, 28

OWNERS: Mapping[str, Title] = {
    "G": Title("State", "国家"),
    "J": Title("Collective", "集体"),
    "Z": Title("Undetermined or in dispute", "未确定或有争议"),
}
_LATER = Title("Of a later edition of the standard", "标准后续版本的特征码")
USES: Mapping[str, Title] = {
    "A": Title("Collective ownership of land", "集体土地所有权"),
    "B": Title("Construction land, on the surface", "建设用地使用权(地表)"),
    "S": Title("Construction land, above the ground", "建设用地使用权(地上)"),
    "X": Title("Construction land, below the ground", "建设用地使用权(地下)"),
    "C": Title("Homestead", "宅基地使用权"),
    "D": Title("Contracted arable land", "土地承包经营权(耕地)"),
    "E": Title("Contracted forest land", "土地承包经营权(林地)"),
    "F": Title("Contracted grassland", "土地承包经营权(草地)"),
    "H": Title("Sea area", "海域使用权"),
    "G": Title("Uninhabited island", "无居民海岛使用权"),
    "W": Title("Undetermined or in dispute", "未确定或有争议"),
    "Y": Title("Other", "其他"),
    "L": _LATER,
    "N": _LATER,
}
FIXTURES: Mapping[str, Title] = {
    "F": Title("Buildings and structures", "房屋等建筑物、构筑物"),
    "L": Title("Forest and trees", "森林、林木"),
    "Q": Title("Other fixtures", "其他类型的定着物"),
    "W": Title("No fixtures", "无定着物"),
}
_COLLECTIVE_USES = "AC"

PARCEL_PATTERN = rf"\d{{12}}[{''.join(OWNERS)}][{''.join(USES)}]\d{{5}}"
"""All of the grammar of a parcel code but that its number is not 00000."""


@dataclass(frozen=True)
class CodePart:
    """One part of a code.

    Attributes:
        name: ``county``, ``zone``, ``subzone``, ``owner``, ``use``, ``number``, ``fixture`` or
            ``unit``; the unit of buildings is ``building`` and ``door`` instead.
        begin: Position of its first character, from 1.
        value: Its characters, as many as it has.
        title: What the part is.
        meaning: What the value means; None for numbers, and for letters that mean nothing.
    """

    name: str
    begin: int
    value: str
    title: Title
    meaning: Title | None = None


@dataclass(frozen=True)
class Breach:
    """A rule that a code breaks.

    Attributes:
        rule: Name of the rule, the same that findings of a load have.
        part: Name of the part at fault.
        title: What is wrong.
    """

    rule: str
    part: str
    title: Title


@dataclass(frozen=True)
class ParcelCode:
    """A code taken apart.

    Attributes:
        code: As given, 19 or 28 characters.
        parts: In their order; together they are the code.
        breaches: Empty for a code that keeps all rules.
    """

    code: str
    parts: tuple[CodePart, ...]
    breaches: tuple[Breach, ...]

    @property
    def parcel(self) -> str:
        """The code of the parcel: the whole, or the beginning of a unit's."""
        return self.code[:PARCEL_LENGTH]

    @property
    def is_unit(self) -> bool:
        """Whether it names a unit on a parcel, not a parcel."""
        return len(self.code) == UNIT_LENGTH


_Field = tuple[str, int, Title, Mapping[str, Title] | None]
"""Name, length, title and, of a letter, its meanings."""

_PARCEL_FIELDS: tuple[_Field, ...] = (
    ("county", 6, Title("County (GB/T 2260)", "县级行政区"), None),
    ("zone", 3, Title("Cadastral zone", "地籍区"), None),
    ("subzone", 3, Title("Cadastral sub-zone", "地籍子区"), None),
    ("owner", 1, Title("Kind of ownership", "所有权类型"), OWNERS),
    ("use", 1, Title("Kind of right", "宗地特征码"), USES),
    ("number", 5, Title("Number in the sub-zone", "宗地顺序号"), None),
)
_FIXTURE: _Field = ("fixture", 1, Title("Kind of fixtures", "定着物特征码"), FIXTURES)
_UNIT: tuple[_Field, ...] = (("unit", 8, Title("Number of the unit", "定着物单元号"), None),)
_DOOR: tuple[_Field, ...] = (
    ("building", 4, Title("Number of the building", "幢号"), None),
    ("door", 4, Title("Number of the door", "户号"), None),
)


def parse_parcel_code(code: str) -> ParcelCode | None:
    """Take a code of a parcel or of a unit apart, and check it.

    Args:
        code: Any text.

    Returns:
        The parts with their meanings and every rule that is broken; None if the text has neither
        19 nor 28 characters, for then nobody can say where its parts begin.
    """
    if len(code) not in (PARCEL_LENGTH, UNIT_LENGTH):
        return None
    parts = tuple(_parts(code))
    return ParcelCode(code, parts, tuple(_breaches({part.name: part.value for part in parts})))


def _parts(code: str) -> Iterator[CodePart]:
    fields = _PARCEL_FIELDS
    if len(code) == UNIT_LENGTH:
        fields += (_FIXTURE, *(_DOOR if code[PARCEL_LENGTH] == "F" else _UNIT))
    begin = 0
    for name, length, title, meanings in fields:
        value = code[begin : begin + length]
        yield CodePart(name, begin + 1, value, title, (meanings or {}).get(value))
        begin += length


def _breaches(values: Mapping[str, str]) -> Iterator[Breach]:
    for name, value in values.items():
        rule = "parcel_code_structure" if name in _PARCEL_NAMES else "unit_code_structure"
        letters = _LETTERS.get(name)
        if letters is not None and value not in letters:
            expected = ", ".join(letters)
            yield Breach(rule, name, Title(f"not one of {expected}", f"不属于 {expected}"))
        elif letters is None and not re.fullmatch(r"[0-9]+", value):
            yield Breach(rule, name, Title("not digits only", "含有非数字字符"))
    if values["number"] == "00000":
        yield Breach("parcel_code_structure", "number", Title("begins at 00001", "应从 00001 起"))
    if values["use"] in _COLLECTIVE_USES and values["owner"] in OWNERS and values["owner"] != "J":
        title = Title("A and C belong to collective land (J) only", "A、C 仅用于集体土地(J)")
        yield Breach("parcel_code_right", "use", title)
    if values.get("fixture") == "W" and values["unit"] != "00000000":
        title = Title("without fixtures (W) it is 00000000", "无定着物(W)时应为 00000000")
        yield Breach("unit_code_fixture", "unit", title)


_PARCEL_NAMES = frozenset(name for name, *_ in _PARCEL_FIELDS)
_LETTERS: Mapping[str, Mapping[str, Title]] = {"owner": OWNERS, "use": USES, "fixture": FIXTURES}
