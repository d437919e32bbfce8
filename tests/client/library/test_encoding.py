"""Encoding of requests, and what is refused before it is sent."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.library.encoding import FRAME_LIMIT, encode_request
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import HEADER_SIZE, encode
from chatd.core.errors import Refused

LIMITS = c.Limits(1000, 256, 20, 256, 0.0, 2000)


class EncodingTests(SynchronousTestCase):
    """Requests that can be sent, and requests that cannot."""

    def refusal(self, message: Any, limits: c.Limits | None = LIMITS) -> str:
        """The code with which a request is refused."""
        code: str = self.assertRaises(Refused, encode_request, message, limits).code
        return code

    def test_request_is_encoded(self) -> None:
        """As any message."""
        message = c.Send(7, "bob", "x" * 1000, "key")
        self.assertEqual(encode_request(message, LIMITS), encode(message))

    def test_what_version_1_cannot_express_is_malformed(self) -> None:
        """Half of a surrogate pair, as JSON may have it; names and keys that are too long; other
        types; numbers without end."""
        for message in (
            c.Send(0, "bob", "half \ud83c"),
            c.Send(0, 65 * "b", "x"),
            c.Send(0, "bob", "x", 65 * "k"),
            c.Send(0, "bob", None),  # type: ignore[arg-type]
            c.Send(0, "bob", object()),  # type: ignore[arg-type]
            c.Edit(0, "@bob", 2**70, "x"),
            c.MarkRead(0, "@bob", -1),
            c.React(0, "@bob", 1, 33 * "x"),
            c.GetReceipts(0, "@bob", list(range(101))),
        ):
            self.assertEqual(self.refusal(message), "malformed", message)

    def test_lengths_are_those_of_the_server(self) -> None:
        """Texts in bytes, topics and patterns in characters."""
        for fits, too_long, code in (
            (c.Send(0, "bob", "é" * 500), c.Send(0, "bob", "é" * 501), "text-too-long"),
            (c.Edit(0, "@b", 1, "x" * 1000), c.Edit(0, "@b", 1, "x" * 1001), "text-too-long"),
            (c.SetTopic(0, "#d", "é" * 256), c.SetTopic(0, "#d", "x" * 100_000), "topic-too-long"),
            (c.CreateRoom(0, "#d"), c.CreateRoom(0, "#d", "x" * 257), "topic-too-long"),
            (c.FindRooms(0, "x" * 20), c.FindRooms(0, "x" * 21), "pattern-too-long"),
            (c.FindAccounts(0, "x" * 20), c.FindAccounts(0, "x" * 21), "pattern-too-long"),
        ):
            encode_request(fits, LIMITS)
            self.assertEqual(self.refusal(too_long), code)

    def test_frame_that_the_server_would_not_read_is_refused(self) -> None:
        """The default limit holds until the server has named its own."""
        empty = len(encode(c.ChangePassword(0, "", None))) - HEADER_SIZE
        for limits, limit in ((LIMITS, 2000), (None, FRAME_LIMIT)):
            # A text of so many characters has 2 or 4 bytes more before it than an empty one.
            encode_request(c.ChangePassword(0, "x" * (limit - empty - 4), None), limits)
            too_long = c.ChangePassword(0, "x" * (limit - empty), None)
            self.assertEqual(self.refusal(too_long, limits), "frame-too-long")
