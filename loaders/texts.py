"""Texts of files and of libraries, made fit to be kept and shown."""

from __future__ import annotations


def storable(text: str) -> str:
    """A text that any database and any terminal takes.

    NUL, which PostgreSQL does not store, and halves of surrogate pairs, which are no UTF-8, become
    question marks; libraries quote such bytes of damaged files in their messages.
    """
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
