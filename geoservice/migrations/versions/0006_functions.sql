-- The table of held versions of a layer: a theme's bears a number, a typed layer's its name.
CREATE FUNCTION city.layer_table(layer text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT to_regclass(format('themes.t%s', t.theme_id)) FROM city.themes t
         WHERE t.name = layer AND t.dropped_at IS NULL),
        to_regclass(format('city.%I', layer)))
$$;
REVOKE ALL ON FUNCTION city.layer_table(text) FROM PUBLIC;

-- As before, of any layer.
CREATE OR REPLACE FUNCTION city.held_partition(layer text, clearance integer) RETURNS regclass
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found regclass;
BEGIN
    SELECT c.oid INTO found
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.oid = city.layer_table(layer) AND p.relkind = 'p'
      AND c.relname = format('%s_%s', p.relname, clearance) AND clearance BETWEEN 0 AND 3;
    IF found IS NULL THEN
        RAISE EXCEPTION 'there is no such partition' USING ERRCODE = 'undefined_table';
    END IF;
    RETURN found;
END $$;

CREATE OR REPLACE FUNCTION city.analyze_layer(layer text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition record;
BEGIN
    FOR partition IN
        SELECT c.oid::regclass AS name
        FROM pg_class held
        JOIN pg_class p ON p.relnamespace = held.relnamespace
                       AND p.relname IN (held.relname, held.relname || '_past')
        JOIN pg_inherits i ON i.inhparent = p.oid
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE held.oid = city.layer_table(layer)
    LOOP
        EXECUTE format('ANALYZE %s', partition.name);
    END LOOP;
END $$;

-- The draft becomes the partition, in whatever schema that lies. Views are locked before the
-- layer's table and that before the partition, in the order in which readers and writers lock them,
-- so that no two wait for each other.
CREATE OR REPLACE FUNCTION city.adopt_draft(layer text, clearance integer, load_id bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held regclass := city.held_partition(layer, clearance);
    whole regclass := city.layer_table(layer);
    home text;
    name text;
    draft text := format('draft_%s_%s', clearance, load_id);
    is_filled boolean;
    reader record;
    index record;
BEGIN
    SELECT c.relnamespace::regnamespace::text, c.relname INTO home, name
    FROM pg_class c WHERE c.oid = held;
    FOR reader IN
        SELECT DISTINCT v.oid, v.oid::regclass::text AS view,
               'WITH (' || array_to_string(v.reloptions, ', ') || ')' AS options
        FROM pg_depend d
        JOIN pg_rewrite r ON r.oid = d.objid
        JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
        WHERE d.classid = 'pg_rewrite'::regclass
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = held
        ORDER BY view
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %s %s AS %s', reader.view, reader.options,
            regexp_replace(
                pg_get_viewdef(reader.oid), format('\m%s\.%s\M( %s\M)?', home, name, name),
                format('staging.%I %I', draft, name), 'g'));
    END LOOP;
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', whole);
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', held);
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', held) INTO is_filled;
    IF is_filled THEN
        RAISE EXCEPTION 'the partition is not empty'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF (SELECT count(*) FROM pg_index WHERE indrelid = held)
       <> (SELECT count(*) FROM pg_index
           WHERE indrelid = format('staging.%I', draft)::regclass) THEN
        RAISE EXCEPTION 'the draft lacks an index of the partition'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', whole, held);
    EXECUTE format('DROP TABLE %s', held);
    EXECUTE format('ALTER TABLE staging.%I SET SCHEMA %I', draft, home);
    EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', home, draft, name);
    EXECUTE format(
        'ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES IN (%s)', whole, home, name, clearance);
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT draft_clearance', home, name);
    IF session_user <> current_user THEN
        EXECUTE format('REVOKE ALL ON %I.%I FROM %I', home, name, session_user);
    END IF;
    FOR index IN
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = format('%I.%I', home, name)::regclass
    LOOP
        EXECUTE format(
            'ALTER INDEX %I.%I RENAME TO %I', home, index.relname,
            left(index.relname, -length(format('_%s', load_id))));
    END LOOP;
END $$;
