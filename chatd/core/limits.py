"""The limits of a daemon: sizes, counts and times that bound what one client can cost."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one daemon. Sizes are in bytes unless stated otherwise, times in seconds."""

    text: int = 65_536
    """the greatest size of a text"""
    topic: int = 256
    """the greatest length of a topic, in characters"""
    pattern: int = 256
    """the greatest length of a search pattern, in characters"""
    password: int = 1_024
    """the greatest length of a password, in characters"""
    rate: float | None = 1_000.0
    """the average commands per second of a connection; None: no limit"""
    burst_seconds: float = 10.0
    """the seconds of that rate which a connection may use at once before it is slowed down"""
    account_rate: float = 2.0
    """the rate of all connections of an account together, as a multiple of `rate`"""
    idle_time: float = 60.0
    """how long a client may be silent before it is asked whether it is alive, and how long it then
    has to answer"""
    unauthenticated: int = 2_000
    """connections that have not logged in; over it, of the address that has most, the one that has
    been idle longest is closed"""
    unread_listings: int = 32 * 1024 * 1024
    """bytes of listings of all accounts that clients have not read; over it, a connection that does
    not read its one is closed"""
    login_time: float = 300.0
    """how long a connection may exist without logging in"""
    frame_time: float = 30.0
    """how long a frame may be incomplete"""
    flush_time: float = 30.0
    """how long a client may take to read the last output before its connection is aborted"""
    backlog: int = 8 * 1024 * 1024
    """characters of text waiting for the store; over it, senders are paused until it is half of
    that"""
    page: int = 256
    """entries that are read from a log at once"""
    rooms: int = 200
    """rooms of which an account can be a member"""
    members: int = 100_000
    """members of a room; also open invitations to it"""
    restrictions: int = 1_000
    """bans of a room; also accounts that are silenced in it"""
    ban_patterns: int = 100
    """those bans of a room that are patterns: each account that joins is compared with them"""
    deleted_room_time: int = 86_400
    """how long operators can restore a deleted room; 0: not at all"""
    resume_tokens: int = 64
    """resume tokens of an account; over it, the one that was last used longest ago ends"""
    access_tokens: int = 64
    """access tokens of an account; over it, no further one can be made"""
    blocked: int = 1_000
    """accounts that an account can block"""
    watched: int = 500
    """accounts whose presence a session can watch"""
    gaps: int = 64
    """gaps in a cursor; over it, acknowledgements are refused, and a client that cannot acknowledge
    gets no further entries until it has fetched its mail"""
    hashes: int = 512
    """log-ins that may wait for their passwords to be checked; also other passwords that may wait
    to be hashed"""
    address_hashes: int = 64
    """those of `hashes` from one address, or from one /64 of IPv6. Clients on this machine have no
    such limit."""
    attempts: int = 1_000
    """attempts to log in that may wait after wrong passwords"""
    handshake_time: float = 15.0
    """how long a TLS handshake may take"""
    accounts_cached: int = 200_000
    """account names that are cached"""
    account_sessions: int = 64
    """sessions of an account"""
    address_sessions: int | None = 1_000
    """sessions from one address, or from one /64 of IPv6; None: no limit. Clients on this machine
    have no such limit."""
    grpc_connections: int = 10_000
    """connections to a gRPC port, or an eighth of the open files that the system allows"""
    calls: int = 1_000
    """calls of gRPC that wait for their clients, and that are carried out without a session"""
    address_unauthenticated: int | None = 200
    """connections from one address that have not logged in, of `unauthenticated`; over it, the one
    of them that has been idle longest is closed; None: no limit. Clients on this machine have no
    such limit."""
    audit_entries: int = 100_000
    """entries of the log of what operators have done; older ones are removed"""
    mailbox_bytes: int | None = 256 * 1024 * 1024
    """what a mailbox stores in all; None: no limit. An entry counts as the bytes of its text and
    150 more. Over it, messages are refused until entries have been removed."""
    sender_bytes: int | None = 64 * 1024 * 1024
    """what a mailbox stores from one sender, and a room from one member; None: no limit"""
    address_accounts: int | None = 20
    """accounts that one address, or one /64 of IPv6, can create in an hour; None: no limit"""
    local_accounts: int | None = None
    """the same for all clients on this machine together"""
    rooms_made: int | None = 50
    """rooms that an account has created and that exist or can be restored; None: no limit"""
    reactions: int = 8
    """how often an account can react to a message; it can remove its reaction as often"""
    reports: int = 100
    """reports of an account in an hour"""


class Retention(msgspec.Struct, frozen=True):
    """The entries of a log that are kept: the latest `count`, none older than `age` seconds.

    None stands for no limit.
    """

    age: int | None = None
    count: int | None = None
