"""The house: HTTP, command line, processes, settings, secrets and the web map."""

__version__ = "0.1.0"
