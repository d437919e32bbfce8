"""The refusals in docs/protocols/classic.md: each is provoked, and no other is met on the way."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages as c
from chatd.codecs.classic import (
    CREATE,
    DELETE,
    DELIVER,
    LIST,
    LOGIN,
    Response,
    client_decoder,
    encode,
    encode_send,
)
from chatd.realm.permissions import CLOSED, INVITE_ONLY, OPEN, Policy
from tests.docs.pages import spans, table
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer


def documented() -> set[tuple[str, str]]:
    """(command, text) of the rows; *N* is ``#``, *ME* is ann, and *C* a blank."""
    rows = set()
    for row in table("docs/protocols/classic.md", "Refusals"):
        text = re.sub(r"\bN\b", "#", spans(row[1])[0]).replace("ME", "ann").replace("'C'", "' '")
        # The sender in the refusal of an unknown recipient is the client.
        text = text.replace("exist, for message: from: F", "exist, for message: from: ann")
        rows |= {(command, text) for command in row[0].split(", ")}
    return rows


def general(text: str) -> str:
    """A refusal as the document has it: numbers that vary are ``#``."""
    text = re.sub(r"until .* UTC", "until 2026-11-22 10:00 UTC", text)
    return re.sub(r"[\d,]+(?= bytes| characters,)|(?<=limit is )65536", "#", text)


class RefusalTests(SynchronousTestCase):
    """A server in memory with the accounts ann and bob, and carl, who has a password. ann is logged
    in, and blocked by bob."""

    def setUp(self) -> None:
        self.server = MainPortServer(sender_bytes=300, mailbox_bytes=600)
        self.server.log_in("bob").request(c.Register(0, "ann"))
        self.server.log_in("carl", password="s3cret")
        bob = self.server.log_in("bob")
        bob.request(c.Block(0, "ann"))
        self.ann = self.client()
        self.ann.request(encode(LOGIN, "ann"))
        self.refusals: set[tuple[str, str]] = set()

    def client(self) -> TextClient:
        """A classic client, not logged in."""
        return TextClient(self.server, "classic")

    def refuse(self, command: str, data: bytes, client: TextClient | None = None) -> None:
        """Send a command, which is refused; by a new client unless there is one."""
        answer = (client or self.client()).request(data).encode()
        (message,) = client_decoder(1 << 20).feed(answer)
        assert isinstance(message, Response), message
        self.refusals.add((command, general(message.error)))

    def restrict(self, registration: str, open_accounts: bool = True) -> None:
        """Set the operator's choices."""
        self.server.realm.policy = Policy(registration, open_accounts)

    def test_every_refusal_is_in_the_table(self) -> None:
        """Every row of it is met."""
        self.refuse("CREATE", encode(CREATE, "BOB"))
        for name in ("", "x" * 33, "a b", "Server"):
            self.refuse("CREATE", encode(CREATE, name))
        self.refuse("CREATE", encode(CREATE, "dora", "x" * 1_025))
        for command, number in (("CREATE", CREATE), ("LOGIN", LOGIN)):
            self.refuse(command, encode(number, "dora", "a|||b"))
        self.restrict(CLOSED)
        self.refuse("CREATE", encode(CREATE, "dora"))
        self.restrict(INVITE_ONLY)
        self.refuse("CREATE", encode(CREATE, "dora"))
        self.refuse("CREATE", encode(CREATE, "dora", "", "abcdefg" * 3 + "abcde"))
        self.restrict(OPEN, open_accounts=False)
        self.refuse("CREATE", encode(CREATE, "dora"))
        self.refuse("LOGIN", encode(LOGIN, "bob"))
        self.restrict(OPEN)
        self.refuse("LOGIN", encode(LOGIN, "nemo"))
        self.refuse("LOGIN", encode(LOGIN, "nemo", "x"))
        self.refuse("LOGIN", encode(LOGIN, "ann"))
        self.refuse("LOGIN", encode(LOGIN, "carl"))
        self.refuse("LOGIN", encode(LOGIN, "carl", "x"))
        self.server.run(self.server.realm.suspensions.suspend("bob", 60, "REASON"))
        self.refuse("LOGIN", encode(LOGIN, "bob"))
        self.server.run(self.server.realm.suspensions.unsuspend("bob"))
        self.refuse("LIST", encode(LIST, "x" * 257))
        self.server.realm.policy = Policy(list_before_login=False)
        self.refuse("LIST", encode(LIST))
        self.restrict(OPEN)
        self.refuse("DELIVER", encode(DELIVER))
        self.refuse("DELETE", encode(DELETE))
        self.refuse("SEND", encode_send("F", "T", "B"))
        self.refuse("SEND", encode_send("F", "T", "B"), self.ann)
        self.refuse("SEND", encode_send("ann", "T", "B"), self.ann)
        self.refuse("SEND", encode_send("ann", "ann", "x" * 65_537), self.ann)
        self.refuse("SEND", encode_send("ann", "bob", "B"), self.ann)
        for other in ("ann", "bob"):
            client = self.server.log_in_again(other)
            client.request(c.Send(0, "carl", "x" * 150, "1"))
        self.refuse("SEND", encode_send("ann", "carl", "B"), self.ann)
        carl = self.client()
        carl.request(encode(LOGIN, "carl", "s3cret"))
        self.refuse("SEND", encode_send("carl", "carl", "B"), carl)
        self.assertEqual(self.refusals, documented())
