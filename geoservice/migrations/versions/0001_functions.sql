-- Partitions of observations are made on demand, by roles that own nothing.
CREATE FUNCTION city.ensure_observation_partition(instant timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month_start timestamptz := date_trunc('month', instant, 'UTC');
    next_month timestamptz := date_trunc('month', instant, 'UTC') + interval '1 month';
    partition_name text := 'observations_' || to_char(month_start AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF instant < '1970-01-01Z' OR instant > clock_timestamp() + interval '2 months' THEN
        RAISE EXCEPTION 'observed_at is out of range' USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF to_regclass('city.' || partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('observation partition'));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS city.%I PARTITION OF city.observations '
        'FOR VALUES FROM (%L) TO (%L)', partition_name, month_start, next_month);
END $$;
REVOKE ALL ON FUNCTION city.ensure_observation_partition(timestamptz) FROM PUBLIC;

-- Fresh statistics after a load, for a role that may not ANALYZE what it does not own.
CREATE FUNCTION city.analyze_layer(layer text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition record;
BEGIN
    FOR partition IN
        SELECT c.oid::regclass AS name FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relnamespace = 'city'::regnamespace AND p.relname IN (layer, layer || '_past')
    LOOP
        EXECUTE format('ANALYZE %s', partition.name);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION city.analyze_layer(text) FROM PUBLIC;

INSERT INTO city.installation DEFAULT VALUES;
