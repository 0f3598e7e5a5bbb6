-- One facility at an instant with its newest figure: one branch, words in braces as in nearest.sql.
(SELECT {columns}, 0::double precision AS mercator_m
 FROM {view} f WHERE {when} AND f.feature_id = %(feature_id)s)
