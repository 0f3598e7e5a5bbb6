CREATE TABLE city.overviews (
	layer TEXT NOT NULL, 
	clearance SMALLINT NOT NULL, 
	base_zoom SMALLINT NOT NULL, 
	features BIGINT NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	PRIMARY KEY (layer, clearance)
);

CREATE TABLE city.districts_overview (
	tile_zoom SMALLINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	code TEXT, 
	name TEXT, 
	level TEXT, 
	parent_code TEXT, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	tile_rank DOUBLE PRECISION NOT NULL, 
	reference_x DOUBLE PRECISION NOT NULL, 
	reference_y DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(GEOMETRY,3857) NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.districts_cells (
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

CREATE TABLE city.districts_overview_0 PARTITION OF city.districts_overview FOR VALUES IN (0);

CREATE TABLE city.districts_cells_0 PARTITION OF city.districts_cells FOR VALUES IN (0);

CREATE INDEX districts_overview_0_geom ON city.districts_overview_0 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX districts_overview_0_ended_geom ON city.districts_overview_0 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX districts_cells_0_cell ON city.districts_cells_0 (cell_zoom, cell);

CREATE TABLE city.districts_overview_1 PARTITION OF city.districts_overview FOR VALUES IN (1);

CREATE TABLE city.districts_cells_1 PARTITION OF city.districts_cells FOR VALUES IN (1);

CREATE INDEX districts_overview_1_geom ON city.districts_overview_1 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX districts_overview_1_ended_geom ON city.districts_overview_1 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX districts_cells_1_cell ON city.districts_cells_1 (cell_zoom, cell);

CREATE TABLE city.districts_overview_2 PARTITION OF city.districts_overview FOR VALUES IN (2);

CREATE TABLE city.districts_cells_2 PARTITION OF city.districts_cells FOR VALUES IN (2);

CREATE INDEX districts_overview_2_geom ON city.districts_overview_2 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX districts_overview_2_ended_geom ON city.districts_overview_2 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX districts_cells_2_cell ON city.districts_cells_2 (cell_zoom, cell);

CREATE TABLE city.districts_overview_3 PARTITION OF city.districts_overview FOR VALUES IN (3);

CREATE TABLE city.districts_cells_3 PARTITION OF city.districts_cells FOR VALUES IN (3);

CREATE INDEX districts_overview_3_geom ON city.districts_overview_3 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX districts_overview_3_ended_geom ON city.districts_overview_3 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX districts_cells_3_cell ON city.districts_cells_3 (cell_zoom, cell);

CREATE TABLE city.parcels_overview (
	tile_zoom SMALLINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	code TEXT, 
	unit_code TEXT, 
	land_use_code TEXT, 
	land_use TEXT, 
	land_use_name TEXT, 
	address TEXT, 
	area_m2 DOUBLE PRECISION, 
	right_type TEXT, 
	right_nature TEXT, 
	holder TEXT, 
	registered_on DATE, 
	status TEXT, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	tile_rank DOUBLE PRECISION NOT NULL, 
	reference_x DOUBLE PRECISION NOT NULL, 
	reference_y DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(GEOMETRY,3857) NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.parcels_cells (
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

CREATE TABLE city.parcels_overview_0 PARTITION OF city.parcels_overview FOR VALUES IN (0);

CREATE TABLE city.parcels_cells_0 PARTITION OF city.parcels_cells FOR VALUES IN (0);

CREATE INDEX parcels_overview_0_geom ON city.parcels_overview_0 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX parcels_overview_0_ended_geom ON city.parcels_overview_0 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX parcels_cells_0_cell ON city.parcels_cells_0 (cell_zoom, cell);

CREATE TABLE city.parcels_overview_1 PARTITION OF city.parcels_overview FOR VALUES IN (1);

CREATE TABLE city.parcels_cells_1 PARTITION OF city.parcels_cells FOR VALUES IN (1);

CREATE INDEX parcels_overview_1_geom ON city.parcels_overview_1 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX parcels_overview_1_ended_geom ON city.parcels_overview_1 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX parcels_cells_1_cell ON city.parcels_cells_1 (cell_zoom, cell);

CREATE TABLE city.parcels_overview_2 PARTITION OF city.parcels_overview FOR VALUES IN (2);

CREATE TABLE city.parcels_cells_2 PARTITION OF city.parcels_cells FOR VALUES IN (2);

CREATE INDEX parcels_overview_2_geom ON city.parcels_overview_2 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX parcels_overview_2_ended_geom ON city.parcels_overview_2 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX parcels_cells_2_cell ON city.parcels_cells_2 (cell_zoom, cell);

CREATE TABLE city.parcels_overview_3 PARTITION OF city.parcels_overview FOR VALUES IN (3);

CREATE TABLE city.parcels_cells_3 PARTITION OF city.parcels_cells FOR VALUES IN (3);

CREATE INDEX parcels_overview_3_geom ON city.parcels_overview_3 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX parcels_overview_3_ended_geom ON city.parcels_overview_3 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX parcels_cells_3_cell ON city.parcels_cells_3 (cell_zoom, cell);

CREATE TABLE city.roads_overview (
	tile_zoom SMALLINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	code TEXT, 
	name TEXT, 
	road_class TEXT, 
	width_m DOUBLE PRECISION, 
	lanes INTEGER, 
	oneway BOOLEAN, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	tile_rank DOUBLE PRECISION NOT NULL, 
	reference_x DOUBLE PRECISION NOT NULL, 
	reference_y DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(GEOMETRY,3857) NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.roads_cells (
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

CREATE TABLE city.roads_overview_0 PARTITION OF city.roads_overview FOR VALUES IN (0);

CREATE TABLE city.roads_cells_0 PARTITION OF city.roads_cells FOR VALUES IN (0);

CREATE INDEX roads_overview_0_geom ON city.roads_overview_0 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX roads_overview_0_ended_geom ON city.roads_overview_0 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX roads_cells_0_cell ON city.roads_cells_0 (cell_zoom, cell);

CREATE TABLE city.roads_overview_1 PARTITION OF city.roads_overview FOR VALUES IN (1);

CREATE TABLE city.roads_cells_1 PARTITION OF city.roads_cells FOR VALUES IN (1);

CREATE INDEX roads_overview_1_geom ON city.roads_overview_1 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX roads_overview_1_ended_geom ON city.roads_overview_1 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX roads_cells_1_cell ON city.roads_cells_1 (cell_zoom, cell);

CREATE TABLE city.roads_overview_2 PARTITION OF city.roads_overview FOR VALUES IN (2);

CREATE TABLE city.roads_cells_2 PARTITION OF city.roads_cells FOR VALUES IN (2);

CREATE INDEX roads_overview_2_geom ON city.roads_overview_2 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX roads_overview_2_ended_geom ON city.roads_overview_2 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX roads_cells_2_cell ON city.roads_cells_2 (cell_zoom, cell);

CREATE TABLE city.roads_overview_3 PARTITION OF city.roads_overview FOR VALUES IN (3);

CREATE TABLE city.roads_cells_3 PARTITION OF city.roads_cells FOR VALUES IN (3);

CREATE INDEX roads_overview_3_geom ON city.roads_overview_3 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX roads_overview_3_ended_geom ON city.roads_overview_3 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX roads_cells_3_cell ON city.roads_cells_3 (cell_zoom, cell);

CREATE TABLE city.underground_structures_overview (
	tile_zoom SMALLINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	code TEXT, 
	kind TEXT, 
	name TEXT, 
	line_name TEXT, 
	top_elevation_m DOUBLE PRECISION, 
	bottom_elevation_m DOUBLE PRECISION, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	tile_rank DOUBLE PRECISION NOT NULL, 
	reference_x DOUBLE PRECISION NOT NULL, 
	reference_y DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(GEOMETRY,3857) NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.underground_structures_cells (
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

CREATE TABLE city.underground_structures_overview_2 PARTITION OF city.underground_structures_overview FOR VALUES IN (2);

CREATE TABLE city.underground_structures_cells_2 PARTITION OF city.underground_structures_cells FOR VALUES IN (2);

CREATE INDEX underground_structures_overview_2_geom ON city.underground_structures_overview_2 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX underground_structures_overview_2_ended_geom ON city.underground_structures_overview_2 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX underground_structures_cells_2_cell ON city.underground_structures_cells_2 (cell_zoom, cell);

CREATE TABLE city.underground_structures_overview_3 PARTITION OF city.underground_structures_overview FOR VALUES IN (3);

CREATE TABLE city.underground_structures_cells_3 PARTITION OF city.underground_structures_cells FOR VALUES IN (3);

CREATE INDEX underground_structures_overview_3_geom ON city.underground_structures_overview_3 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX underground_structures_overview_3_ended_geom ON city.underground_structures_overview_3 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX underground_structures_cells_3_cell ON city.underground_structures_cells_3 (cell_zoom, cell);

CREATE TABLE city.pipelines_overview (
	tile_zoom SMALLINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	code TEXT, 
	kind TEXT, 
	category TEXT, 
	start_node TEXT, 
	end_node TEXT, 
	diameter_mm DOUBLE PRECISION, 
	section TEXT, 
	material TEXT, 
	burial TEXT, 
	start_depth_m DOUBLE PRECISION, 
	end_depth_m DOUBLE PRECISION, 
	start_elevation_m DOUBLE PRECISION, 
	end_elevation_m DOUBLE PRECISION, 
	depth_ref TEXT, 
	flow_direction TEXT, 
	pressure TEXT, 
	voltage TEXT, 
	cable_count INTEGER, 
	hole_count INTEGER, 
	hole_used INTEGER, 
	road_name TEXT, 
	owner TEXT, 
	installed_on DATE, 
	status TEXT, 
	data_source TEXT, 
	z_source TEXT, 
	admin_code TEXT, 
	clearance SMALLINT NOT NULL, 
	valid_during TSTZRANGE NOT NULL, 
	tile_rank DOUBLE PRECISION NOT NULL, 
	reference_x DOUBLE PRECISION NOT NULL, 
	reference_y DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(GEOMETRY,3857) NOT NULL
)
 PARTITION BY LIST (clearance);

CREATE TABLE city.pipelines_cells (
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

CREATE TABLE city.pipelines_overview_2 PARTITION OF city.pipelines_overview FOR VALUES IN (2);

CREATE TABLE city.pipelines_cells_2 PARTITION OF city.pipelines_cells FOR VALUES IN (2);

CREATE INDEX pipelines_overview_2_geom ON city.pipelines_overview_2 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX pipelines_overview_2_ended_geom ON city.pipelines_overview_2 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX pipelines_cells_2_cell ON city.pipelines_cells_2 (cell_zoom, cell);

CREATE TABLE city.pipelines_overview_3 PARTITION OF city.pipelines_overview FOR VALUES IN (3);

CREATE TABLE city.pipelines_cells_3 PARTITION OF city.pipelines_cells FOR VALUES IN (3);

CREATE INDEX pipelines_overview_3_geom ON city.pipelines_overview_3 USING gist (tile_zoom, geom_3857) WHERE upper_inf(valid_during);

CREATE INDEX pipelines_overview_3_ended_geom ON city.pipelines_overview_3 USING gist (tile_zoom, geom_3857, valid_during) WHERE NOT upper_inf(valid_during);

CREATE INDEX pipelines_cells_3_cell ON city.pipelines_cells_3 (cell_zoom, cell);

CREATE TABLE city.pipeline_nodes_cells (
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

CREATE TABLE city.pipeline_nodes_cells_2 PARTITION OF city.pipeline_nodes_cells FOR VALUES IN (2);

CREATE INDEX pipeline_nodes_cells_2_cell ON city.pipeline_nodes_cells_2 (cell_zoom, cell);

CREATE TABLE city.pipeline_nodes_cells_3 PARTITION OF city.pipeline_nodes_cells FOR VALUES IN (3);

CREATE INDEX pipeline_nodes_cells_3_cell ON city.pipeline_nodes_cells_3 (cell_zoom, cell);

CREATE TABLE city.facilities_cells (
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

CREATE TABLE city.facilities_cells_0 PARTITION OF city.facilities_cells FOR VALUES IN (0);

CREATE INDEX facilities_cells_0_cell ON city.facilities_cells_0 (cell_zoom, cell);

CREATE TABLE city.facilities_cells_1 PARTITION OF city.facilities_cells FOR VALUES IN (1);

CREATE INDEX facilities_cells_1_cell ON city.facilities_cells_1 (cell_zoom, cell);

CREATE TABLE city.facilities_cells_2 PARTITION OF city.facilities_cells FOR VALUES IN (2);

CREATE INDEX facilities_cells_2_cell ON city.facilities_cells_2 (cell_zoom, cell);

CREATE TABLE city.facilities_cells_3 PARTITION OF city.facilities_cells FOR VALUES IN (3);

CREATE INDEX facilities_cells_3_cell ON city.facilities_cells_3 (cell_zoom, cell);

