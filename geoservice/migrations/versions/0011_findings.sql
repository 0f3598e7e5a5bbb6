ALTER TABLE city.quarantine ADD COLUMN file text;
ALTER TABLE city.quarantine ADD COLUMN place geometry(Point, 4490);
ALTER TABLE city.quarantine ADD COLUMN released_by bigint;
ALTER TABLE city.quarantine ADD FOREIGN KEY (released_by) REFERENCES city.loads (load_id);

CREATE TABLE city.findings (
    load_id bigint NOT NULL,
    rule text NOT NULL,
    severity text NOT NULL,
    row_number bigint,
    natural_key text,
    place geometry(Point, 4490),
    details jsonb NOT NULL,
    clearance smallint NOT NULL,
    CONSTRAINT findings_severity_known CHECK (severity IN ('error', 'warning')),
    FOREIGN KEY (load_id) REFERENCES city.loads (load_id)
);
CREATE INDEX findings_by_load ON city.findings (load_id, rule);
