"""The numbers in the tables of limits are those of the source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library import backoff, client, connection, events, opening
from chatd.codecs import chat10, ops, v1
from chatd.core.limits import Limits
from chatd.daemon import service
from chatd.protocols import classic
from chatd.protocols.admin import connection as admin_connection
from chatd.protocols.grpc import account as grpc_account
from chatd.protocols.grpc import held_accounts as grpc_held_accounts
from chatd.protocols.grpc import notices as grpc_notices
from chatd.protocols.grpc import server as grpc_server
from chatd.protocols.grpc import service as grpc_service
from chatd.protocols.grpc import stream as grpc_stream
from chatd.protocols.v1 import notices as v1_notices
from chatd.protocols.v1 import protocol as v1_protocol
from chatd.protocols.v1 import reports, requests
from chatd.realm import moderation, permissions, session
from chatd.realm.requester import NAMES_PER_COMMAND
from chatd.server import client_log, closing, listings, sniffer, unframed
from chatd.stores import ENTRY_BYTES
from tests.docs.pages import ROOT, table

LIMITS = Limits()
KIB = 1024
MIB = 1024 * KIB
_V1_FRAME = LIMITS.text + v1_protocol._FRAME_HEADROOM


def numbers(text: str) -> set[float]:
    """The numbers in a text; those of names, such as `127.0.0.1`, are none."""
    return {
        float(number.replace(",", ""))
        for number in re.findall(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?(?![\w.]*\w)", text)
    }


class LimitTests(SynchronousTestCase):
    """Each row of a table of limits has the numbers of the source, and no others."""

    def check(self, rows: Iterable[list[str]], expected: Mapping[str, Iterable[float]]) -> None:
        """Fail unless the rows are those that are `expected`, by their first cell, and have just
        these numbers behind it."""
        found = {row[0]: " | ".join(row[1:]) for row in rows}
        self.assertEqual(sorted(found), sorted(expected))
        for what, text in found.items():
            self.assertEqual(numbers(text), set(map(float, expected[what])), f"{what}: {text}")

    def test_limits_of_the_daemon(self) -> None:
        """The table of docs/operations.md."""
        self.check(
            table("docs/operations.md", "Limits"),
            {
                "text of a message": [LIMITS.text],
                "frame of the classic protocol": [LIMITS.text + classic._HEADROOM],
                "frame of version 1": [_V1_FRAME, 256 * _V1_FRAME / MIB],
                "topic of a room": [LIMITS.topic],
                "rooms of an account; members of a room": [LIMITS.rooms, LIMITS.members],
                "bans of a room, or accounts silenced in it; bans that are patterns": [
                    LIMITS.restrictions,
                    LIMITS.ban_patterns,
                ],
                "accounts blocked by an account; watched by a session": [
                    LIMITS.blocked,
                    LIMITS.watched,
                ],
                "gaps in the acknowledgements of a log": [LIMITS.gaps],
                "search pattern": [LIMITS.pattern],
                "password": [LIMITS.password],
                "certificates of an account": [permissions._CERTIFICATES],
                "access tokens of an account": [LIMITS.access_tokens],
                "scopes of an access token": [permissions._GRANTS],
                "resume tokens of an account": [LIMITS.resume_tokens],
                "line of CHAT/1.0": [LIMITS.frame_time],
                "message of CHAT/1.0; what an ops client sends at once": [chat10.LONGEST],
                "waiting commands of ops; waiting bare messages of CHAT/1.0": [
                    unframed._QUEUE_LIMIT,
                    ops.MOST_COMMANDS,
                ],
                "message of gRPC": [LIMITS.text + grpc_server._HEADROOM],
                "connections to a gRPC port": [LIMITS.grpc_connections, LIMITS.login_time / 60],
                "calls of gRPC that wait for their request, or watch the health; that are carried "
                "out": [LIMITS.calls],
                "request of a call of gRPC": [LIMITS.frame_time],
                "gRPC streams of an account; notices that wait for a stream": [
                    grpc_service._STREAMS,
                    grpc_notices.MAX_NOTICES,
                    grpc_notices.MAX_CHARACTERS / KIB,
                ],
                "input after an error that closes the connection": [closing.DISCARD_LIMIT / KIB],
                "first bytes without a known protocol": [sniffer._LONGEST_SIGNATURE],
                "commands, of which those with a large effect count as several": [],
                "names that are listed, or compared with a pattern": [NAMES_PER_COMMAND],
                "lists of all accounts that clients have not read": [
                    LIMITS.unread_listings / MIB,
                    listings._AT_ONCE,
                ],
                "connections before login": [LIMITS.unauthenticated, LIMITS.login_time / 60],
                "connections before login from one address; sessions from it; sessions of an "
                "account": [],
                "unfinished TLS handshake, also of gRPC": [LIMITS.handshake_time],
                "unfinished frame": [LIMITS.frame_time],
                "silent client of version 1": [LIMITS.idle_time],
                "notifications (presence, typing, receipts) to a client that does not read": [
                    v1_notices._UNREAD_EVENTS / KIB
                ],
                "peer that has disappeared": [],
                "client that does not read": [],
                "texts that wait for the store": [LIMITS.backlog / MIB],
                "rooms that an account has created; its reactions to a message; its reports in an "
                "hour": [LIMITS.reactions, LIMITS.reports],
                "a mailbox in all; from one sender, and a room from one member": [],
                "log-ins whose passwords wait to be checked; other passwords that wait to be "
                "hashed": [LIMITS.hashes, LIMITS.address_hashes],
                "accounts that an address creates in an hour without an invite token": [],
                "log-ins that wait after wrong passwords": [LIMITS.attempts],
                "open files": [service._RESERVED_FILES],
                "lines of the log about clients of one address, in a minute": [
                    client_log.LINES,
                    client_log.LOCAL_LINES,
                ],
                "connections to the admin socket": [admin_connection.MAX_CONNECTIONS],
            },
        )

    def test_limits_of_version_1(self) -> None:
        """The first table of docs/protocols/v1.md."""
        self.check(
            table("docs/protocols/v1.md", "Limits and times"),
            {
                "data of a frame from the client": [v1_protocol._FRAME_HEADROOM / KIB, 256],
                "data of a frame from the server": [v1.LONGEST_REPLY / MIB],
                "text": [LIMITS.text / KIB],
                "names, keys, reasons and others": [],
                "password": [LIMITS.password],
                "rooms of an account; accounts that it blocks; accounts that a session watches": [
                    LIMITS.rooms,
                    LIMITS.blocked,
                    LIMITS.watched,
                ],
                "rooms that an account has created; its reactions to a message; its reports in an "
                "hour": [
                    LIMITS.rooms_made or 0,
                    LIMITS.reactions,
                    LIMITS.reports,
                ],
                "what a mailbox stores in all; from one sender; a room from one member": [
                    (LIMITS.mailbox_bytes or 0) / MIB,
                    (LIMITS.sender_bytes or 0) / MIB,
                    ENTRY_BYTES,
                ],
                "gaps in the acknowledgements of a log": [LIMITS.gaps],
                "requests": [],
                "reading": [v1_notices._UNREAD_EVENTS / KIB],
                "silence of the client": [LIMITS.idle_time],
                "unfinished frame": [LIMITS.frame_time],
                "no login": [LIMITS.login_time / 60],
                "wrong passwords": [],
                "resume tokens of an account": [LIMITS.resume_tokens],
                "accounts that an address of another machine creates in an hour without an invite "
                "token": [LIMITS.address_accounts or 0],
                "sessions of an account; sessions from one address": [
                    LIMITS.account_sessions,
                    LIMITS.address_sessions or 0,
                ],
            },
        )

    def test_what_requests_cost(self) -> None:
        """The second table of docs/protocols/v1.md, and the sentence after it."""
        items, sessions = requests.ITEMS_PER_COMMAND, session.SESSIONS_PER_COMMAND
        rows = table("docs/protocols/v1.md", "What requests cost")
        found = sorted(next(iter(numbers(row[1]))) for row in rows)
        names = NAMES_PER_COMMAND
        rooms = (
            moderation._REMOVED_PER_COMMAND,
            moderation._LISTED_PER_COMMAND,
            moderation._PATTERNS_PER_COMMAND,
        )
        expected = [items, sessions, sessions, sessions, names, names, *rooms]
        self.assertEqual(found, sorted(map(float, expected)))
        self.assertEqual(reports._COMMANDS, 50)

    def test_times_of_grpc(self) -> None:
        """The paragraphs of docs/protocols/grpc.md about what counts as read, and about idle
        accounts."""
        text = " ".join((ROOT / "docs/protocols/grpc.md").read_text().split())
        for words, seconds in (
            ("still open a minute later", {60: grpc_stream.ACK_DELAY}),
            ("sends after 30 s of silence", {30: grpc_stream.KEEPALIVE_INTERVAL}),
            ("has not answered for 20 s", {20: grpc_stream.KEEPALIVE_TIMEOUT}),
            ("what was written five seconds earlier", {5: grpc_account.LOGOUT_ACK_DELAY}),
            ("logged out after ten minutes", {600: grpc_held_accounts.IDLE}),
            (f"latest {grpc_notices.MAX_NOTICES:,} notices", {}),
        ):
            self.assertIn(words, text)
            for expected, actual in seconds.items():
                self.assertEqual(actual, expected, words)

    def test_longest_texts_of_the_protocols(self) -> None:
        """The row of docs/protocols/overview.md."""
        (row,) = (
            row
            for row in table("docs/protocols/overview.md", "What each protocol can do")
            if row[0] == "longest text"
        )
        for cell in row[1:]:
            self.assertEqual(numbers(cell), {float(LIMITS.text)})
        for longest in (chat10.LONGEST, ops.LONGEST):
            self.assertGreater(longest, LIMITS.text)

    def test_numbers_of_chat10(self) -> None:
        """The first table of docs/protocols/chat10.md."""
        self.check(
            table("docs/protocols/chat10.md", "Framing"),
            {
                "end of a message": [],
                "recognized by": [sniffer.PAUSE],
                "characters to the client": [chat10._CLIENT_READ],
            },
        )

    def test_numbers_of_the_library(self) -> None:
        """The sentences of docs/library.md about times and bounds."""
        sentence = " ".join((ROOT / "docs/library.md").read_text().split())
        words = {10.0: "ten seconds", 60.0: "a minute", 120.0: "two minutes", 0.5: "half a second"}
        for phrase in (
            f"sends no answer for {words[opening.CONNECT_TIMEOUT]}",
            f"first after {words[backoff.FIRST_DELAY]}",
            f"double, up to {words[backoff.LONGEST_DELAY]}",
            f"lasted for {client.STABLE_TIME:g} seconds",
            f"{words[2 * LIMITS.idle_time]} by default",
            f"no answer {words[connection.REQUEST_TIMEOUT]} after",
            f"closes it, within {words[2 * client.CLOSE_TIMEOUT]}",
            f"at most {events.MAX_WAITING:,} entries wait, {events.MAX_OF_ONE_LOG} of them from",
            f"Of other events {events.MAX_WAITING:,} wait",
            f"beyond {events.MAX_RARE_WAITING:,} the others",
        ):
            self.assertIn(phrase, sentence)
