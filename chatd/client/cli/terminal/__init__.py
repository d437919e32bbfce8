"""The terminal: screen, prompt, line editor, key bindings, wrapping, sanitizing, standard streams.

`screen.TerminalScreen` implements `chatd.client.cli.screen.Screen` for a person. To add a key: its
byte or sequence in `key_bindings`, its effect as a method of `line_editor.LineEditor`.
"""
