-- Facilities around a place, nearest first. Words in braces are filled from the descriptor and from
-- constants of layers/availability.py; values are bound.
WITH candidates AS (
    -- Versions without an end: the partial GiST index gives them nearest first.
    (SELECT {attributes}, f.geom, {status},
            f.geom_3857 <-> {place} AS mercator_m
     FROM facilities f {wanted_status}
     WHERE upper_inf(f.valid_during) AND lower(f.valid_during) <= :at
       AND f.geom_3857 && ST_Expand({place}, :reach) {kind}
     ORDER BY f.geom_3857 <-> {place} LIMIT :wanted)
    UNION ALL
    -- The few that have an end and hold at the instant.
    (SELECT {attributes}, f.geom, {status},
            f.geom_3857 <-> {place} AS mercator_m
     FROM facilities f {wanted_status}
     WHERE NOT upper_inf(f.valid_during) AND f.valid_during @> :at
       AND f.geom_3857 && ST_Expand({place}, :reach) {kind}
     ORDER BY f.geom_3857 <-> {place} LIMIT :wanted)
)
SELECT c.*, ST_X(c.geom) AS lon, ST_Y(c.geom) AS lat,
       ST_Distance(
           c.geom::geography, ST_SetSRID(ST_MakePoint(:lon, :lat), 4490)::geography
       ) AS distance_m
FROM candidates c
ORDER BY c.mercator_m
LIMIT :wanted
