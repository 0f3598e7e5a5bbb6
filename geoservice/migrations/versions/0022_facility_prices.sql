ALTER TABLE city.facilities ADD COLUMN price_class TEXT, ADD COLUMN booking_url TEXT;
ALTER TABLE city.facilities_past ADD COLUMN price_class TEXT, ADD COLUMN booking_url TEXT;

-- Figures of a resource are compared with how much of it there is.
CREATE INDEX resources_0_lookup ON city.resources_0 (facility) WHERE upper_inf(valid_during);
CREATE INDEX resources_1_lookup ON city.resources_1 (facility) WHERE upper_inf(valid_during);
CREATE INDEX resources_2_lookup ON city.resources_2 (facility) WHERE upper_inf(valid_during);
CREATE INDEX resources_3_lookup ON city.resources_3 (facility) WHERE upper_inf(valid_during);
