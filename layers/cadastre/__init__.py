"""The cadastre: what parcels mean beyond their shapes."""
