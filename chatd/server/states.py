"""The states of a connection: why it pauses, and how far its end has come."""

from __future__ import annotations

from enum import IntEnum


class PauseReason:
    """Why a connection handles no messages at present: the bits of `Connection.paused_for`.

    Plain integers: `&` with an `enum.IntFlag` takes 1 microsecond, and every entry that is pushed
    to a connection tests one.
    """

    OUTPUT = 1
    """the peer does not read what it was sent"""
    RATE = 2
    """the peer has sent more commands than its rate allows"""
    STORE = 4
    """the store has too large a backlog"""
    ANSWERS = 8
    """earlier messages must be answered first"""
    RETRY = 16
    """the store failed and is asked again soon"""
    CLOSING = 32
    """the connection is being closed"""
    FIRST_REPLY = 64
    """the client must read the reply to its registration by itself"""
    TURN = 128
    """other connections have their turn"""


class Phase(IntEnum):
    """How far the end of a connection has come. A connection only moves forward."""

    OPEN = 0
    """messages are read and handled"""
    FINISHING = 1
    """either end has begun to close: what is being handled is finished, and output is sent"""
    CLOSING = 2
    """the session has ended and the transport is closing"""
    LINGERING = 3
    """the session has ended; the sending side is closed so that the peer can read its last reply"""
    DISCONNECTED = 4
    """the transport is closed; messages that were received before are still handled"""
    CLOSED = 5
    """nothing is left to do"""
