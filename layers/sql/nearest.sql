-- The nearest facilities of one partition, open-ended or ended: one branch of the search. Words in
-- braces are filled from the descriptor and from constants of layers/availability.py; values are
-- bound. As a scalar subquery the place is made once, not for each row. Of a point, @ says what &&
-- says; but && is taken to be so rare that the index of the place alone looks as good as the one
-- that knows the kind too.
(SELECT {columns}, f.geom_3857 <-> {place} AS mercator_m
 FROM {view} f
 WHERE {when} AND f.geom_3857 @ ST_Expand({place}, %(reach)s) {kind} {free}
 ORDER BY f.geom_3857 <-> {place} LIMIT %(wanted)s)
