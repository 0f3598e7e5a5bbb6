ALTER TABLE city.loads ADD COLUMN purge jsonb;
ALTER TABLE city.loads DROP CONSTRAINT loads_state_known;
ALTER TABLE city.loads ADD CONSTRAINT loads_state_known
    CHECK (state IN ('staging', 'published', 'failed', 'purged'));
