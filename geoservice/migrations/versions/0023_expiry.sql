ALTER TABLE city.series_status ADD COLUMN expires_at TIMESTAMP WITH TIME ZONE;

UPDATE city.series_status SET expires_at = observed_at + make_interval(secs => 3 * ttl_s)
WHERE observed_at + make_interval(secs => 3 * ttl_s) > now();

CREATE INDEX series_status_expiring ON city.series_status (expires_at) WHERE expires_at IS NOT NULL;
