"""The chat of a program, with ``--json``."""

from __future__ import annotations

import json
from typing import Any

from chatd.client.library.errors import ConnectionClosed, RefusedByServer
from chatd.client.library.events import Connected, Disconnected, Overflow, Retrying
from chatd.codecs import v1_messages as c
from tests.doubles.chat import ChatTestCase
from tests.doubles.client import SINCE, pushed


class JsonTests(ChatTestCase):
    """Input and output are lines of JSON."""

    interactive = False
    json = True

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def type_json(self, *lines: str) -> list[dict[str, Any]]:
        """Type lines; returns the decoded lines that were printed."""
        return [json.loads(line) for line in self.type(*lines)]

    def test_login_prints_the_server_and_the_account(self) -> None:
        """The objects are ``welcome`` and ``logged_in``."""
        welcome, logged_in = map(json.loads, self.greeting)
        self.assertEqual((welcome["type"], welcome["limits"]["text"]), ("welcome", 65536))
        self.assertEqual(
            logged_in, {"type": "logged_in", "name": "alice", "logs": ["@alice", "#lobby"]}
        )

    def test_answers_repeat_the_ref_of_the_request(self) -> None:
        """Refusals as well; a request without `ref` gets an answer without."""
        self.assertEqual(
            self.type_json('{"send": {"recipient": "bob", "text": "hi", "ref": 7}}'),
            [
                {
                    "type": "accepted",
                    "request": "send",
                    "ref": 7,
                    "log": "@bob",
                    "seq": 1,
                    "id": 4001,
                    "time": SINCE,
                }
            ],
        )
        self.assertEqual(
            self.type_json('{"set_topic": {"room": "#lobby", "topic": "x"}}'),
            [{"type": "done", "request": "set_topic"}],
        )
        self.client.answers[c.Leave] = RefusedByServer(
            "unknown-room", "There is no room of that name."
        )
        refusal = {
            "type": "refusal",
            "code": "unknown-room",
            "sentence": "There is no room of that name.",
        }
        self.assertEqual(
            self.type_json('{"leave": {"ref": 8, "room": "#x"}}'),
            [{**refusal, "request": "leave", "ref": 8}],
        )
        self.assertEqual(
            self.requests(),
            [c.Send(0, "bob", "hi"), c.SetTopic(0, "#lobby", "x"), c.Leave(0, "#x")],
        )
        for line in ('{"nonsense": {}}', '{"leave": {"ref": 8}}', '{"leave": {"ref": 8,'):
            (refusal,) = self.type_json(line)
            self.assertEqual(refusal.pop("code"), "malformed", line)
            self.assertEqual(sorted(refusal), ["sentence", "type"], line)
        self.type_json('{"log_out": {}}')
        self.assertEqual(self.successResultOf(self.ended), 1)

    def test_block_request_hides_room_messages(self) -> None:
        """It has the effect of the command ``/block``."""
        self.type_json('{"block": {"name": "Carl"}}')
        self.client.tell(pushed("#lobby", "carl", "spam"))
        self.assertEqual(self.printed(), [])

    def test_messages_and_commands_are_accepted(self) -> None:
        """Lines that are not JSON objects."""
        self.assertEqual(self.type_json("hello")[0]["type"], "accepted")
        self.assertEqual(self.type_json("/topic"), [{"type": "line", "text": "#lobby: (no topic)"}])
        self.assertEqual(self.type_json("/foo")[0]["code"], "usage")
        self.client.answers[c.FindMembers] = c.Members(0, [c.Member("bob", "owner")])
        self.client.answers[c.Who] = c.People(0, [c.Person("bob", "on")])
        (members,) = self.type_json("/who")
        self.assertEqual(members["members"], [{"name": "bob", "role": "owner"}])
        self.assertEqual(
            members["people"], [{"name": "bob", "status": "on", "text": "", "seen": 0}]
        )

    def test_events_have_the_names_and_fields_of_the_catalogue(self) -> None:
        """Each event has one line."""
        entry = {
            "log": "#lobby",
            "seq": 1,
            "id": 1,
            "time": SINCE + 1000,
            "sender": "bob",
            "kind": "text",
        }
        for event, printed in (
            (pushed("#lobby", "bob", "hi"), {"type": "pushed", **entry, "body": "hi", "about": 0}),
            (
                c.Receipt("@bob", "read", [1]),
                {"type": "receipt", "log": "@bob", "what": "read", "seqs": [1]},
            ),
            (
                c.Typing("#lobby", "bob", True),
                {"type": "typing", "log": "#lobby", "name": "bob", "typing": True},
            ),
            (Disconnected("x", 0.5), {"type": "disconnected", "reason": "x", "retry_in": 0.5}),
            (Disconnected("y", 1.0), {"type": "disconnected", "reason": "y", "retry_in": 1.0}),
            (Connected(), {"type": "connected"}),
            (
                Retrying("busy", "x", 1.0),
                {"type": "retrying", "code": "busy", "reason": "x", "retry_in": 1.0},
            ),
            (
                Overflow(sent=1, other=2),
                {
                    "type": "overflow",
                    "sent": 1,
                    "receipts": 0,
                    "presence": 0,
                    "typing": 0,
                    "other": 2,
                },
            ),
            (
                c.Left("#lobby", "left"),
                {"type": "left", "room": "#lobby", "reason": "left", "note": "", "until": 0},
            ),
        ):
            self.client.tell(event)
            self.assertEqual(list(map(json.loads, self.printed())), [printed])

    def test_request_that_cannot_be_sent_is_refused(self) -> None:
        """The lines after it are carried out."""
        for line, code in (
            ('{"send": {"recipient": "bob", "text": "half \\ud83c", "ref": 7}}', "malformed"),
            ('{"send": {"recipient": "bob", "text": "%s"}}' % ("x" * 65537), "text-too-long"),
            ('{"set_topic": {"room": "#lobby", "topic": "%s"}}' % ("x" * 257), "topic-too-long"),
            ('{"change_password": {"old": "%s", "new": ""}}' % ("x" * 131072), "frame-too-long"),
        ):
            (refusal,) = self.type_json(line)
            self.assertEqual((refusal["type"], refusal["code"]), ("refusal", code))
        self.assertEqual(self.requests(), [])
        self.assertEqual(self.type_json('{"ping": {}}')[0]["request"], "ping")

    def test_history_is_printed_as_stored(self) -> None:
        """All entries are in one line."""
        self.client.logs["#lobby"].head = 1
        self.client.answers[c.History] = c.Page(
            0, "#lobby", [c.Item(1, 5, SINCE, "bob", "text", "hi")]
        )
        (history,) = self.type_json("/history")
        self.assertEqual((history["entries"][0]["body"], history["more"]), ("hi", False))

    def test_lost_connection_is_printed_as_refusal(self) -> None:
        """The exit status is 1."""
        self.client.tell(ConnectionClosed())
        self.assertEqual(json.loads(self.printed()[-1])["code"], "disconnected")
        self.assertEqual(self.successResultOf(self.ended), 1)
