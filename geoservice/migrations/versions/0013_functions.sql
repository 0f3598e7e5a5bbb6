-- The number of a tile among those of its zoom: bits of x and y by turns, y before x.
CREATE FUNCTION city.quadkey(x integer, y integer) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a bigint := x;
    b bigint := y;
BEGIN
    a := (a | (a << 16)) & 281470681808895;
    a := (a | (a << 8)) & 71777214294589695;
    a := (a | (a << 4)) & 1085102592571150095;
    a := (a | (a << 2)) & 3689348814741910323;
    a := (a | (a << 1)) & 6148914691236517205;
    b := (b | (b << 16)) & 281470681808895;
    b := (b | (b << 8)) & 71777214294589695;
    b := (b | (b << 4)) & 1085102592571150095;
    b := (b | (b << 2)) & 3689348814741910323;
    b := (b | (b << 1)) & 6148914691236517205;
    RETURN a | (b << 1);
END $$;
REVOKE ALL ON FUNCTION city.quadkey(integer, integer) FROM PUBLIC;

-- As before, and what low zooms read.
CREATE OR REPLACE FUNCTION city.analyze_layer(layer text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition record;
BEGIN
    FOR partition IN
        SELECT c.oid::regclass AS name
        FROM pg_class held
        JOIN pg_class p ON p.relnamespace = held.relnamespace
                       AND p.relname IN (held.relname, held.relname || '_past',
                                         held.relname || '_overview', held.relname || '_cells')
        JOIN pg_inherits i ON i.inhparent = p.oid
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE held.oid = city.layer_table(layer)
    LOOP
        EXECUTE format('ANALYZE %s', partition.name);
    END LOOP;
END $$;

-- Themes that are there already.
DO $$
DECLARE
    theme record;
    partition record;
    columns text;
    is_points boolean;
BEGIN
    FOR theme IN
        SELECT c.oid, c.relname AS name FROM city.themes t
        JOIN pg_class c ON c.oid = to_regclass(format('themes.t%s', t.theme_id))
        WHERE t.dropped_at IS NULL
    LOOP
        SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                          ORDER BY attnum)
        INTO columns
        FROM pg_attribute
        WHERE attrelid = theme.oid AND attnum > 0 AND NOT attisdropped
          AND attname ~ '^a[0-9]+$';
        SELECT format_type(atttypid, atttypmod) ~* 'point' INTO is_points
        FROM pg_attribute WHERE attrelid = theme.oid AND attname = 'geom';
        IF NOT is_points THEN
            EXECUTE format(
                'CREATE TABLE themes.%I (tile_zoom smallint NOT NULL, feature_id bigint NOT NULL, '
                '%s admin_code text, clearance smallint NOT NULL, valid_during tstzrange NOT NULL, '
                'tile_rank double precision NOT NULL, reference_x double precision NOT NULL, '
                'reference_y double precision NOT NULL, '
                'geom_3857 public.geometry(Geometry, 3857) NOT NULL) PARTITION BY LIST (clearance)',
                theme.name || '_overview', columns || ', ');
        END IF;
        EXECUTE format(
            'CREATE TABLE themes.%I (cell_zoom smallint NOT NULL, cell bigint NOT NULL, '
            'kind text NOT NULL, clearance smallint NOT NULL, present integer NOT NULL, '
            'last_at timestamptz NOT NULL, versions integer NOT NULL, sum_x_cm bigint NOT NULL, '
            'sum_y_cm bigint NOT NULL, instants timestamptz[] NOT NULL, changes integer[] NOT NULL)'
            ' PARTITION BY LIST (clearance)',
            theme.name || '_cells');
        FOR partition IN
            SELECT substr(c.relname, length(theme.name) + 2) AS clearance
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = theme.oid
        LOOP
            IF NOT is_points THEN
                EXECUTE format(
                    'CREATE TABLE themes.%1$I PARTITION OF themes.%2$I FOR VALUES IN (%3$s);'
                    'CREATE INDEX %4$I ON themes.%1$I USING gist (tile_zoom, geom_3857) '
                    'WHERE upper_inf(valid_during);'
                    'CREATE INDEX %5$I ON themes.%1$I USING gist '
                    '(tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during)',
                    format('%s_overview_%s', theme.name, partition.clearance),
                    theme.name || '_overview', partition.clearance,
                    format('%s_overview_%s_geom', theme.name, partition.clearance),
                    format('%s_overview_%s_ended_geom', theme.name, partition.clearance));
            END IF;
            EXECUTE format(
                'CREATE TABLE themes.%1$I PARTITION OF themes.%2$I FOR VALUES IN (%3$s);'
                'CREATE INDEX %4$I ON themes.%1$I (cell_zoom, cell)',
                format('%s_cells_%s', theme.name, partition.clearance),
                theme.name || '_cells', partition.clearance,
                format('%s_cells_%s_cell', theme.name, partition.clearance));
        END LOOP;
    END LOOP;
END $$;
