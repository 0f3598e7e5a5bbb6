CREATE TABLE city.resources (
	feature_id BIGINT NOT NULL, 
	natural_key TEXT NOT NULL, 
	key_derived BOOLEAN NOT NULL, 
	code TEXT, 
	facility TEXT, 
	resource_type TEXT, 
	name TEXT, 
	capacity INTEGER, 
	price_class TEXT, 
	opening_hours TEXT, 
	accessible BOOLEAN, 
	booking_url TEXT, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	load_id BIGINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	recorded_during TSTZRANGE NOT NULL, 
	geom geometry(POINT,4490) NOT NULL, 
	geom_3857 geometry(POINT,3857) GENERATED ALWAYS AS (st_transform(geom, 3857)) STORED
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.resources_past (
	feature_id BIGINT NOT NULL, 
	natural_key TEXT NOT NULL, 
	key_derived BOOLEAN NOT NULL, 
	code TEXT, 
	facility TEXT, 
	resource_type TEXT, 
	name TEXT, 
	capacity INTEGER, 
	price_class TEXT, 
	opening_hours TEXT, 
	accessible BOOLEAN, 
	booking_url TEXT, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	load_id BIGINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	recorded_during TSTZRANGE NOT NULL, 
	geom geometry(POINT,4490) NOT NULL, 
	geom_3857 geometry(POINT,3857) GENERATED ALWAYS AS (st_transform(geom, 3857)) STORED
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.resources_cells (
	cell_zoom SMALLINT NOT NULL, 
	cell BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	clearance SMALLINT NOT NULL, 
	present INTEGER NOT NULL, 
	last_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	versions INTEGER NOT NULL, 
	sum_x_cm BIGINT NOT NULL, 
	sum_y_cm BIGINT NOT NULL, 
	instants TIMESTAMP WITH TIME ZONE[] NOT NULL, 
	changes INTEGER[] NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.resources_0 PARTITION OF city.resources FOR VALUES IN (0);

CREATE UNIQUE INDEX resources_0_feature_id ON city.resources_0 (feature_id) WHERE upper_inf(valid_during);

CREATE UNIQUE INDEX resources_0_natural_key ON city.resources_0 (natural_key) WHERE upper_inf(valid_during);

CREATE INDEX resources_0_geom ON city.resources_0 USING gist (geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX resources_0_ended_feature_id ON city.resources_0 (feature_id, upper(valid_during), lower(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_0_ended_until ON city.resources_0 (upper(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_0_ended_natural_key ON city.resources_0 (natural_key) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_0_ended_geom ON city.resources_0 USING gist (geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE TABLE city.resources_past_0 PARTITION OF city.resources_past FOR VALUES IN (0);

CREATE INDEX resources_past_0_feature_id ON city.resources_past_0 (feature_id);

CREATE INDEX resources_past_0_natural_key ON city.resources_past_0 (natural_key);

CREATE INDEX resources_past_0_geom ON city.resources_past_0 USING gist (geom_3857, recorded_during);

CREATE TABLE city.resources_cells_0 PARTITION OF city.resources_cells FOR VALUES IN (0);

CREATE INDEX resources_cells_0_cell ON city.resources_cells_0 (cell_zoom, cell);

CREATE TABLE city.resources_1 PARTITION OF city.resources FOR VALUES IN (1);

CREATE UNIQUE INDEX resources_1_feature_id ON city.resources_1 (feature_id) WHERE upper_inf(valid_during);

CREATE UNIQUE INDEX resources_1_natural_key ON city.resources_1 (natural_key) WHERE upper_inf(valid_during);

CREATE INDEX resources_1_geom ON city.resources_1 USING gist (geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX resources_1_ended_feature_id ON city.resources_1 (feature_id, upper(valid_during), lower(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_1_ended_until ON city.resources_1 (upper(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_1_ended_natural_key ON city.resources_1 (natural_key) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_1_ended_geom ON city.resources_1 USING gist (geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE TABLE city.resources_past_1 PARTITION OF city.resources_past FOR VALUES IN (1);

CREATE INDEX resources_past_1_feature_id ON city.resources_past_1 (feature_id);

CREATE INDEX resources_past_1_natural_key ON city.resources_past_1 (natural_key);

CREATE INDEX resources_past_1_geom ON city.resources_past_1 USING gist (geom_3857, recorded_during);

CREATE TABLE city.resources_cells_1 PARTITION OF city.resources_cells FOR VALUES IN (1);

CREATE INDEX resources_cells_1_cell ON city.resources_cells_1 (cell_zoom, cell);

CREATE TABLE city.resources_2 PARTITION OF city.resources FOR VALUES IN (2);

CREATE UNIQUE INDEX resources_2_feature_id ON city.resources_2 (feature_id) WHERE upper_inf(valid_during);

CREATE UNIQUE INDEX resources_2_natural_key ON city.resources_2 (natural_key) WHERE upper_inf(valid_during);

CREATE INDEX resources_2_geom ON city.resources_2 USING gist (geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX resources_2_ended_feature_id ON city.resources_2 (feature_id, upper(valid_during), lower(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_2_ended_until ON city.resources_2 (upper(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_2_ended_natural_key ON city.resources_2 (natural_key) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_2_ended_geom ON city.resources_2 USING gist (geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE TABLE city.resources_past_2 PARTITION OF city.resources_past FOR VALUES IN (2);

CREATE INDEX resources_past_2_feature_id ON city.resources_past_2 (feature_id);

CREATE INDEX resources_past_2_natural_key ON city.resources_past_2 (natural_key);

CREATE INDEX resources_past_2_geom ON city.resources_past_2 USING gist (geom_3857, recorded_during);

CREATE TABLE city.resources_cells_2 PARTITION OF city.resources_cells FOR VALUES IN (2);

CREATE INDEX resources_cells_2_cell ON city.resources_cells_2 (cell_zoom, cell);

CREATE TABLE city.resources_3 PARTITION OF city.resources FOR VALUES IN (3);

CREATE UNIQUE INDEX resources_3_feature_id ON city.resources_3 (feature_id) WHERE upper_inf(valid_during);

CREATE UNIQUE INDEX resources_3_natural_key ON city.resources_3 (natural_key) WHERE upper_inf(valid_during);

CREATE INDEX resources_3_geom ON city.resources_3 USING gist (geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX resources_3_ended_feature_id ON city.resources_3 (feature_id, upper(valid_during), lower(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_3_ended_until ON city.resources_3 (upper(valid_during)) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_3_ended_natural_key ON city.resources_3 (natural_key) WHERE NOT upper_inf(valid_during);

CREATE INDEX resources_3_ended_geom ON city.resources_3 USING gist (geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE TABLE city.resources_past_3 PARTITION OF city.resources_past FOR VALUES IN (3);

CREATE INDEX resources_past_3_feature_id ON city.resources_past_3 (feature_id);

CREATE INDEX resources_past_3_natural_key ON city.resources_past_3 (natural_key);

CREATE INDEX resources_past_3_geom ON city.resources_past_3 USING gist (geom_3857, recorded_during);

CREATE TABLE city.resources_cells_3 PARTITION OF city.resources_cells FOR VALUES IN (3);

CREATE INDEX resources_cells_3_cell ON city.resources_cells_3 (cell_zoom, cell);

