-- Pictures of the present are right until the next of these.
INSERT INTO city.layer_instants (layer, instant)
SELECT 'rasters', instant
FROM (SELECT lower(valid_during) FROM city.rasters
      UNION
      SELECT upper(valid_during) FROM city.rasters) ends (instant)
WHERE isfinite(instant)
ON CONFLICT DO NOTHING;
