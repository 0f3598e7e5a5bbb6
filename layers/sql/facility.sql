-- One facility at an instant with its newest figure: one branch, words in braces as in search.sql.
(SELECT {columns}, 0::double precision AS sort_value
 FROM {view} f WHERE {when} AND f.feature_id = %(feature_id)s)
