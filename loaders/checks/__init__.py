"""Checks of each row while it is normalised, and of all rows of a load when they are staged.

``rows`` looks at columns of a batch; ``staged`` runs set-wise in SQL, before any lock.
"""
