"""The catalogue of version 1: numbers, fields and defaults of its messages."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import v1_messages
from chatd.codecs.v1_messages import (
    FEATURES,
    MESSAGES,
    REPLIES,
    REQUESTS,
    Item,
    Message,
    Ping,
    Pong,
    Pushed,
    Sent,
)


def structures() -> list[type[Any]]:
    """The classes of the catalogue: messages, and structures that are parts of messages."""
    return [
        kind
        for kind in vars(v1_messages).values()
        if inspect.isclass(kind)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == v1_messages.__name__
    ]


class Catalogue(SynchronousTestCase):
    """Rules for all messages."""

    def test_command_numbers_are_unique_and_in_ranges(self) -> None:
        """Requests, answers and events have a range each; a byte is enough."""
        self.assertEqual(len(MESSAGES), len(Message.__subclasses__()))
        self.assertEqual(set(REQUESTS), {n for n in MESSAGES if n < 64} | {Pong.command})
        self.assertEqual(set(REPLIES), {n for n in MESSAGES if n >= 64} | {Ping.command})
        self.assertLess(max(MESSAGES), 256)

    def test_requests_and_answers_begin_with_ref(self) -> None:
        """Events have none."""
        for number, kind in MESSAGES.items():
            fields = kind.__struct_fields__
            self.assertEqual("ref" in fields, number < 80, kind)
            self.assertEqual(fields[0] == "ref", number < 80, kind)

    def test_features_are_named_as_their_events(self) -> None:
        """`receipts` brings `Receipt`, for example."""
        names = {kind.__name__.lower().rstrip("s") for kind in MESSAGES.values()}
        self.assertLessEqual({feature.rstrip("s") for feature in FEATURES}, names)

    def test_every_structure_is_an_array(self) -> None:
        """Of its fields in the order of the class; the names of fields are not sent."""
        for kind in structures():
            self.assertTrue(kind.__struct_config__.array_like, kind)

    def test_every_message_is_documented(self) -> None:
        """The docstrings are the text of docs/protocols/v1.md."""
        for kind in structures():
            self.assertTrue(inspect.cleandoc(kind.__doc__ or "").endswith("."), kind)

    def test_entries_have_the_same_fields_everywhere(self) -> None:
        """Pages of history omit the log; the account's own entries omit the sender."""
        self.assertEqual(("log", *Item.__struct_fields__), Pushed.__struct_fields__)
        fields = [field for field in Pushed.__struct_fields__ if field != "sender"]
        self.assertEqual(list(Sent.__struct_fields__), fields)

    def test_fields_without_defaults_come_first(self) -> None:
        """Fields can be omitted from the end of the array only."""
        for kind in MESSAGES.values():
            required = [field.required for field in msgspec.structs.fields(kind)]
            self.assertEqual(required, sorted(required, reverse=True), kind)
