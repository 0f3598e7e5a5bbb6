"""Pipelines: surveyed segments of the city's underground networks (管线), axis geometry with Z.

Fields follow CJJ 61-2017 section 3.0.2 and the line tables that survey offices exchange. The public
sees none; water and drainage are open to government, everything else is restricted.
"""

from __future__ import annotations

from layers.access import Clearance
from layers.base import (
    Attribute,
    AttributeType,
    Derived,
    EndNodes,
    Generalisation,
    GeometryType,
    Layer,
    RowClearance,
    Style,
    Title,
)
from layers.codes import (
    BURIALS,
    CATEGORY_OF_KIND,
    DATA_SOURCES,
    DEPTH_REFERENCES,
    ELEVATION_SOURCES,
    FLOW_DIRECTIONS,
    MATERIALS,
    PIPE_CATEGORIES,
    PIPE_KINDS,
    PIPE_STATUSES,
)

UNDERGROUND = Title("Underground", "地下管线")

PIPE_CLEARANCE = RowClearance(
    "category", {"JS": Clearance.GOVERNMENT, "PS": Clearance.GOVERNMENT}, Clearance.RESTRICTED
)

KIND = Attribute(
    "kind",
    AttributeType.TEXT,
    Title("Kind", "管线类别"),
    aliases=("管线类别", "管类", "小类", "管线种类", "管线类型", "pipe_type", "gxlb", "gxzl"),
    codes=PIPE_KINDS,
    in_tile=True,
)
CATEGORY = Attribute(
    "category",
    AttributeType.TEXT,
    Title("Class", "管线大类"),
    codes=PIPE_CATEGORIES,
    in_tile=True,
    derived=Derived("kind", mapping=CATEGORY_OF_KIND),
)
OWNER = Attribute(
    "owner",
    AttributeType.TEXT,
    Title("Owner", "权属单位"),
    aliases=("权属单位", "belong", "管理单位", "产权单位", "qsdw"),
)
INSTALLED_ON = Attribute(
    "installed_on",
    AttributeType.DATE,
    Title("Installed on", "建设年代"),
    aliases=("建设年代", "建设日期", "mdate", "埋设日期", "竣工日期", "jsnd"),
)
Z_SOURCE = Attribute(
    "z_source",
    AttributeType.TEXT,
    Title("Source of Z", "高程来源"),
    codes=ELEVATION_SOURCES,
)


def _depth(name: str, en: str, zh: str, *aliases: str) -> Attribute:
    return Attribute(
        name,
        AttributeType.NUMBER,
        Title(en, zh),
        aliases=(zh, *aliases),
        unit="m",
        minimum=-30,
        maximum=100,
    )


def _elevation(name: str, en: str, zh: str, *aliases: str) -> Attribute:
    return Attribute(
        name,
        AttributeType.NUMBER,
        Title(en, zh),
        aliases=(zh, *aliases),
        unit="m",
        minimum=-200,
        maximum=9000,
    )


LAYER = Layer(
    name="pipelines",
    title=Title("Pipelines", "管线"),
    description=Title(
        "Segments of the underground networks; Z is the elevation of the axis in metres.",
        "城市地下管线管段;Z 为管轴高程(米)。",
    ),
    group=UNDERGROUND,
    geometry_type=GeometryType.LINE_STRING_Z,
    natural_keys=(("code",), ("start_node", "end_node")),
    valid_from="installed_on",
    clearance=Clearance.GOVERNMENT,
    row_clearance=PIPE_CLEARANCE,
    generalisation=Generalisation(weight="diameter_mm"),
    end_nodes=EndNodes("pipeline_nodes", "start_node", "end_node"),
    attributes=(
        Attribute(
            "code",
            AttributeType.TEXT,
            Title("Number", "管线编号"),
            aliases=("管线编号", "管段编号", "pipe_id", "line_id", "gxbh", "name", "管线号"),
        ),
        KIND,
        CATEGORY,
        Attribute(
            "start_node",
            AttributeType.TEXT,
            Title("Start node", "起点点号"),
            aliases=("起点点号", "起点", "s_point", "start_node_name", "qddh", "起点号"),
        ),
        Attribute(
            "end_node",
            AttributeType.TEXT,
            Title("End node", "终点点号"),
            aliases=("终点点号", "终点", "e_point", "end_node_name", "zddh", "终点号", "连接点号"),
        ),
        Attribute(
            "diameter_mm",
            AttributeType.NUMBER,
            Title("Diameter", "管径"),
            aliases=("管径", "psize", "d_s", "dn", "gj"),
            unit="mm",
            minimum=0,
            maximum=20000,
            in_tile=True,
            section="section",
        ),
        Attribute(
            "section",
            AttributeType.TEXT,
            Title("Section, width x height in mm", "断面"),
            aliases=("断面", "断面尺寸", "管径或断面", "dmcc"),
            unit="mm",
        ),
        Attribute(
            "material",
            AttributeType.TEXT,
            Title("Material", "材质"),
            aliases=("材质", "管材", "cz"),
            codes=MATERIALS,
        ),
        Attribute(
            "burial",
            AttributeType.TEXT,
            Title("Burial", "埋设方式"),
            aliases=("埋设方式", "embed", "埋设类型", "msfs"),
            codes=BURIALS,
        ),
        _depth("start_depth_m", "Depth at start", "起点埋深", "s_deep", "qdms"),
        _depth("end_depth_m", "Depth at end", "终点埋深", "e_deep", "zdms"),
        _elevation("start_elevation_m", "Elevation at start", "起点高程", "s_h", "qdgc"),
        _elevation("end_elevation_m", "Elevation at end", "终点高程", "e_h", "zdgc"),
        Attribute(
            "depth_ref",
            AttributeType.TEXT,
            Title("Depth refers to", "埋深基准"),
            aliases=("埋深基准",),
            codes=DEPTH_REFERENCES,
        ),
        Attribute(
            "flow_direction",
            AttributeType.TEXT,
            Title("Flow direction", "流向"),
            aliases=("流向", "flowdir", "flow_dir", "lx"),
            codes=FLOW_DIRECTIONS,
        ),
        Attribute(
            "pressure",
            AttributeType.TEXT,
            Title("Pressure", "压力"),
            aliases=("压力", "压力等级", "yl"),
        ),
        Attribute(
            "voltage",
            AttributeType.TEXT,
            Title("Voltage", "电压"),
            aliases=("电压", "电压值", "dy"),
        ),
        Attribute(
            "cable_count",
            AttributeType.INTEGER,
            Title("Cables", "电缆条数"),
            aliases=("电缆条数", "cabnum", "条数", "dlts"),
            minimum=0,
        ),
        Attribute(
            "hole_count",
            AttributeType.INTEGER,
            Title("Ducts", "总孔数"),
            aliases=("总孔数", "holecount", "zks"),
            minimum=0,
        ),
        Attribute(
            "hole_used",
            AttributeType.INTEGER,
            Title("Ducts in use", "已用孔数"),
            aliases=("已用孔数", "holeused", "yyks"),
            minimum=0,
        ),
        Attribute(
            "road_name",
            AttributeType.TEXT,
            Title("Road", "道路名称"),
            aliases=("道路名称", "road", "所在道路", "dlmc"),
        ),
        OWNER,
        INSTALLED_ON,
        Attribute(
            "status",
            AttributeType.TEXT,
            Title("Status", "使用状态"),
            aliases=("使用状态", "状态", "syzt"),
            codes=PIPE_STATUSES,
        ),
        Attribute(
            "data_source",
            AttributeType.TEXT,
            Title("Data source", "数据来源"),
            aliases=("数据来源", "datasource", "sjly"),
            codes=DATA_SOURCES,
        ),
        Z_SOURCE,
    ),
    style=Style(color="#6600cc", color_by="kind", legend_by="category", width_px=2.5, minzoom=10),
)
