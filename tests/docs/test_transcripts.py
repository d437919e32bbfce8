"""The conversations in the documents, held with a server in memory."""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import ops
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

    def test_lines_of_json_are_objects(self) -> None:
        """docs/client.md and docs/operations.md show one object on each line."""
        for page, heading in (
            ("docs/client.md", "For programs: `--json`"),
            ("docs/operations.md", "The admin socket"),
        ):
            block = next(b for b in blocks(page) if b.kind == "code" and b.heading == heading)
            for line in block.lines:
                self.assertIsInstance(json.loads(line), dict)
