"""How the client ends: the exit statuses, whatever the protocol."""

from __future__ import annotations

LEFT, FAILED = 0, 1
"""all went well; something was refused, or the connection failed or was lost"""
INTERRUPT = "Interrupt received, shutting down ..."
"""what is said when the person, or the system, wants the client to leave at once"""
