"""Sizes, counts and times that bound what any one peer can cost, in one record."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one daemon. Sizes are bytes, times are seconds, counts are plain numbers."""

    text: int = 65_536
    """longest text of a message"""
    topic: int = 256
    """longest topic of a room, in characters"""
    pattern: int = 256
    """longest pattern of a listing, in characters"""
    password: int = 1_024
    """longest password, in characters"""
    rate: float | None = 1_000.0
    """commands a second that a connection may send on average; None: as fast as it can"""
    burst_seconds: float = 10.0
    """how many seconds' worth of commands may come at once before a connection is slowed"""
    account_rate: float = 2.0
    """commands that all connections of an account may send together, as a multiple of `rate`"""
    idle_time: float = 60.0
    """how long a client may be silent before it is asked whether it is there, and then to answer"""
    unauthenticated: int = 2_000
    """connections that have not logged in; over it the one that has been idle longest goes"""
    login_time: float = 300.0
    """how long a connection may stay without logging in"""
    frame_time: float = 30.0
    """how long an unfinished frame may stay unfinished"""
    flush_time: float = 30.0
    """how long a connection being closed may take to read what it is owed"""
    backlog: int = 8 * 1024 * 1024
    """bytes of text waiting for the store; over it senders are paused until it is half of that"""
    page: int = 256
    """entries read from a log at once"""
    rooms: int = 200
    """rooms that an account may be a member of"""
    members: int = 10_000
    """members that a room may have, and as many may be invited"""
    blocked: int = 1_000
    """accounts that an account may block"""
    watched: int = 500
    """accounts whose presence a session may watch"""
    holes: int = 64
    """gaps a cursor may have; a reader who has more is pushed nothing until it has fetched its
    mail"""
    hashes: int = 64
    """password hashes that may wait their turn"""
    accounts_cached: int = 200_000
    """account names kept in memory"""


class Retention(msgspec.Struct, frozen=True):
    """What is kept of a log: entries not older than `age` seconds, and the latest `count`; None:
    all."""

    age: int | None = None
    count: int | None = None
