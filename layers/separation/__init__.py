"""Separation (净距): how far pipes are from each other, and how far a table wants them to be."""
