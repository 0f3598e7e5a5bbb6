-- One facility at an instant with its newest figure; words in braces as in nearest.sql.
SELECT {attributes}, {status}, ST_X(f.geom) AS lon, ST_Y(f.geom) AS lat,
       NULL::double precision AS distance_m, 0::double precision AS mercator_m
FROM facilities f {wanted_status}
WHERE f.feature_id = :feature_id AND f.valid_during @> :at
