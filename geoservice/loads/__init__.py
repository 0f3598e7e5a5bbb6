"""Loading through the web: files taken in, jobs worked off, previews kept."""
