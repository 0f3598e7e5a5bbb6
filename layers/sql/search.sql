-- Facilities of one partition, open-ended or ended: one branch of a search. Words in braces are
-- filled from the descriptor, from constants of layers/availability.py and from
-- layers/facility_filters.py; values are bound. As a scalar subquery a place is made once, not for
-- each row. Of a point, @ says what && says; but && is taken to be so rare that the index of the
-- place alone looks as good as the one that knows the kind too.
(SELECT {columns}, {order} AS sort_value
 FROM {view} f {resource}
 WHERE {when} AND {conditions}
 ORDER BY {order_by} LIMIT %(wanted)s)
