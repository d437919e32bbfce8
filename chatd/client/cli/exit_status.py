"""The exit statuses of the client and its message for an interrupt, whatever the protocol."""

from __future__ import annotations

SUCCESS = 0
"""the exit status if everything succeeded"""
FAILED = 1
"""the exit status if a request was refused, or the connection failed or was lost"""
WRONG_USAGE = 2
"""the exit status for an invalid command line, or a closed standard output"""
INTERRUPT = "Interrupt received, shutting down ..."
"""printed when a signal, or Ctrl-C, ends the client"""
