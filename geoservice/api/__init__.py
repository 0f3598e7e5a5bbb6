"""The HTTP resources, one module for each family; SQL stays in the lower rooms."""

__all__: list[str] = []
