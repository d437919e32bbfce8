"""The daemon's options: command line, environment and configuration file, and what their texts mean.

Imports `chatd.core` only, so that ``--help`` is quick and the admin command line can use the types.
To add an option: its type in `option_types`, its row in `options`, its line in `docs/operations.md`.
"""
