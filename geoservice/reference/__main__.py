"""``python -P -m geoservice.reference`` writes the pages; a test compares them with the code."""

from geoservice.reference.pages import write_pages

write_pages()
