"""What the city is: layer descriptors, tables, time, access, the one way to write, and queries."""

__all__: list[str] = []
