"""The daemon's options: command line, environment, configuration file, and the types of values.

Imports `chatd.core` only, so that ``--help`` is quick and the admin command line can use the types.
To add an option: its type in `option_types`, its row in `options`, a line in `docs/operations.md`.
"""
