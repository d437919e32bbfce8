"""The command line client, ``python -m chatd.client``, on top of `chatd.client.library`.

`chat` connects the parts: `login` (names and passwords), `event_pump` (events from the server),
`commands/` (what follows a slash), `output/` (plain text or JSON lines), `terminal/` (the screen).
To add a slash command: a coroutine in a module of `commands/` and its row in `commands/table.py`.
"""
