"""Opening hours of the sample city's facilities, in OSM opening_hours syntax, and their meaning.

Only these texts are ever written, so their meaning is a table; nothing parses the syntax here.
Hours are local (UTC+8); days count from Monday = 0; intervals are half open.
"""

from dataclasses import dataclass

import numpy as np

from geoservice.sample_city.hashing import Bools

DAY_SLOTS = 48
"""Half hours of a day: all hours here begin and end on one."""


@dataclass(frozen=True)
class Schedule:
    """Days and hours on which a facility is open.

    Attributes:
        text: OSM opening_hours value.
        days: Open days, Monday = 0.
        hours: Half-open intervals of hours.
    """

    text: str
    days: tuple[int, ...]
    hours: tuple[tuple[float, float], ...]


EVERY_DAY = tuple(range(7))
NO_MONDAY = tuple(range(1, 7))
WORKDAYS = tuple(range(5))

SCHEDULES = (
    Schedule("24/7", EVERY_DAY, ((0, 24),)),
    Schedule("Mo-Su 06:00-23:00", EVERY_DAY, ((6, 23),)),
    Schedule("Mo-Su 06:00-22:00", EVERY_DAY, ((6, 22),)),
    Schedule("Mo-Su 09:00-22:00", EVERY_DAY, ((9, 22),)),
    Schedule("Mo-Su 09:00-21:00", EVERY_DAY, ((9, 21),)),
    Schedule("Tu-Su 09:00-21:00; Mo off", NO_MONDAY, ((9, 21),)),
    Schedule("Tu-Su 10:00-18:00; Mo off", NO_MONDAY, ((10, 18),)),
    Schedule("Mo-Su 08:00-12:00,14:00-17:30", EVERY_DAY, ((8, 12), (14, 17.5))),
    Schedule("Mo-Fr 08:00-12:00,14:00-18:00", WORKDAYS, ((8, 12), (14, 18))),
    Schedule("Mo-Fr 07:30-17:30", WORKDAYS, ((7.5, 17.5),)),
    Schedule("Mo-Fr 09:00-17:30; Sa 09:00-12:00", WORKDAYS, ((9, 17.5),)),
    Schedule("Mo-Su 08:30-18:00", EVERY_DAY, ((8.5, 18),)),
    Schedule("Tu-Su 19:00-22:30; Mo off", NO_MONDAY, ((19, 22.5),)),
)
SATURDAY_MORNINGS = {"Mo-Fr 09:00-17:30; Sa 09:00-12:00": (9, 12)}


def open_slots() -> dict[str, Bools]:
    """For each text, which half hours of a week it is open: bool arrays (7, DAY_SLOTS)."""
    return {schedule.text: _slots(schedule) for schedule in SCHEDULES}


def _slots(schedule: Schedule) -> Bools:
    hour = np.arange(DAY_SLOTS) / 2.0
    is_open = np.zeros((7, DAY_SLOTS), np.bool_)
    for start, end in schedule.hours:
        is_open[list(schedule.days)] |= (hour >= start) & (hour < end)
    if schedule.text in SATURDAY_MORNINGS:
        start, end = SATURDAY_MORNINGS[schedule.text]
        is_open[5] |= (hour >= start) & (hour < end)
    return is_open
