"""The command line client, ``python -m chatd.client``, on top of `chatd.client.library`.

- The program: `options` is its command line, `login` asks for names and passwords, `chat` runs the
  others, as a `dialogue`, `exit_status` is how it ends.
- From the server: `event_pump` takes events from the library, `events` shows them; `message_cache`
  has what was shown, `own_entries` what this account wrote to others; `receipts`, `typing` and
  `blocking` are what the client knows of these.
- From the user: `composer` has the line being typed, `commands` the slash commands, which
  `chat_context` serves; `outbox` has the requests that are not answered yet.
- Screens: `screen` is their interface, `terminal` that of a person, `pipe` that of a script,
  `unwritten` the output that the system has not taken yet; `output` is plain text or JSON lines.

To add a slash command: a coroutine in a module of `commands` and its row in `commands/table.py`.
"""
