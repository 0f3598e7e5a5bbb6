"""The cache of tiles as the service keeps it: never older than what was reported done."""
