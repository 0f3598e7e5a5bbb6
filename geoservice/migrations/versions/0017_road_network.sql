CREATE TABLE city.road_edges_0 (
	edge_id BIGINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	source BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	length_m DOUBLE PRECISION NOT NULL, 
	drive_s DOUBLE PRECISION NOT NULL, 
	drive_back_s DOUBLE PRECISION NOT NULL, 
	walk_s DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(LINESTRING,3857) NOT NULL, 
	PRIMARY KEY (edge_id)
);

CREATE INDEX road_edges_0_geom ON city.road_edges_0 USING gist (geom_3857);

CREATE INDEX road_edges_0_source ON city.road_edges_0 (source);

CREATE INDEX road_edges_0_target ON city.road_edges_0 (target);

CREATE TABLE city.road_edges_1 (
	edge_id BIGINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	source BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	length_m DOUBLE PRECISION NOT NULL, 
	drive_s DOUBLE PRECISION NOT NULL, 
	drive_back_s DOUBLE PRECISION NOT NULL, 
	walk_s DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(LINESTRING,3857) NOT NULL, 
	PRIMARY KEY (edge_id)
);

CREATE INDEX road_edges_1_geom ON city.road_edges_1 USING gist (geom_3857);

CREATE INDEX road_edges_1_source ON city.road_edges_1 (source);

CREATE INDEX road_edges_1_target ON city.road_edges_1 (target);

CREATE TABLE city.road_edges_2 (
	edge_id BIGINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	source BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	length_m DOUBLE PRECISION NOT NULL, 
	drive_s DOUBLE PRECISION NOT NULL, 
	drive_back_s DOUBLE PRECISION NOT NULL, 
	walk_s DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(LINESTRING,3857) NOT NULL, 
	PRIMARY KEY (edge_id)
);

CREATE INDEX road_edges_2_geom ON city.road_edges_2 USING gist (geom_3857);

CREATE INDEX road_edges_2_source ON city.road_edges_2 (source);

CREATE INDEX road_edges_2_target ON city.road_edges_2 (target);

CREATE TABLE city.road_edges_3 (
	edge_id BIGINT NOT NULL, 
	feature_id BIGINT NOT NULL, 
	source BIGINT NOT NULL, 
	target BIGINT NOT NULL, 
	length_m DOUBLE PRECISION NOT NULL, 
	drive_s DOUBLE PRECISION NOT NULL, 
	drive_back_s DOUBLE PRECISION NOT NULL, 
	walk_s DOUBLE PRECISION NOT NULL, 
	geom_3857 geometry(LINESTRING,3857) NOT NULL, 
	PRIMARY KEY (edge_id)
);

CREATE INDEX road_edges_3_geom ON city.road_edges_3 USING gist (geom_3857);

CREATE INDEX road_edges_3_source ON city.road_edges_3 (source);

CREATE INDEX road_edges_3_target ON city.road_edges_3 (target);

CREATE TABLE city.road_network (
	singleton BOOLEAN DEFAULT true NOT NULL, 
	made_for TIMESTAMP WITH TIME ZONE, 
	PRIMARY KEY (singleton), 
	CONSTRAINT road_network_one_row CHECK (singleton)
);

INSERT INTO city.road_network (made_for) VALUES (NULL);
