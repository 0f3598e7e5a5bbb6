"""Readers of formats, one module for each kind, run in the bounded process and only there.

Each module has ``opened(request)``, a context in which rows of one layer are read, and, where
a file may hold several layers or its columns are not known beforehand, ``layers(request)``. They
import nothing of the project but each other, and the library of their format only when it is asked
for, because the process starts anew for each file. A new format is a module here and a line in
``loaders.sources``.
"""
