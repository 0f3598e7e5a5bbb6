"""From when on figures are taken and kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from layers.intake import kept_from


@pytest.mark.parametrize(
    ("now", "months", "expected"),
    [
        (datetime(2026, 3, 4, 5, tzinfo=UTC), (1, None), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 3, 31, tzinfo=UTC), (1, 24), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 3, 4, tzinfo=UTC), (None,), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_is_kept_begins_with_a_month(
    now: datetime, months: tuple[int | None, ...], expected: datetime
) -> None:
    assert expected == kept_from(now, *months)
