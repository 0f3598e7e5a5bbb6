"""Alerts: figures that break a rule, raised once, and cleared when they clearly do not any more.

A rule is about a property of a layer's features. It looks at the newest figure of each series:

- ``above`` and ``below``: it passes the threshold; cleared when it is back by the hysteresis;
- ``rate``: it has changed by more than the threshold in a minute, from the figure before it;
- ``silence``: there was no figure for so many seconds.

Whatever is raised or cleared is an event of the topic ``alert``, in the same transaction.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.events import OUTBOX_CHANNEL, Topic


class RuleKind(StrEnum):
    """What a rule looks at."""

    ABOVE = "above"
    BELOW = "below"
    RATE = "rate"
    SILENCE = "silence"


async def judge(connection: AsyncConnection) -> int:
    """Raise and clear what the newest figures say; how many alerts that were.

    Inside the caller's transaction of the ingest role; by one at a time.
    """
    raised = (await connection.execute(text(_RAISE))).rowcount
    cleared = (await connection.execute(text(_CLEAR))).rowcount
    if raised or cleared:
        await connection.execute(
            text("SELECT pg_notify(:channel, '')"), {"channel": OUTBOX_CHANNEL}
        )
    return raised + cleared


# ``measured`` is what the threshold is compared with; for below both signs are turned.
_JUDGED = """
SELECT r.rule_id, r.kind, r.title_zh, r.title_en, r.threshold, r.hysteresis,
       t.series_id, s.layer, t.feature_id, t.clearance, t.property, s.unit,
       coalesce(t.value, t.available) AS figure,
       CASE r.kind
           WHEN 'above' THEN coalesce(t.value, t.available)
           WHEN 'below' THEN -coalesce(t.value, t.available)
           WHEN 'silence' THEN extract(epoch FROM now() - t.observed_at)
           ELSE (
               SELECT abs(coalesce(t.value, t.available) - coalesce(o.value, o.available))
                      / greatest(extract(epoch FROM t.observed_at - o.observed_at) / 60, 1.0 / 60)
               FROM city.observations o
               WHERE o.series_id = t.series_id AND o.observed_at < t.observed_at
               ORDER BY o.observed_at DESC LIMIT 1)
       END AS measured,
       CASE r.kind WHEN 'below' THEN -r.threshold ELSE r.threshold END AS bound
FROM city.alert_rules r
JOIN city.series s ON s.layer = r.layer AND s.property = r.property
 AND (r.resource_type IS NULL OR s.resource_type = r.resource_type)
JOIN city.series_status t ON t.series_id = s.series_id
WHERE r.ended_at IS NULL"""

_EVENT = f"""
INSERT INTO city.outbox (topic, layer, feature_id, clearance, body)
SELECT '{Topic.ALERT}', c.layer, c.feature_id, c.clearance,
       jsonb_strip_nulls(jsonb_build_object(
           'alert_id', c.alert_id, 'rule_id', c.rule_id, 'state', :state, 'kind', j.kind,
           'title_zh', j.title_zh, 'title_en', j.title_en, 'property', j.property,
           'value', j.figure, 'unit', j.unit, 'threshold', j.threshold))
FROM changed c JOIN judged j USING (rule_id, series_id)"""

_RAISE = f"""
WITH judged AS MATERIALIZED ({_JUDGED}),
changed AS (
    INSERT INTO city.alerts (rule_id, series_id, layer, feature_id, clearance, value)
    SELECT rule_id, series_id, layer, feature_id, clearance, figure
    FROM judged WHERE measured > bound
    ON CONFLICT (rule_id, series_id) WHERE cleared_at IS NULL DO NOTHING
    RETURNING alert_id, rule_id, series_id, layer, feature_id, clearance
)
{_EVENT.replace(":state", "'raised'")}"""

# A rule that has ended clears what it raised.
_CLEAR = f"""
WITH judged AS MATERIALIZED ({_JUDGED.replace("WHERE r.ended_at IS NULL", "WHERE true")}),
changed AS (
    UPDATE city.alerts a SET cleared_at = clock_timestamp()
    FROM judged j JOIN city.alert_rules r USING (rule_id)
    WHERE a.cleared_at IS NULL AND (a.rule_id, a.series_id) = (j.rule_id, j.series_id)
      AND (j.measured <= j.bound - j.hysteresis OR r.ended_at IS NOT NULL)
    RETURNING a.alert_id, a.rule_id, a.series_id, a.layer, a.feature_id, a.clearance
)
{_EVENT.replace(":state", "'cleared'")}"""
