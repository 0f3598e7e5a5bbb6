"""Fuzzing: files that were damaged at random go through the readers, and no harm may come of it."""
