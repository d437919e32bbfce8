"""The table of docs/protocols/overview.md that compares the protocols, row by row."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat10, classic, ops, v1_messages
from chatd.protocols.chat10 import Chat10Protocol
from chatd.protocols.classic import ClassicProtocol
from chatd.protocols.grpc.account import LOGOUT_ACK_DELAY, GrpcAccount
from chatd.protocols.grpc.stream import ACK_DELAY
from chatd.protocols.ops import OpsProtocol
from chatd.protocols.v1.protocol import V1Protocol
from chatd.realm.peer import Peer
from tests.docs.pages import ROOT, table

COLUMNS = ("version 1", "classic", "CHAT/1.0", "ops", "gRPC")

COMMANDS: dict[str, tuple[str, str, str, str, str]] = {
    "create an account": ("Register", "Create", "Register", "Create", "CreateAccount"),
    "list accounts": ("FindAccounts", "List", "", "List", "WildCard"),
    "send to an account": ("Send", "Send", "", "Send", "SendMessage"),
    "get waiting messages": ("LogIn", "Deliver", "Register", "Fetch", "ReceiveMessages"),
    "delete the account": ("DeleteAccount", "Delete", "", "Delete", "DeleteAccount"),
    "rooms": ("Join", "", "Text", "", ""),
    "history, receipts, presence, typing, edits, reactions, blocking": ("History", "", "", "", ""),
}
"""by row: the command of each protocol that carries it out, empty if there is none"""

SESSIONS: tuple[type[Peer], ...] = (
    V1Protocol,
    ClassicProtocol,
    Chat10Protocol,
    OpsProtocol,
    GrpcAccount,
)


class CapabilityTests(SynchronousTestCase):
    """What a cell says exists in the codec or in the rules of the protocol's sessions."""

    def setUp(self) -> None:
        rows = table("docs/protocols/overview.md", "What each protocol can do")
        self.rows = {row[0]: row[1:] for row in rows}

    def test_protocols_have_a_command_for_what_they_can_do(self) -> None:
        """A protocol whose cell is *no* has none."""
        calls = re.findall(r"rpc (\w+)", (ROOT / "chatd" / "codecs" / "chat.proto").read_text())
        known = (*(set(vars(codec)) for codec in (v1_messages, classic, chat10, ops)), set(calls))
        for row, commands in COMMANDS.items():
            for command, names, cell in zip(commands, known, self.rows[row], strict=True):
                self.assertEqual(cell == "no", not command, f"{row}: {cell}")
                self.assertTrue(not command or command in names, f"{row}: {command}")

    def test_sessions_are_as_many_as_the_rules_allow(self) -> None:
        """An exclusive session is *one*, and one that ends the older one takes over. CHAT/1.0 and
        gRPC have rules of their own."""
        cells = self.rows["sessions of an account"]
        for protocol, cell in zip(SESSIONS, cells, strict=True):
            options = protocol.session_options
            self.assertEqual(cell == "many", protocol is V1Protocol, cell)
            self.assertTrue(cell.startswith("one") or not options.exclusive, cell)
            self.assertEqual("ends the older" in cell, options.takes_over, cell)

    def test_rooms_are_followed_by_the_protocols_that_have_them(self) -> None:
        """The cells of the row *rooms*."""
        for protocol, cell in zip(SESSIONS, self.rows["rooms"], strict=True):
            self.assertEqual(cell != "no", protocol.session_options.rooms, cell)

    def test_messages_of_grpc_count_as_read_after_the_delays_of_the_table(self) -> None:
        """gRPC has no acknowledgements."""
        cell = self.rows["a message counts as read"][COLUMNS.index("gRPC")]
        self.assertEqual(
            [float(seconds) for seconds in re.findall(r"([\d.]+) s\b", cell)],
            [ACK_DELAY, LOGOUT_ACK_DELAY],
        )

    def test_waiting_mail_is_fetched_where_the_table_says_on_request(self) -> None:
        """The others show it at login."""
        cells = self.rows["get waiting messages"]
        for protocol, cell in zip(SESSIONS, cells, strict=True):
            self.assertEqual(cell.startswith("on request"), protocol.session_options.fetches, cell)
