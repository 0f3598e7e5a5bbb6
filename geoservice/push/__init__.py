"""Events pushed to whoever asked for them: as streams, and to addresses of subscribers."""
