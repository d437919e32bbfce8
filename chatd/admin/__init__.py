"""The operator's commands: ``python -m chatd.admin``, on a running daemon, through its admin
socket."""
