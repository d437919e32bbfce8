"""Values and rules that every other package uses: names, entries, errors, limits, name patterns.

Imports nothing of chatd, and only the standard library and msgspec: no Twisted, no input or output.
To add: a module here is a value type or a pure function that at least two other packages need.
"""
