"""The daemon's options: command line, environment, configuration file, and the types of values.

`options` has the table of options, `option_types` the types of their values, `python_command` the
command that hints show. Imports `chatd.core` only, so that ``--help`` is quick and the admin
command line can use the types. To add an option: its type in `option_types`, its rows in `options`;
all steps are in ``docs/architecture.md`` ("An option").
"""
