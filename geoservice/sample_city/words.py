"""Made-up Chinese names of roads, streets, people and firms.

The words are common in southern place names, their combinations are drawn by hash: a likeness to
a real road, person or firm is chance.
"""

from collections.abc import Sequence

import numpy as np

from geoservice.sample_city.hashing import Ints, uniform

FIRST = (
    "莲福景华新安泰康宝龙凤翠香梅竹兰松柏桂桃海滨湾港金银玉珠明光云霞星月春秋和平顺兴隆盛昌裕德仁"
    "义礼文学科创锦丽雅秀清碧蓝青紫红丹朝晨旭锋宏伟"
)
SECOND = (
    "湖岭园田塘岗坑围头背下上心源泉溪河涌桥亭台阁苑庭谷坪峰峦洲渡汀林村城门屋楼巷井沙石岩澳角埔"
    "朗边厦洋墩圩祠树荔蕉榕"
)
AVENUES = (
    "深湾", "鹏程", "海岳", "莞岭", "云帆", "南粤", "新洲岭", "彩云", "红棉", "香林", "北岭",
    "滨湾", "前澳", "梧岭", "东纵岭", "宝湾", "龙湾", "凤鸣", "锦华", "学岭", "创新岭", "南新湾",
    "福华岭", "景云",
)  # fmt: skip
NUMERALS = "零一二三四五六七八九十"
SURNAMES = "李王张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶"
GIVEN_FIRST = "伟芳秀敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂建文志国晓海小玉"
GIVEN_SECOND = "华英梅红云波辉宇峰琳婷雪峻鑫龙飞宁倩颖凯航晨然琪怡"
TRADES = ("实业", "置业", "科技", "电子", "精密", "物流", "投资", "生物", "新材料", "商贸")


def numeral(number: int) -> str:
    """Chinese numeral of 1..99, as street names spell it."""
    tens, ones = divmod(number, 10)
    if tens == 0:
        return NUMERALS[ones]
    return ("" if tens == 1 else NUMERALS[tens]) + "十" + (NUMERALS[ones] if ones else "")


def quarter_names(seed: int, count: int) -> list[str]:
    """Distinct two-character names of quarters; a third character once the pairs are used up."""
    pairs = [first + second for first in FIRST for second in SECOND]
    order = np.argsort(uniform(seed, "quarter names", np.arange(len(pairs))), kind="stable")
    return [
        pairs[order[n % len(pairs)]] + ("" if n < len(pairs) else "东西南北"[n // len(pairs) - 1])
        for n in range(count)
    ]


def avenue_names(seed: int, count: int, suffix: str) -> list[str]:
    """Distinct names of avenues, such as 红棉大道; numbered once the words are used up."""
    order = np.argsort(uniform(seed, f"avenues {suffix}", np.arange(len(AVENUES))), kind="stable")
    parts = ("", "东", "西", "南", "北", "中", "新", "上", "下")
    return [
        AVENUES[order[n % len(AVENUES)]] + parts[n // len(AVENUES)] + suffix for n in range(count)
    ]


def people(numbers: Ints) -> list[str]:
    """A made-up person's name for each non-negative integer."""
    return [
        _pick(SURNAMES, n) + _pick(GIVEN_FIRST, n // 41) + _pick(GIVEN_SECOND, n // 1303)
        for n in numbers.tolist()
    ]


def firms(numbers: Ints) -> list[str]:
    """A made-up company's name for each non-negative integer."""
    return [
        f"深圳市{_pick(FIRST, n)}{_pick(SECOND, n // 67)}{_pick(TRADES, n // 3511)}有限公司"
        for n in numbers.tolist()
    ]


def _pick(words: Sequence[str], number: int) -> str:
    return words[number % len(words)]
