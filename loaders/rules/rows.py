"""Rules that judge a row by itself: whether it can be read, its values, its geometry."""

from __future__ import annotations

from layers.base import Title
from loaders.rules.base import Rule, error, warning

_OWN = "How this service reads files"
_LAYER = "The descriptor of the layer"
_SURVEY = "Checks of survey tables under CJJ 61-2017"
_VALUE_REMEDY = Title(
    "Correct the value, or say what it means under values of a mapping.",
    "更正该值,或在映射文件的 values 中说明其含义。",
)
_SAY_WHICH = Title(
    "Say in a mapping which is meant, or write the value in full with its unit.",
    "在映射文件中说明含义,或写全该值。",
)

ROWS: tuple[Rule, ...] = (
    error(
        "malformed_row",
        Title("The row cannot be read", "记录无法读取"),
        Title("The row cannot be read: {detail}.", "记录无法读取:{detail}。"),
        Title(
            "Look for separators or line ends inside a text that is not quoted.",
            "检查未加引号的文本中是否含有分隔符或换行。",
        ),
        _OWN,
    ),
    error(
        "not_a_number",
        Title("Not a number", "不是数字"),
        Title("{column} is not a number: {value}.", "{column} 不是数字:{value}。"),
        _VALUE_REMEDY,
        "Numeric check of survey tables",
    ),
    error(
        "not_an_integer",
        Title("Not a whole number", "不是整数"),
        Title("{column} is not a whole number: {value}.", "{column} 不是整数:{value}。"),
        _VALUE_REMEDY,
        _LAYER,
    ),
    error(
        "not_a_boolean",
        Title("Neither yes nor no", "不是是/否"),
        Title(
            "{column} is neither yes nor no: {value}.", "{column} 既不是“是”也不是“否”:{value}。"
        ),
        _VALUE_REMEDY,
        _LAYER,
    ),
    error(
        "not_a_date",
        Title("Not a date", "不是日期"),
        Title("{column} is not a date: {value}.", "{column} 不是日期:{value}。"),
        _VALUE_REMEDY,
        _LAYER,
    ),
    error(
        "not_an_instant",
        Title("Not a date and time", "不是时刻"),
        Title("{column} is not a date and time: {value}.", "{column} 不是时刻:{value}。"),
        _VALUE_REMEDY,
        _LAYER,
    ),
    error(
        "unclear_unit",
        Title("A unit with two meanings", "单位含义不明"),
        Title(
            "{column} may be in one of two units: {value}.", "{column} 可能为两种单位之一:{value}。"
        ),
        _SAY_WHICH,
        "Decision 0029",
    ),
    error(
        "unclear_section",
        Title("A section with two meanings", "断面含义不明"),
        Title("{column} may mean two sections: {value}.", "{column} 可理解为两种断面:{value}。"),
        _SAY_WHICH,
        "Decision 0029",
    ),
    error(
        "unclear_number",
        Title("A number with two meanings", "数字含义不明"),
        Title(
            "{column} may be one of two numbers: {value}.", "{column} 可理解为两个数字:{value}。"
        ),
        _SAY_WHICH,
        "Decision 0029",
    ),
    error(
        "unclear_date",
        Title("A date with two meanings", "日期含义不明"),
        Title("{column} may be one of two days: {value}.", "{column} 可理解为两个日期:{value}。"),
        _SAY_WHICH,
        "Decision 0029",
    ),
    error(
        "contradiction",
        Title("Two columns disagree", "两列互相矛盾"),
        Title(
            "Two columns give {column} different values: {value}.",
            "两列为 {column} 给出不同的值:{value}。",
        ),
        Title("Correct one of the columns, or leave it out of the mapping.", "更正其一或不映射。"),
        "Decision 0029",
    ),
    error(
        "below_minimum",
        Title("Too small", "小于下限"),
        Title("{column} is below what it may be: {value}.", "{column} 小于允许的最小值:{value}。"),
        Title("Look for a wrong unit or a lost digit.", "检查单位是否有误或缺少数字。"),
        _LAYER,
    ),
    error(
        "above_maximum",
        Title("Too large", "大于上限"),
        Title("{column} is above what it may be: {value}.", "{column} 大于允许的最大值:{value}。"),
        Title("Look for a wrong unit or a digit too many.", "检查单位是否有误或多写了数字。"),
        _LAYER,
    ),
    error(
        "not_of_pattern",
        Title("Of another form", "格式不符"),
        Title("{column} has another form than it must: {value}.", "{column} 的格式不符:{value}。"),
        _VALUE_REMEDY,
        _LAYER,
    ),
    error(
        "not_in_code_list",
        Title("Not in the code list", "不在代码表中"),
        Title("{column} is not in its code list: {value}.", "{column} 不在代码表中:{value}。"),
        _VALUE_REMEDY,
        "The closed code list of the attribute",
    ),
    error(
        "missing",
        Title("A value is missing", "缺少必填值"),
        Title("{detail} has no value and must have one.", "{detail} 为必填,但没有值。"),
        Title("Fill it in.", "补填。"),
        _LAYER,
    ),
    error(
        "no_geometry",
        Title("No geometry", "没有几何"),
        Title("The row has no geometry.", "该记录没有几何。"),
        Title("Give the row a geometry or coordinates.", "补充几何或坐标。"),
        _OWN,
    ),
    error(
        "wrong_geometry_type",
        Title("Another kind of geometry", "几何类型不符"),
        Title(
            "The geometry is of another kind than the layer's: {detail}.",
            "几何类型与图层不符:{detail}。",
        ),
        Title(
            "Load it into the layer of its kind, or divide geometries of several parts.",
            "导入相应类型的图层,或拆分多部分几何。",
        ),
        _OWN,
    ),
    error(
        "curved_geometry",
        Title("A curved surface", "曲面几何"),
        Title("The geometry cannot be made straight: {detail}.", "几何无法直化:{detail}。"),
        Title("Export it as polygons.", "导出为多边形。"),
        "Decision 0017",
    ),
    error(
        "zero_length",
        Title("A line without length", "零长度线"),
        Title("The line has no length: {detail}.", "线长度为零:{detail}。"),
        Title("Correct one of its ends, or remove the row.", "更正其中一个端点,或删除该记录。"),
        "Line tables: start and end differ",
    ),
    error(
        "invalid_geometry",
        Title("An invalid geometry", "几何无效"),
        Title("The geometry is invalid: {detail}.", "几何无效:{detail}。"),
        Title("Mend the geometry at the place named.", "在所示位置修复几何。"),
        "OGC 06-103r4, decision 0014",
    ),
    error(
        "outside_city",
        Title("Outside the city", "位于市域之外"),
        Title("The position lies outside the city: {detail}.", "坐标位于市域之外:{detail}。"),
        Title(
            "Look for a wrong coordinate system or swapped axes; see --crs.",
            "检查坐标系是否有误或坐标轴颠倒;见 --crs。",
        ),
        "The extent of the city",
    ),
    error(
        "duplicate_key",
        Title("The same key again", "主键重复"),
        Title(
            "An earlier row of this load has the same key: {detail}.",
            "本次导入中已有相同主键的记录:{detail}。",
        ),
        Title("Give one of the rows another key, or remove it.", "更改其中一条的编号或删除。"),
        "Point tables: no point number twice",
    ),
    error(
        "missing_node",
        Title("An end point is missing", "端点缺失"),
        Title(
            "The segment has no geometry, and its points are not held: {detail}.",
            "管段没有几何,且其管点不存在:{detail}。",
        ),
        Title(
            "Load the points, then: geoservice quarantine retry ID.",
            "先导入管点,再执行 geoservice quarantine retry ID。",
        ),
        "Survey tables: no line without its points",
        "pipelines",
    ),
    warning(
        "repaired_geometry",
        Title("A repaired geometry", "几何已修复"),
        Title(
            "The geometry was written in a valid way, which changed no area: {detail}.",
            "几何已改写为有效形式,面积未变:{detail}。",
        ),
        Title("Nothing has to be done; the source may be mended.", "无需处理;可在源数据中修正。"),
        "OGC 06-103r4, decision 0014",
        promotable=True,
    ),
    warning(
        "empty_value",
        Title("A value that surveys give is empty", "应填属性为空"),
        Title("{column} is empty.", "{column} 为空。"),
        Title("Fill it in where it is known.", "已知的应补填。"),
        f"{_SURVEY}: values that no row lacks",
        "pipelines",
        "pipeline_nodes",
        promotable=True,
    ),
    warning(
        "unnamed_column",
        Title("A column without a name", "列名为空"),
        Title("Column {detail} of the header has no name.", "表头第 {detail} 列没有名称。"),
        Title("Name the column.", "补全列名。"),
        f"{_SURVEY}: the header is not empty",
    ),
    warning(
        "repeated_column",
        Title("A column name twice", "列名重复"),
        Title(
            "The header has the name {detail} more than once; the first is read by it.",
            "表头中 {detail} 重复出现,按第一个读取。",
        ),
        Title("Rename or remove one of them.", "重命名或删除其中一列。"),
        f"{_SURVEY}: no name twice in a header",
    ),
    warning(
        "elevation_implausible",
        Title("An implausible elevation", "高程不合理"),
        Title(
            "The geometry reaches from {low} m to {high} m.", "几何高程范围为 {low} 至 {high} 米。"
        ),
        Title("Look for feet, millimetres, or a number that means nothing.", "检查单位或占位值。"),
        "Plausibility of elevations",
    ),
    warning(
        "same_geometry",
        Title("Nearly the same geometry twice", "几何近似重复"),
        Title(
            "The geometry is the same as that of {other}, to a centimetre or so.",
            "几何与 {other} 几乎相同(厘米级)。",
        ),
        Title("Remove one of the two if they are one thing.", "若为同一对象,请删除其一。"),
        f"{_SURVEY}: no place twice",
    ),
)
