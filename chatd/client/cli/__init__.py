"""The command line client, ``python -m chatd.client``, on top of `chatd.client.library`.

`chat` runs the others: `login` (names and passwords), `event_pump` and `events` (what the server
sends), `composer` (the line being typed), `commands/` (slash commands, which `chat_context`
serves), `output/` (plain text or JSON lines), `terminal/` and `pipe` (screens). To add a slash
command: a coroutine in a module of `commands/` and its row in `commands/table.py`.
"""
