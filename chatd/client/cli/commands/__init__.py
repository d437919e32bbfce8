"""The slash commands: `table` lists them, the other modules carry them out, one for each feature.

The features are `access_tokens`, `accounts`, `blocking`, `edits`, `history`, `moderation` (of
rooms), `presence`, `receipts`, `reports`, `rooms`, `sending` (to whom) and `session` (status and
end). `context` is what a command may use of the chat, `arguments` parses what follows its name.

A command is a coroutine over a `context.CommandContext` and the text after the command's name. To
add one: its coroutine in the module of its feature, its row in `table.COMMANDS`, and the table in
docs/client.md, which ``python -m tests.client.cli.commands.test_table`` writes.
"""
