"""Opening hours in the city's time zone, read by a library from OSM syntax."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, validate


class CityHours:
    """Says whether a facility is open, for ``layers.availability``, and which days are holidays.

    Args:
        time_zone: Of the city (tz database).
        country: Whose public holidays ``PH`` in opening hours means, ISO 3166-1; None knows none.
    """

    def __init__(self, time_zone: str, country: str | None = None) -> None:
        self.zone = ZoneInfo(time_zone)
        self._country = country

    def __call__(self, hours: str | None, instant: datetime) -> bool | None:
        """Whether these hours include an aware instant; None if missing or unreadable."""
        parsed = _parse(hours, self._country) if hours else None
        if parsed is None:
            return None
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        return None if parsed.is_unknown(local) else bool(parsed.is_open(local))

    def is_holiday(self, local: datetime) -> bool:
        """Whether a day of the city's calendar is a public holiday."""
        return _is_holiday(local.date(), self._country)


@lru_cache(maxsize=10_000)
def _parse(hours: str, country: str | None) -> OpeningHours | None:
    return OpeningHours(hours, country=country) if validate(hours) else None


@lru_cache(maxsize=2_000)
def _is_holiday(day: date, country: str | None) -> bool:
    if country is None:
        return False
    noon = datetime.combine(day, time(12))
    return bool(OpeningHours("PH open", country=country).is_open(noon))
