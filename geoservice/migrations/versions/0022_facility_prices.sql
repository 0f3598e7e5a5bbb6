ALTER TABLE city.facilities ADD COLUMN price_class TEXT, ADD COLUMN booking_url TEXT;
ALTER TABLE city.facilities_past ADD COLUMN price_class TEXT, ADD COLUMN booking_url TEXT;
