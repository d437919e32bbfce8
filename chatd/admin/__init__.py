"""The operators' command line, ``python -m chatd.admin``: commands to a running daemon.

Imports `chatd.core`, `chatd.codecs` and `chatd.config`, and no reactor: a command starts quickly
and blocks on the daemon's admin socket. `command_line` finds the socket and the command, `commands`
has a class for each command, `connection` asks the daemon, `output` shows the answer as text or as
JSON; `selfsigned` makes a certificate for testing. To add a command: see `chatd.admin.commands`.
"""
