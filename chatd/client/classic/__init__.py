"""The client of the classic protocol, which ``python -m chatd.client --protocol classic`` runs.

`connection` is one connection (commands and their replies), `commands` the table of the commands
that a user can type, `chat` the dialogue between them. It uses the screens and the exit statuses of
`chatd.client.cli`, and the TLS of `chatd.client.library`. To add a command: a row in `commands`,
and its handler in `chat`.
"""
