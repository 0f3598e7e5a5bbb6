"""Rules of pipe networks: points, lines, and how they fit each other.

Source of most: the checks that survey offices run on point and line tables under CJJ 61-2017.
"""

from __future__ import annotations

from layers.base import Title
from loaders.rules.base import Rule, warning

_POINTS = "Checks of point tables under CJJ 61-2017"
_LINES = "Checks of line tables under CJJ 61-2017"
_JOINT = "Joint checks of point and line tables under CJJ 61-2017"
_NETWORK = "Topology of networks"
_SURVEY_AGAIN = Title("Look it up in the field record, and correct it.", "核对外业记录并更正。")

PIPES: tuple[Rule, ...] = (
    warning(
        "feature_or_appurtenance",
        Title("Feature and appurtenance", "特征与附属物"),
        Title(
            "Exactly one of feature and appurtenance must be given; here it is {detail}.",
            "特征与附属物必须且只能填一项;此处为 {detail}。",
        ),
        Title("Fill in one of them and clear the other.", "保留一项,清空另一项。"),
        f"{_POINTS}: feature xor appurtenance",
        "pipeline_nodes",
        promotable=True,
    ),
    warning(
        "element_code_mismatch",
        Title("The element code says otherwise", "点编码与属性不一致"),
        Title(
            "Element code {value} disagrees with {against}.", "点编码 {value} 与 {against} 不一致。"
        ),
        Title("Correct the code, or what it disagrees with.", "更正编码或与其不一致的属性。"),
        f"{_POINTS}: code agrees with feature or appurtenance (Annex F)",
        "pipeline_nodes",
        promotable=True,
    ),
    warning(
        "depth_implausible",
        Title("An implausible depth", "埋深不合理"),
        Title(
            "{column} is {value} m, deeper than {limit} m.",
            "{column} 为 {value} 米,超过 {limit} 米。",
        ),
        _SURVEY_AGAIN,
        f"{_LINES}: greatest depth",
        "pipelines",
        promotable=True,
    ),
    warning(
        "depth_above_ground",
        Title("Buried above the ground", "埋深为负"),
        Title(
            "{column} is {value} m, above ground, and the burial is {burial}.",
            "{column} 为 {value} 米(高于地面),而埋设方式为 {burial}。",
        ),
        Title(
            "Correct the sign, or the burial: only overhead lines have negative depths.",
            "更正符号或埋设方式:仅架空管线埋深为负。",
        ),
        "CJJ 61-2017 C.0.2: overhead is negative",
        "pipelines",
        promotable=True,
    ),
    warning(
        "same_ends",
        Title("Start and end are one point", "起终点相同"),
        Title("Both ends are point {node}.", "起点与终点均为 {node}。"),
        Title("Correct one of the numbers.", "更正其中一个点号。"),
        f"{_LINES}: start and end differ",
        "pipelines",
    ),
    warning(
        "segment_twice",
        Title("A segment twice", "管线重复"),
        Title(
            "Segment {other} joins the same points {start} and {end}.",
            "管段 {other} 连接相同的点 {start} 与 {end}。",
        ),
        Title(
            "Remove one of the two, also where they run in opposite directions.",
            "删除其中一条(包括方向相反者)。",
        ),
        f"{_LINES}: no line twice, reversed ones included",
        "pipelines",
    ),
    warning(
        "elevations_at_node",
        Title("Elevations at a shared point differ", "共点高程不一致"),
        Title(
            "At point {node} the lines have elevations from {low} m to {high} m.",
            "点 {node} 处各管线高程为 {low} 至 {high} 米,不一致。",
        ),
        _SURVEY_AGAIN,
        f"{_LINES}: lines agree at a shared point",
        "pipelines",
    ),
    warning(
        "depths_at_node",
        Title("Depths at a shared point differ", "共点埋深不一致"),
        Title(
            "At point {node} the lines have depths from {low} m to {high} m.",
            "点 {node} 处各管线埋深为 {low} 至 {high} 米,不一致。",
        ),
        _SURVEY_AGAIN,
        f"{_LINES}: lines agree at a shared point",
        "pipelines",
    ),
    warning(
        "materials_at_node",
        Title("Materials at a shared point differ", "共点材质不一致"),
        Title(
            "At point {node}, where two lines meet, the materials are {values}.",
            "点 {node} 连接的两段管线材质为 {values},不一致。",
        ),
        Title(
            "Correct a material, or give the point the feature of a change (变材).",
            "更正材质,或将该点特征改为变材。",
        ),
        f"{_LINES}: lines agree at a shared point; judged where two lines meet",
        "pipelines",
    ),
    warning(
        "sections_at_node",
        Title("Sizes at a shared point differ", "共点管径不一致"),
        Title(
            "At point {node}, where two lines meet, the sizes are {values}.",
            "点 {node} 连接的两段管线管径(断面)为 {values},不一致。",
        ),
        Title(
            "Correct a size, or give the point the feature of a change (变径).",
            "更正管径,或将该点特征改为变径。",
        ),
        f"{_LINES}: lines agree at a shared point; judged where two lines meet",
        "pipelines",
    ),
    warning(
        "unknown_node",
        Title("A point that is not held", "管点不存在"),
        Title("The segment names point {node}, which is not held.", "管段所列点 {node} 不存在。"),
        Title("Load the points of these lines.", "导入这些管线的管点。"),
        f"{_JOINT}: no line without its points",
        "pipelines",
    ),
    warning(
        "end_off_node",
        Title("An end away from its point", "端点与管点不重合"),
        Title(
            "The end lies {distance} m from point {node}, which it names.",
            "端点距其所列管点 {node} {distance} 米。",
        ),
        Title("Correct the geometry or the point number.", "更正几何或点号。"),
        _NETWORK,
        "pipelines",
    ),
    warning(
        "end_without_node",
        Title("An end where no point is", "端点处无管点"),
        Title(
            "No point is held within {distance} m of the {end}.", "{end} {distance} 米内无管点。"
        ),
        Title("Load the missing point, or move the end to it.", "补充管点,或将端点移至管点。"),
        _NETWORK,
        "pipelines",
    ),
    warning(
        "orphan_node",
        Title("A point without a line", "孤立管点"),
        Title("No line meets point {node}.", "点 {node} 未连接任何管线。"),
        Title("Load the lines of the point, or remove it.", "导入相应管线,或删除该点。"),
        f"{_JOINT}: no point without a line",
        "pipelines",
        "pipeline_nodes",
    ),
    warning(
        "ground_mismatch",
        Title("Ground is not depth plus elevation", "地面高程与埋深、管高不符"),
        Title(
            "At point {node} the ground is {ground} m, but depth {depth} m plus elevation "
            "{elevation} m is {sum} m.",
            "点 {node} 地面高程 {ground} 米,而埋深 {depth} 米加管高 {elevation} 米为 {sum} 米。",
        ),
        Title("Correct the one of the three that is wrong.", "更正三者中有误的一项。"),
        f"{_JOINT}: ground elevation = depth + pipe elevation, in decimal arithmetic",
        "pipelines",
    ),
    warning(
        "segment_too_long",
        Title("A long segment", "管段过长"),
        Title(
            "The segment is {length} m long, more than {limit} m.",
            "管段长 {length} 米,超过 {limit} 米。",
        ),
        Title(
            "Look for a point that was skipped or a wrong number.", "检查是否漏测管点或点号有误。"
        ),
        f"{_JOINT}: length in space",
        "pipelines",
    ),
    warning(
        "segment_too_short",
        Title("A short segment", "管段过短"),
        Title(
            "The segment is {length} m long, less than {limit} m.",
            "管段长 {length} 米,不足 {limit} 米。",
        ),
        Title("Look for a point that was surveyed twice.", "检查是否重复测点。"),
        f"{_JOINT}: length in space",
        "pipelines",
    ),
    warning(
        "segment_too_steep",
        Title("A steep segment", "坡度过大"),
        Title(
            "The segment is inclined by {slope} degrees, more than {limit}.",
            "管段坡度 {slope} 度,超过 {limit} 度。",
        ),
        _SURVEY_AGAIN,
        f"{_JOINT}: slope",
        "pipelines",
    ),
    warning(
        "ways_mismatch",
        Title("More or fewer lines than the point says", "连接数与特征不符"),
        Title(
            "Point {node} is a {feature}, which joins {expected} lines; {found} meet there.",
            "点 {node} 特征为 {feature},应连接 {expected} 条管线,实际 {found} 条。",
        ),
        Title("Correct the feature, or load the line that is missing.", "更正特征或补充管线。"),
        f"{_JOINT}: 三通 joins three lines, 四通 four",
        "pipelines",
    ),
    warning(
        "sharp_angle",
        Title("A sharp angle", "夹角过小"),
        Title(
            "At point {node} the segment turns back on {other}: {angle} degrees.",
            "在点 {node} 处与管段 {other} 的夹角仅 {angle} 度。",
        ),
        Title("Look for swapped point numbers.", "检查点号是否错连。"),
        f"{_JOINT}: angle in space between adjoining segments",
        "pipelines",
    ),
    warning(
        "pipes_collide",
        Title("Pipes cross at one depth", "管线空间相碰"),
        Title(
            "The pipe crosses {other} with axes {gap} m apart in height, less than half their "
            "sizes, {needed} m.",
            "与管线 {other} 交叉处两轴高差 {gap} 米,小于两管半高之和 {needed} 米。",
        ),
        Title(
            "Correct an elevation, or add the point where they are joined.",
            "更正高程,或在相接处补充管点。",
        ),
        _NETWORK,
        "pipelines",
    ),
    warning(
        "flow_uphill",
        Title("Flow against gravity", "逆坡"),
        Title(
            "The sewer flows from {from_m} m up to {to_m} m.",
            "排水管流向由 {from_m} 米升至 {to_m} 米。",
        ),
        Title("Correct the flow direction or an elevation.", "更正流向或高程。"),
        "Gravity sewers; FlowDir + is from start to end",
        "pipelines",
    ),
)
