"""What every other package uses: values and pure functions.

`names` has the rules for names and the logs of accounts and rooms, `entries` what a log consists
of, `errors` the refusals, `limits` what bounds the cost of a client; `glob` and `simple_regex` are
patterns, which `linear_regex` matches, `invite_tokens` is the form of an invite token, `addresses`
has those of clients, `clocks` the two clocks, `printable` is for texts that reach a terminal,
`log_text` for those that reach the log.

Imports nothing of chatd, and only the standard library and msgspec, patterns also google-re2: no
Twisted, no input or output.
To add: a module here is a value type or a pure function that at least two other packages need; only
`clocks` reads something, the time.
"""
