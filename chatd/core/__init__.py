"""What every other package uses: names, entries, errors, limits, name patterns, the clocks.

Imports nothing of chatd, and only the standard library and msgspec: no Twisted, no input or output.
To add: a module here is a value type or a pure function that at least two other packages need; only
`clocks` reads something, the time.
"""
