"""Requests and output as lines of JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.cli.output import jsonlines
from chatd.client.cli.output.jsonlines import InvalidRequest
from chatd.client.cli.terminal.sanitize import one_line
from chatd.codecs import v1_messages as c


class ReadingTests(SynchronousTestCase):
    """Requests that are read."""

    def test_requests_are_read_by_field_names(self) -> None:
        """Fields with a default may be missing; `ref` is returned apart."""
        for line, request, ref in (
            ('{"send": {"recipient": "bob", "text": "hi"}}', c.Send(0, "bob", "hi"), 0),
            (
                ' {"send": {"ref": 9, "recipient": "b", "text": "", "key": "k"}}',
                c.Send(9, "b", "", "k"),
                9,
            ),
            ('{"history": {"log": "#lobby", "before": 5}}', c.History(0, "#lobby", 0, 5), 0),
            ('{"who": {"names": ["a", "b"], "watch": true}}', c.Who(0, ["a", "b"], True), 0),
            ('{"change_password": {"old": null, "new": "x"}}', c.ChangePassword(0, None, "x"), 0),
            ('{"ping": {}}', c.Ping(0), 0),
        ):
            self.assertEqual(jsonlines.read(line), (request, ref))

    def test_every_request_can_be_read_except_those_of_the_client(self) -> None:
        """The client itself logs in, acknowledges and answers pings."""
        self.assertEqual(
            set(c.REQUESTS.values()) - set(jsonlines.REQUESTS.values()),
            {c.Hello, c.Register, c.LogIn, c.Resume, c.Ack, c.Pong},
        )

    def test_invalid_request_is_explained(self) -> None:
        """Each mistake has its own sentence."""
        for line, part in (
            ("{", "The line is not a request"),
            ("{}", "The line is not a request"),
            ('{"ping": {}, "who": {}}', "The line is not a request"),
            ('{"ping": 1}', "The line is not a request"),
            ('{"log_in": {"name": "x"}}', "There is no request 'log_in'"),
            ('{"send": {"recipient": "b"}}', "send requires: text."),
            ('{"send": {"recipient": "b", "text": 1}}', "Expected `str`"),
            ('{"send": {"recipient": "b", "text": "", "to": 1}}', "has no field 'to'"),
            ('{"history": {"log": "x", "limit": 5000}}', "<= 1000"),
            ("[" * 100_000, "The line is not a request"),
        ):
            self.assertIn(part, str(self.assertRaises(InvalidRequest, jsonlines.read, line)))


class WritingTests(SynchronousTestCase):
    """Lines that are printed."""

    def test_printable_characters_are_not_escaped(self) -> None:
        """Control and format characters are escaped."""
        self.assertEqual(
            jsonlines.write({"a": "h\u00e9 \U0001f331"}), '{"a": "h\u00e9 \U0001f331"}'
        )
        self.assertEqual(
            jsonlines.write({"a": "\x1b\x7f\x85\u202e\n"}), r'{"a": "\u001b\u007f\u0085\u202e\n"}'
        )

    @given(st.text())
    def test_any_text_survives_and_needs_no_sanitizing(self, text: str) -> None:
        """A terminal can print each line as it is."""
        line = jsonlines.write({"text": text})
        self.assertEqual(json.loads(line), {"text": text})
        self.assertEqual(one_line(line), line)

    def test_message_names_are_in_snake_case(self) -> None:
        """The names are those of docs/protocols/v1.md."""
        self.assertEqual(jsonlines.snake_case(c.FindRooms), "find_rooms")
        self.assertEqual(jsonlines.snake_case(c.Ping), "ping")
