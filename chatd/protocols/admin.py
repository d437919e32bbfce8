"""The admin socket: what operators ask of a running daemon, one JSON object a line
(`chatd.codecs.admin`).

Whoever can open the socket may do everything, so nobody but the daemon's own user and root can.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd import __version__
from chatd.auth.passwords import Passwords
from chatd.codecs import admin as c
from chatd.core.errors import BadRequest, ChatdError
from chatd.core.names import mailbox_log
from chatd.realm import registration as invites
from chatd.realm.accounts import ACCOUNT, decoded, fingerprints
from chatd.realm.auto_ack_session import AutoAckSession
from chatd.realm.mailbox import READING, ReadState
from chatd.realm.permissions import check_open_accounts
from chatd.realm.realm import Realm
from chatd.realm.reports import REPORTS
from chatd.realm.room import ROOM
from chatd.realm.tasks import gather

_KICKED = "An operator has ended this session."
_QUIET = (c.Users, c.Sessions, c.Rooms, c.Reports, c.Invites, c.Stats)
"""requests that only look; the others are noted in the log"""
_CREDENTIALS = struct.Struct("3i")


class Administration:
    """Carries out requests."""

    logger = Logger(namespace="chatd")

    def __init__(self, realm: Realm, passwords: Passwords) -> None:
        self._realm = realm
        self._store = realm.store
        self._passwords = passwords
        self._started = realm.now()

    async def carry_out(self, request: c.AnyRequest) -> dict[str, Any]:
        """The answer's fields. Raises `ChatdError`."""
        if not isinstance(request, _QUIET):
            self.logger.info(
                "Admin: {command} {about}", command=_command(request), about=_about(request)
            )
        match request:
            case c.Users():
                return await self._users(request)
            case c.Sessions():
                return await self._sessions(request)
            case c.Kick():
                name = await self._realm.accounts.display_name(request.name)
                ended = await self._realm.end_sessions(name, "kicked", request.sentence or _KICKED)
                return {"sessions": ended}
            case c.ResetPassword():
                return await self._reset_password(request)
            case c.SetCertificates():
                name = await self._realm.accounts.display_name(request.name)
                certificates = fingerprints(request.fingerprints)
                await self._realm.accounts.set_certificates(name, certificates)
                return {"name": name}
            case c.Delete():
                name = await self._realm.accounts.display_name(request.name)
                await self._realm.delete_account(name)
                return {"name": name}
            case c.Rooms():
                return await self._rooms(request)
            case c.DeleteRoom():
                name = (await self._realm.rooms.room(request.room)).name
                await self._realm.rooms.delete_by_operator(name)
                return {"room": name}
            case c.Reports():
                return await self._reports(request)
            case c.Invite():
                return await self._invite(request)
            case c.Invites():
                found = await invites.listing(self._store)
                return {"items": [{"key": key, **_fields(invite)} for key, invite in found]}
            case c.Revoke():
                return {"key": await invites.revoke(self._store, request.invite)}
            case c.Stats():
                return await self._stats()
            case c.Backup():
                if not os.path.isabs(request.path):
                    raise BadRequest(
                        "the path of a backup is absolute, since the daemon's folder is another"
                    )
                await self._store.backup(request.path)
                return {"path": request.path}

    async def _users(self, request: c.Users) -> dict[str, Any]:
        self._realm.accounts.check_pattern(request.pattern)
        names = await self._store.page(ACCOUNT, request.pattern, request.after, request.limit)
        # All questions are in the queue before the first is awaited: one turn of the store.
        answers = await gather(
            *(self._store.get(ACCOUNT, name) for name in names),
            *(self._store.get(READING, mailbox_log(name)) for name in names),
        )
        items = []
        for name, document, kept in zip(names, answers, answers[len(names) :], strict=False):
            if document is None:
                continue
            account = decoded(document)
            mailbox = self._realm.mailbox(name)
            read_state = (
                ReadState() if kept is None else msgspec.msgpack.decode(kept.body, type=ReadState)
            )
            if mailbox is not None and mailbox.loaded:
                read_state = mailbox.read_state
            sessions = 0 if mailbox is None else len(mailbox.sessions)
            items.append(
                {
                    "name": name,
                    "created": account.created,
                    "open": account.password is None,
                    "sessions": sessions,
                    "seen": self._realm.now() if sessions else read_state.seen,
                }
            )
        return _page(items, len(names) == request.limit, names[-1] if names else request.after)

    async def _sessions(self, request: c.Sessions) -> dict[str, Any]:
        wanted = request.name.lower()
        if wanted:
            await self._realm.accounts.display_name(wanted)
        found = sorted(
            (session.name.lower(), session.since, session.name, session.peer.about)
            for session in self._realm.sessions()
            if session.name.lower() > request.after and wanted in ("", session.name.lower())
        )
        items: list[dict[str, Any]] = []
        last = request.after
        for key, since, name, about in found:
            if key != last and len(items) >= request.limit:
                return _page(items, True, last)
            items.append({"name": name, "since": since, "about": about})
            last = key
        return _page(items, False, last)

    async def _reset_password(self, request: c.ResetPassword) -> dict[str, Any]:
        name = await self._realm.accounts.display_name(request.name)
        hashed = None
        if request.password is None:
            check_open_accounts(self._realm.policy)
        elif not request.password:
            raise BadRequest("a password has at least one character")
        else:
            hashed = await self._passwords.hash(request.password)
        await self._realm.set_password(name, hashed)
        return {"name": name}

    async def _rooms(self, request: c.Rooms) -> dict[str, Any]:
        rooms, more, last = await self._realm.find_rooms(
            None, request.pattern, request.after, request.limit
        )
        items = [
            {
                "room": room.name,
                "created": room.record.created,
                "topic": room.record.topic,
                "private": room.record.private,
                "owner": room.record.members.get(room.record.owner, ""),
                "members": len(room.record.members),
            }
            for room in rooms
        ]
        return _page(items, more, last)

    async def _reports(self, request: c.Reports) -> dict[str, Any]:
        entries = await self._store.read(REPORTS, request.after, request.limit)
        items = [
            {"seq": entry.seq, "time": entry.time, "sender": entry.sender, "body": entry.body}
            for entry in entries
        ]
        last = entries[-1].seq if entries else request.after
        return _page(items, bool(entries), last)

    async def _invite(self, request: c.Invite) -> dict[str, Any]:
        now = self._realm.now()
        expires = None if request.seconds is None else now + request.seconds * 1000
        token = await invites.make(self._store, now, request.uses, expires, request.note)
        return {"token": token, "key": invites.hashed(token), "expires": expires}

    async def _stats(self) -> dict[str, Any]:
        accounts, rooms = await gather(self._store.list(ACCOUNT), self._store.list(ROOM))
        return {
            "version": __version__,
            "started": self._started,
            "accounts": len(accounts),
            "rooms": len(rooms),
            "counts": self._counts(),
        }

    def _counts(self) -> dict[str, int]:
        sessions = self._realm.sessions()
        return {
            "sessions": len(sessions),
            "accounts online": len({session.name for session in sessions}),
            "classic sessions": sum(isinstance(session, AutoAckSession) for session in sessions),
            "rooms in memory": sum(log.startswith("#") for log in self._realm.delivery.live_logs),
            "bytes waiting for the store": self._store.backlog,
        }


def _page(items: list[dict[str, Any]], more: bool, last: str | int) -> dict[str, Any]:
    return {"items": items, "more": more, "last": last}


def _fields(invite: invites.InviteToken) -> dict[str, Any]:
    return {name: getattr(invite, name) for name in invite.__struct_fields__}


def _command(request: c.Request) -> str:
    return str(request.__struct_config__.tag)


def _about(request: c.Request) -> str:
    """Whom or what it is about; nothing secret."""
    for field in ("name", "room", "path", "note"):
        if field in request.__struct_fields__:
            return str(getattr(request, field))
    return ""


@implementer(IPushProducer)
class AdminProtocol(LineOnlyReceiver):
    """One operator's connection."""

    logger = Logger(namespace="chatd")
    delimiter = b"\n"
    MAX_LENGTH = c.LINE
    factory: AdminFactory
    transport: Any

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._working = False
        self._full = False
        self._gone = False

    def connectionMade(self) -> None:
        """Let in who may enter."""
        self.factory.connections.add(self)
        if self.factory.stopping or not may_enter(self.transport):
            self.logger.warn("Admin: somebody else was turned away")
            self.transport.loseConnection()
            return
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """What is being carried out is carried out, and not answered."""
        self._gone = True
        self._lines.clear()
        if not self._working:
            self.factory.left(self)

    def pauseProducing(self) -> None:
        """The operator does not read the answers."""
        self._full = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Or does so again."""
        self._full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is being closed."""
        self._lines.clear()

    def lineReceived(self, line: bytes) -> None:
        """Requests are carried out one after another."""
        self._lines.append(line)
        self._go_on()

    def lineLengthExceeded(self, line: bytes) -> None:
        """What follows would mean nothing."""
        self._refuse(BadRequest(f"a line has at most {c.LINE} bytes"))
        self._lines.clear()
        self._leave()

    def _go_on(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        while self._lines and not self._full and not self._gone:
            self.transport.pauseProducing()
            await self._carry_out(self._lines.popleft())
        self._working = False
        if self._gone:
            self.factory.left(self)
        elif self.factory.stopping:
            self._leave()
        elif not self._full:
            self.transport.resumeProducing()

    async def _carry_out(self, line: bytes) -> None:
        try:
            answer = await self.factory.administration.carry_out(c.decode_request(line))
        except ChatdError as error:
            self._refuse(error)
        except Exception:
            self.logger.failure("Admin: a request failed")
            self._refuse(ChatdError("the daemon failed at this; its log says how"))
        else:
            self._write({"ok": True, **answer})

    def _refuse(self, error: ChatdError) -> None:
        self._write({"ok": False, "code": error.code, "sentence": str(error)})

    def _write(self, answer: dict[str, Any]) -> None:
        if not self._gone:
            self.transport.write(c.encode(answer))

    def finish(self) -> None:
        """Close, after what is being carried out."""
        self._lines.clear()
        if not self._working:
            self._leave()

    def _leave(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()


class AdminFactory(Factory):
    """All operators' connections."""

    protocol = AdminProtocol  # type: ignore[assignment]
    noisy = False

    def __init__(self, administration: Administration) -> None:
        self.administration = administration
        self.connections: set[AdminProtocol] = set()
        self.stopping = False
        self._finished: Deferred[None] | None = None

    def finish(self) -> Deferred[None]:
        """Close all connections, each after what it is carrying out; fires when they are closed."""
        self.stopping = True
        self._finished = Deferred()
        for connection in list(self.connections):
            connection.finish()
        self._check_finished()
        return self._finished

    def left(self, connection: AdminProtocol) -> None:
        """A connection is closed and has nothing left to do."""
        self.connections.discard(connection)
        self._check_finished()

    def _check_finished(self) -> None:
        if self._finished is not None and not self.connections and not self._finished.called:
            self._finished.callback(None)

    def abort(self) -> None:
        """Close what has not closed."""
        for connection in list(self.connections):
            connection.transport.abortConnection()


def may_enter(transport: Any) -> bool:
    """Whether the process at the other end of a unix socket belongs to this user, or to root. Where
    the system does not tell (SO_PEERCRED is Linux's), the permissions of the socket's file are all
    there is."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    found = transport.socket.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return user in (0, os.geteuid())
