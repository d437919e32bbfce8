"""The terminal: screen, line editor, key bindings, wrapping, sanitizing, and the process's streams."""
