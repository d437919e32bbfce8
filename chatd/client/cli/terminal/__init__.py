"""The terminal: what a person sees, and the keys that the person presses.

`screen` implements `chatd.client.cli.screen.Screen` for a person, with `prompt`, `line_editor` (the
line being typed), `key_bindings` and `wrap` (where long lines break); `sanitize` makes text safe to
print, `stdio` has the state of the standard streams. To add a key: its byte or sequence in
`key_bindings`, its effect as a method of `line_editor.LineEditor`.
"""
