"""The client of the classic protocol: its connection, its menus, its dialogue."""
