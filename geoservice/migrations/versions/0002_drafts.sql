-- Drafts of partitions belong to the owner; the loader may fill them and ask for the rest. Each
-- function finds the partition itself, so nobody can name another table.
CREATE FUNCTION city.held_partition(layer text, clearance integer) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found regclass;
BEGIN
    SELECT c.oid INTO found
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relnamespace = 'city'::regnamespace AND p.relname = layer
      AND c.relname = format('%s_%s', layer, clearance) AND clearance BETWEEN 0 AND 3;
    IF found IS NULL THEN
        RAISE EXCEPTION 'there is no such partition' USING ERRCODE = 'undefined_table';
    END IF;
    RETURN found;
END $$;
REVOKE ALL ON FUNCTION city.held_partition(text, integer) FROM PUBLIC;

-- An empty table of the shape of a partition, without its indexes, for the caller to fill.
CREATE FUNCTION city.make_draft(layer text, clearance integer, load_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held regclass := city.held_partition(layer, clearance);
    draft text := format('draft_%s_%s', clearance, load_id);
BEGIN
    -- The constraint is what attaching it would else look through all rows for.
    EXECUTE format(
        'CREATE TABLE staging.%I '
        '(LIKE %s INCLUDING GENERATED, CONSTRAINT draft_clearance CHECK (clearance = %s))',
        draft, held, clearance);
    EXECUTE format('GRANT SELECT, INSERT ON staging.%I TO %I', draft, session_user);
END $$;
REVOKE ALL ON FUNCTION city.make_draft(text, integer, bigint) FROM PUBLIC;

-- The indexes that the partition has of one access method.
CREATE FUNCTION city.index_draft(layer text, clearance integer, load_id bigint, method text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held regclass := city.held_partition(layer, clearance);
    draft text := format('draft_%s_%s', clearance, load_id);
    index record;
BEGIN
    FOR index IN
        SELECT c.relname, i.indisunique, pg_get_indexdef(c.oid) AS definition
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid = held AND a.amname = method
    LOOP
        EXECUTE format(
            'CREATE %s INDEX %I ON staging.%I%s',
            CASE WHEN index.indisunique THEN 'UNIQUE' END,
            format('%s_%s', index.relname, load_id), draft,
            substr(index.definition, strpos(index.definition, ' USING ')));
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION city.index_draft(text, integer, bigint, text) FROM PUBLIC;

-- The draft becomes the partition. Views are locked before the layer's table and that before the
-- partition, in the order in which readers and writers lock them, so that no two wait for each other.
CREATE FUNCTION city.adopt_draft(layer text, clearance integer, load_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held regclass := city.held_partition(layer, clearance);
    name text := format('%s_%s', layer, clearance);
    draft text := format('draft_%s_%s', clearance, load_id);
    is_filled boolean;
    reader record;
    index record;
BEGIN
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
                pg_get_viewdef(reader.oid), format('\mcity\.%s\M( %s\M)?', name, name),
                format('staging.%I %I', draft, name), 'g'));
    END LOOP;
    EXECUTE format('LOCK TABLE ONLY city.%I IN ACCESS EXCLUSIVE MODE', layer);
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
    EXECUTE format('ALTER TABLE city.%I DETACH PARTITION %s', layer, held);
    EXECUTE format('DROP TABLE %s', held);
    EXECUTE format('ALTER TABLE staging.%I SET SCHEMA city', draft);
    EXECUTE format('ALTER TABLE city.%I RENAME TO %I', draft, name);
    EXECUTE format(
        'ALTER TABLE city.%I ATTACH PARTITION city.%I FOR VALUES IN (%s)', layer, name, clearance);
    EXECUTE format('ALTER TABLE city.%I DROP CONSTRAINT draft_clearance', name);
    IF session_user <> current_user THEN
        EXECUTE format('REVOKE ALL ON city.%I FROM %I', name, session_user);
    END IF;
    FOR index IN
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = format('city.%I', name)::regclass
    LOOP
        EXECUTE format(
            'ALTER INDEX city.%I RENAME TO %I', index.relname,
            left(index.relname, -length(format('_%s', load_id))));
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION city.adopt_draft(text, integer, bigint) FROM PUBLIC;

-- What a load leaves that did not end well.
CREATE FUNCTION city.discard_drafts(load_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    FOR clearance IN 0..3 LOOP
        EXECUTE format('DROP TABLE IF EXISTS staging.%I', format('draft_%s_%s', clearance, load_id));
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION city.discard_drafts(bigint) FROM PUBLIC;
