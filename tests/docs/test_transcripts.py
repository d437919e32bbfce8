"""The conversations in the documents, held with a server in memory."""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops
from chatd.codecs import v1_messages as c
from chatd.realm.permissions import Policy
from tests.docs.pages import blocks, spans, table
from tests.doubles.text_clients import TextClient
from tests.doubles.v1_clients import MainPortServer


def transcript(page: str, heading: str) -> list[tuple[str, str, str]]:
    """(client, arrow, bytes as text) of each line of the conversation under a heading."""
    block = next(
        block for block in blocks(page) if block.kind == "code" and block.heading == heading
    )
    lines = [re.fullmatch(r" *(\w*) *(->|<-)  (.*)", line) for line in block.lines]
    return [(line[1], line[2], line[3].replace(r"\n", "\n")) for line in lines if line]


def summary(message: c.Message) -> str:
    """A message of the server as the example of version 1 shows it."""
    kind = type(message).__name__
    match message:
        case c.Pushed(log=log, seq=seq):
            return f"{kind} {log} {seq}"
        case c.Receipt(log=log, what=what, seqs=seqs):
            return f"{kind} {log} {what} {seqs}"
        case c.LoggedIn(ref=ref, name=name, logs=[state]):
            return f"{kind} {ref} {name}, logs: {_position(state)}"
        case c.RoomState(ref=ref, state=state):
            return f"{kind} {ref} {_position(state)}"
        case c.Accepted(ref=ref, log=log, seq=seq):
            return f"{kind} {ref} {log} {seq}"
        case c.Welcome(ref=ref, server=server):
            return f'{kind} {ref} "{server}"'
        case c.Done(ref=ref):
            return f"{kind} {ref}"
        case _:
            return str(message)


def _position(state: c.LogState) -> str:
    return f"{state.log} (head {state.head}, upto {state.upto})"


class TranscriptTests(SynchronousTestCase):
    """What the documents show is what the server sends."""

    def setUp(self) -> None:
        self.server = MainPortServer()

    def hold(self, clients: dict[str, TextClient], lines: list[tuple[str, str, str]]) -> None:
        """Send the lines of the clients, and compare what comes with those of the server."""
        for name, arrow, text in lines:
            client = clients[name]
            if arrow == "->":
                client.send(text)
                self.server.clock.pump([0.15, 0.3])
            elif text.endswith("..."):
                self.assertTrue(client.receive().startswith(text[:-3]), text)
            else:
                self.assertEqual(client.receive(), text)

    def test_example_of_ops(self) -> None:
        """docs/protocols/ops.md: mason has an account and is offline."""
        mason = TextClient(self.server, "ops")
        mason.request("1|mason")
        mason.disconnect()
        lines = transcript("docs/protocols/ops.md", "Example")
        self.assertEqual(len(lines), 9)
        self.hold({"": TextClient(self.server, "ops")}, lines)

    def test_example_of_chat10(self) -> None:
        """docs/protocols/chat10.md: a client with lines and one without."""
        lines = transcript("docs/protocols/chat10.md", "Example")
        self.assertEqual(len(lines), 10)
        clients = {name: TextClient(self.server, "any") for name in ("lines", "bare")}
        self.hold(clients, lines)

    def test_replies_of_ops(self) -> None:
        """Each reply in the table of docs/protocols/ops.md is one that the server gives."""
        mason, wayne = (TextClient(self.server, "ops") for _ in range(2))
        requests = (
            (wayne, "1|wayne"),
            (mason, "1|mason"),
            (mason, "1|mason"),
            (mason, "0|mason123"),
            (mason, "0|nobody123"),
            (mason, "2"),
            (mason, "2|.*"),
            (mason, "2|x"),
            (mason, "3|wayne|hi"),
            (mason, "3|nobody|hi"),
            (mason, "7"),
            (mason, "4|mason123"),
            (mason, "4|nobody123"),
            (mason, "5|nobody123"),
        )
        given = [client.request(text) for client, text in requests]
        self.server.realm.policy = Policy(list_before_login=False)
        given.append(TextClient(self.server, "ops").request("2"))
        wayne.disconnect()
        given += [mason.request(text) for text in ("3|wayne|hi", "5|wayne123", "4|wayne123")]
        given.append(mason.request("5|mason123"))
        shown = {
            span.replace(r"\n", "\n")
            for row in table("docs/protocols/ops.md", "Commands and replies")
            for span in spans(row[2])
        }
        patterns = [
            re.sub(
                r"mason,wayne|NAME|SENDER|TEXT|PATTERN|\bID\b",
                lambda word: ".+",
                re.escape(reply).replace(r"user\ ID\ ID", "user ID .+"),
            )
            for reply in shown
            if reply not in ("SENDER: TEXT", ops.GREETING)
        ]
        for reply in given:
            parts = re.fullmatch("|".join(patterns), reply.removeprefix(ops.GREETING), re.S)
            self.assertTrue(parts, reply)
        for pattern in patterns:
            self.assertTrue(
                any(re.match(pattern, reply.removeprefix(ops.GREETING)) for reply in given)
                or re.search(pattern, "".join(given)),
                pattern,
            )

    def test_session_of_version_1(self) -> None:
        """docs/protocols/v1.md: Alicia is new, the lobby has 40 entries, and Bobert, who answers,
        has had six messages."""
        bobert = self.server.log_in("Bobert", rooms=("#lobby",))
        carl = self.server.log_in("Carl")
        for number in range(39):
            bobert.request(c.Send(0, "#lobby", str(number)))
        for number in range(6):
            carl.request(c.Send(0, "Bobert", str(number)))
        bobert.receive_events()
        alicia = self.server.connect()
        requests = {
            "Hello": c.Hello(1, "garden.js", "1.0", ["receipts"]),
            "Register": c.Register(2, "Alicia", "s3cret"),
            "LogIn": c.LogIn(3, "Alicia", "s3cret", []),
            "Join": c.Join(4, "#lobby"),
            "Send 5": c.Send(5, "Bobert", "Hi", "k-1"),
            "Send 6": c.Send(6, "#lobby", "Hi all", "k-2"),
            "LogOut": c.LogOut(7),
        }
        received: list[str] = []
        for line in self.session():
            if line.endswith("->"):
                self.assertEqual(received, [], line)
                if line.startswith("Ack"):
                    log, seq = line.split()[2:4]
                    alicia.send(c.Ack(0, log, int(seq)))
                else:
                    (name,) = (name for name in requests if line.startswith(name))
                    alicia.send(requests[name])
                self.server.runner.clock.advance(0)
                if line.startswith("Send 5"):
                    bobert.request(c.Ack(0, "@bobert", 7))
                    bobert.request(c.Send(0, "Alicia", "Hello"))
                received += map(summary, alicia.receive())
            else:
                shown = re.split(r" \.\.\.|: Bob|: Ali", line.removeprefix("<-").strip())[0]
                self.assertEqual(received.pop(0), shown)
        self.assertEqual(received, [])

    def session(self) -> list[str]:
        """The lines of the example of a session, each with its arrow."""
        block = next(b for b in blocks("docs/protocols/v1.md") if b.heading == "A session")
        return [line.strip() for line in block.lines[1:]]

    def test_lines_of_json_are_objects(self) -> None:
        """docs/client.md and docs/operations.md show one object on each line."""
        for page, heading in (
            ("docs/client.md", "For programs: `--json`"),
            ("docs/operations.md", "The admin socket"),
        ):
            block = next(b for b in blocks(page) if b.kind == "code" and b.heading == heading)
            for line in block.lines:
                self.assertIsInstance(json.loads(line), dict)
