"""What nodes and kinds mean to a network: words of survey tables (CJJ 61-2017, annexes B and F).

Rain and sewage are drained by networks of their own, which meet where both flow together.
"""

from __future__ import annotations

from layers.codes import CATEGORY_OF_KIND

VALVES = (
    "阀门", "闸阀", "蝶阀", "球阀", "截止阀", "阀门井", "分段阀", "总阀", "开关", "闸门",
)  # fmt: skip
SOURCES = (
    "水源", "水厂", "水池", "水塔", "蓄水池", "水源井", "门站", "储配站", "调压站", "气源",
    "热源", "热源厂", "热力站", "变电站", "变电所", "电厂", "机房",
)  # fmt: skip
PUMPS = ("泵站", "水泵", "加压站", "提升泵站", "雨水泵站", "污水泵站")

DRAINAGE = "PS"
ABANDONED = "1"
_DRAINED_TOGETHER = {
    "YS": ("YS", "HS"),
    "WS": ("WS", "HS"),
    "HS": ("HS", "YS", "WS"),
    "PS": ("PS", "YS", "WS", "HS"),
}


def network_kinds(kind: str) -> tuple[str, ...]:
    """The kinds of the network that a segment of a kind belongs to, in order.

    Raises:
        KeyError: there is no such kind.
    """
    category = CATEGORY_OF_KIND[kind]
    if category == DRAINAGE:
        return tuple(sorted(_DRAINED_TOGETHER[kind]))
    return tuple(sorted(code for code, of in CATEGORY_OF_KIND.items() if of == category))
