-- Rows of a first load are copied straight into what becomes the partitions: staging.load_N is a
-- partitioned table whose parts are the drafts, one for each partition of the layer, and
-- staging.rest_N for rows of which something is known only when they are published: those without
-- a geometry yet, and unless the load says since when it is true, those without a date.
-- Columns that all rows share (the load, the recorded instant) are added when a draft leaves
-- staging, as constants, which rewrites nothing. What is read most often stands first.
CREATE FUNCTION city.stage_drafts(layer text, load_id bigint, default_from timestamptz)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    root text := format('load_%s', load_id);
    held regclass := city.layer_table(layer);
    name text := (SELECT relname FROM pg_class WHERE oid = held);
    columns text;
    draft text;
BEGIN
    SELECT string_agg(
               format('%I %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod),
                      CASE WHEN a.attname = 'feature_id'
                           THEN 'DEFAULT nextval(''city.feature_id_seq'')'
                           WHEN a.attname = 'valid_during'
                           THEN format('GENERATED ALWAYS AS (tstzrange(coalesce(valid_from, %L), '
                                       'NULL)) STORED', default_from)
                           WHEN a.attgenerated = 's'
                           THEN format('GENERATED ALWAYS AS (%s) STORED',
                                       pg_get_expr(d.adbin, d.adrelid)) END,
                      CASE WHEN a.attnotnull AND a.attname <> 'geom' THEN 'NOT NULL' END), ', '
               ORDER BY array_position(
                   ARRAY['feature_id', 'clearance', 'key_derived', 'valid_during', 'geom_3857'],
                   a.attname::text), a.attnum)
    INTO STRICT columns
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = held AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attname NOT IN ('load_id', 'recorded_during');
    EXECUTE format(
        'CREATE TABLE staging.%I (row_number bigint, valid_from timestamptz, %s) '
        'PARTITION BY LIST ((CASE WHEN geom IS NOT NULL AND %s THEN clearance END))',
        root, columns,
        CASE WHEN default_from IS NULL THEN 'valid_from IS NOT NULL' ELSE 'true' END);
    FOR clearance IN 0..3 LOOP
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = held AND c.relname = format('%s_%s', name, clearance));
        draft := format('draft_%s_%s', clearance, load_id);
        EXECUTE format(
            'CREATE TABLE staging.%I PARTITION OF staging.%I '
            '(geom NOT NULL, CONSTRAINT draft_clearance CHECK (clearance = %s)) FOR VALUES IN (%s)',
            draft, root, clearance, clearance);
        -- No row of a draft has ended, so these cost nothing now, and a look at all rows later.
        PERFORM city.index_draft_where(layer, clearance, load_id, '.*', ended => true);
        EXECUTE format('GRANT SELECT, INSERT ON staging.%I TO %I', draft, session_user);
    END LOOP;
    EXECUTE format(
        'CREATE UNLOGGED TABLE staging.%I PARTITION OF staging.%I DEFAULT',
        format('rest_%s', load_id), root);
    EXECUTE format(
        'GRANT SELECT, INSERT, UPDATE, DELETE ON staging.%I TO %I', root, session_user);
END $$;
REVOKE ALL ON FUNCTION city.stage_drafts(text, bigint, timestamptz) FROM PUBLIC;

-- The indexes that a partition has and its draft lacks: of access methods that match, and of
-- versions that have ended or of others.
CREATE FUNCTION city.index_draft_where(
    layer text, clearance integer, load_id bigint, methods text, ended boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held regclass := city.held_partition(layer, clearance);
    draft text := format('draft_%s_%s', clearance, load_id);
    index record;
BEGIN
    FOR index IN
        SELECT format('%s_%s', c.relname, load_id) AS name, i.indisunique,
               pg_get_indexdef(c.oid) AS definition
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid = held AND a.amname ~ methods
          AND ended = coalesce(pg_get_expr(i.indpred, held) = '(NOT upper_inf(valid_during))', false)
        ORDER BY c.relname
    LOOP
        CONTINUE WHEN to_regclass(format('staging.%I', index.name)) IS NOT NULL;
        EXECUTE format(
            'CREATE %s INDEX %I ON staging.%I%s',
            CASE WHEN index.indisunique THEN 'UNIQUE' END, index.name, draft,
            substr(index.definition, strpos(index.definition, ' USING ')));
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION city.index_draft_where(text, integer, bigint, text, boolean) FROM PUBLIC;

-- The indexes that the partition has of one access method and the draft lacks.
CREATE OR REPLACE FUNCTION city.index_draft(
    layer text, clearance integer, load_id bigint, method text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM city.index_draft_where(layer, clearance, load_id, format('^%s$', method), e)
    FROM unnest(ARRAY[true, false]) e;
END $$;

-- A draft leaves staging: what is left of the load are the other rows.
CREATE FUNCTION city.close_draft(
    layer text, clearance integer, load_id bigint, recorded_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    draft text := format('draft_%s_%s', clearance, load_id);
BEGIN
    PERFORM city.held_partition(layer, clearance);
    EXECUTE format('ALTER TABLE staging.%I DETACH PARTITION staging.%I',
                   format('load_%s', load_id), draft);
    EXECUTE format(
        'ALTER TABLE staging.%I '
        'ALTER valid_during DROP EXPRESSION, ALTER feature_id DROP DEFAULT, '
        'DROP COLUMN row_number, '
        'ADD COLUMN load_id bigint NOT NULL DEFAULT %s, '
        'ADD COLUMN recorded_during tstzrange NOT NULL DEFAULT %L',
        draft, load_id, tstzrange(recorded_at, NULL));
    EXECUTE format(
        'ALTER TABLE staging.%I DROP COLUMN valid_from, '
        'ALTER load_id DROP DEFAULT, ALTER recorded_during DROP DEFAULT', draft);
END $$;
REVOKE ALL ON FUNCTION city.close_draft(text, integer, bigint, timestamptz) FROM PUBLIC;

-- Statistics of staged rows, which belong to the owner where they are drafts.
CREATE FUNCTION city.analyze_staged(load_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ANALYZE staging.%I (row_number, natural_key)', format('load_%s', load_id));
END $$;
REVOKE ALL ON FUNCTION city.analyze_staged(bigint) FROM PUBLIC;

-- What a load leaves that did not end well.
CREATE OR REPLACE FUNCTION city.discard_drafts(load_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    root text := format('staging.load_%s', load_id);
BEGIN
    IF (SELECT relowner = current_user::regrole FROM pg_class WHERE oid = to_regclass(root)) THEN
        EXECUTE format('DROP TABLE %s', to_regclass(root));
    END IF;
    FOR clearance IN 0..3 LOOP
        EXECUTE format('DROP TABLE IF EXISTS staging.%I', format('draft_%s_%s', clearance, load_id));
    END LOOP;
END $$;

-- Of the ended versions of a feature the one that held at an instant is found within the index, and
-- those that have not ended yet by their end.
DO $$
DECLARE
    index record;
BEGIN
    FOR index IN
        SELECT c.relname AS name, n.nspname AS schema, t.relname AS partition
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE n.nspname IN ('city', 'themes') AND c.relname = t.relname || '_ended_feature_id'
    LOOP
        EXECUTE format('DROP INDEX %I.%I', index.schema, index.name);
        EXECUTE format(
            'CREATE INDEX %I ON %I.%I (feature_id, upper(valid_during), lower(valid_during)) '
            'WHERE NOT upper_inf(valid_during)', index.name, index.schema, index.partition);
        EXECUTE format(
            'CREATE INDEX %I ON %I.%I (upper(valid_during)) WHERE NOT upper_inf(valid_during)',
            index.partition || '_ended_until', index.schema, index.partition);
    END LOOP;
END $$;

-- Digests of the rows that the last load of a layer staged: random bytes, which no compression makes
-- smaller.
CREATE TABLE city.staged_digests (
    load_id bigint NOT NULL,
    part integer NOT NULL,
    seed bytea NOT NULL,
    key_digests bytea NOT NULL,
    row_digests bytea NOT NULL,
    PRIMARY KEY (load_id, part),
    FOREIGN KEY(load_id) REFERENCES city.loads (load_id)
);
ALTER TABLE city.staged_digests ALTER key_digests SET STORAGE EXTERNAL,
    ALTER row_digests SET STORAGE EXTERNAL;
