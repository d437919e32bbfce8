"""Version 1, chatd's own protocol.

`protocol` is the connection, with the frequent messages; `notices` is what it is sent besides
entries and answers, and `unread_states` what of that waits while the client does not read.
`requests` is the table of all other requests, and `handlers` imports those that fill it:
`greeting`, `accounts`, `access_tokens`, `rooms`, `moderation`, `history`, `edits`, `receipts`,
`presence`, `blocking` and `reports`. `scopes` has the right that each of them needs.

A request of the catalogue (`chatd.codecs.v1_messages`) has one handler, in the module named as its
feature in `chatd.realm`, and its row in `scopes`. To add one: the message and its example in the
catalogue, the handler and the row here.
"""
