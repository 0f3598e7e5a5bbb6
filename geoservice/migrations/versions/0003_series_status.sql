ALTER TABLE city.series_status
	ADD COLUMN property TEXT,
	ADD COLUMN resource_type TEXT,
	ADD COLUMN source TEXT,
	ADD COLUMN ttl_s INTEGER,
	ADD COLUMN clearance SMALLINT;

UPDATE city.series_status t
SET property = s.property, resource_type = s.resource_type, source = s.source,
    ttl_s = s.ttl_s, clearance = s.clearance
FROM city.series s
WHERE s.series_id = t.series_id;

ALTER TABLE city.series_status
	ALTER COLUMN property SET NOT NULL,
	ALTER COLUMN resource_type SET NOT NULL,
	ALTER COLUMN source SET NOT NULL,
	ALTER COLUMN ttl_s SET NOT NULL,
	ALTER COLUMN clearance SET NOT NULL;

DROP INDEX city.series_status_by_feature;

CREATE INDEX series_status_newest ON city.series_status (feature_id, observed_at DESC);
