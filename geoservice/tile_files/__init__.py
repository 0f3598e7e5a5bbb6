"""Many tiles at once: rendered by several processes, put into files."""
