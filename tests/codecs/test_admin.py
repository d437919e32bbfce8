"""The codec of the admin socket: requests and answers as lines of JSON."""

from __future__ import annotations

import re

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import admin as c
from chatd.core.errors import BadRequest

EXAMPLES: tuple[tuple[bytes, c.Request], ...] = (
    (b'{"command":"users","pattern":"a*","limit":5}', c.ListAccounts("a*", limit=5)),
    (b'{"command":"sessions"}', c.ListSessions()),
    (b'{"command":"end-sessions","name":"ann"}', c.EndSessions("ann")),
    (b'{"command":"reset-password","name":"ann","password":null}', c.SetPassword("ann", None)),
    (
        b'{"command":"set-certificates","name":"ann","fingerprints":["ab"]}',
        c.SetCertificates("ann", ["ab"]),
    ),
    (b'{"command":"delete","name":"ann"}', c.DeleteAccount("ann")),
    (b'{"command":"rooms","after":"#a"}', c.ListRooms(after="#a")),
    (b'{"command":"delete-room","room":"#a","now":true}', c.DeleteRoom("#a", True)),
    (b'{"command":"reports","after":7}', c.ListReports(7)),
    (b'{"command":"invite","uses":2,"seconds":60}', c.CreateInviteToken(2, 60)),
    (b'{"command":"invites"}', c.ListInviteTokens()),
    (b'{"command":"revoke","invite":"ab"}', c.RevokeInviteToken("ab")),
    (b'{"command":"stats"}', c.GetStatistics()),
    (b'{"command":"backup","path":"/copy.db"}', c.Backup("/copy.db")),
    (b'{"command":"log-level","level":"debug"}', c.SetLogLevel("debug")),
    (
        b'{"command":"room-role","room":"#a","name":"bob","role":"deputy"}',
        c.SetRoomRole("#a", "bob", "deputy"),
    ),
    (b'{"command":"room-topic","room":"#a","topic":"x"}', c.SetRoomTopic("#a", "x")),
    (b'{"command":"suspend","name":"ann","seconds":60}', c.Suspend("ann", 60)),
    (b'{"command":"unsuspend","name":"ann"}', c.Unsuspend("ann")),
    (b'{"command":"announce","text":"Noon."}', c.Announce("Noon.")),
    (b'{"command":"audit","after":3}', c.ListAudit(3)),
    (b'{"command":"close-report","seq":3,"note":"x"}', c.CloseReport(3, "x")),
    (b'{"command":"ban","network":"::/8","force":true}', c.BanAddress("::/8", force=True)),
    (b'{"command":"unban","network":"::/8"}', c.UnbanAddress("::/8")),
    (b'{"command":"bans"}', c.ListAddressBans()),
    (
        b'{"command":"delete-accounts","pattern":"c*","idle":60,"dry":true}',
        c.DeleteAccounts("c*", idle=60, dry=True),
    ),
    (
        b'{"command":"create-token","name":"ann","label":"bot","scopes":["all"],"seconds":60}',
        c.CreateAccessToken("ann", "bot", ["all"], 60),
    ),
    (b'{"command":"tokens","name":"ann"}', c.ListAccessTokens("ann")),
    (
        b'{"command":"revoke-token","name":"ann","label":"bot"}',
        c.RevokeAccessToken("ann", "bot"),
    ),
    (b'{"command":"export","name":"ann"}', c.ExportAccount("ann")),
    (b'{"command":"deleted-rooms","limit":5}', c.ListDeletedRooms(limit=5)),
    (
        b'{"command":"restore-room","room":"#a","id":"7","owner":"bob"}',
        c.RestoreRoom("#a", "7", "", "bob"),
    ),
    (
        b'{"command":"invite-names","names":["ann","bob"],"seconds":60}',
        c.CreateInviteTokens(["ann", "bob"], 60),
    ),
    (b'{"command":"erase","name":"ann","resume":true}', c.EraseAccount("ann", True)),
)
"""a line for each request"""


class AdminCodec(SynchronousTestCase):
    """Lines and messages."""

    def test_every_request_has_an_example(self) -> None:
        """Commands are words in lower case, joined by hyphens."""
        self.assertEqual(
            [type(request) for _, request in EXAMPLES], list(c.Request.__subclasses__())
        )
        for _, request in EXAMPLES:
            self.assertTrue(re.fullmatch("[a-z]+(-[a-z]+)*", c.command(request)))

    def test_examples_are_decoded(self) -> None:
        """Fields that a line leaves out have their defaults."""
        for line, request in EXAMPLES:
            self.assertEqual(c.decode_request(line), request)

    def test_requests_are_encoded_as_lines(self) -> None:
        """Each line ends, and is decoded to the request that it was."""
        for _, request in EXAMPLES:
            line = c.encode(request)
            self.assertEqual(line.count(b"\n"), 1)
            self.assertTrue(line.endswith(b"\n"))
            self.assertEqual(c.decode_request(line), request)

    def test_answers_are_objects(self) -> None:
        """Records inside them are encoded as objects, too."""

        class Record(msgspec.Struct):
            name: str

        line = c.encode({"ok": True, "items": [Record("ann\n")]})
        self.assertEqual(line, b'{"ok":true,"items":[{"name":"ann\\n"}]}\n')
        self.assertEqual(c.decode_answer(line), {"ok": True, "items": [{"name": "ann\n"}]})
        for wrong in (b"[]", b"", b"220 hello", b"\xff", b'{"ok":"\\ud800"}'):
            self.assertRaises(BadRequest, c.decode_answer, wrong)

    def test_values_out_of_bounds_are_refused(self) -> None:
        """The decoder refuses them, so that no other module has to check them."""
        for line in (
            b'{"command":"users","limit":0}',
            b'{"command":"users","limit":1001}',
            b'{"command":"reports","after":-1}',
            b'{"command":"invite","uses":0}',
            b'{"command":"invite","uses":1000001}',
            b'{"command":"invite","seconds":0}',
            b'{"command":"revoke","invite":""}',
            b'{"command":"backup","path":""}',
            b'{"command":"reset-password","name":"ann"}',
            b'{"command":"kick","name":"ann"}',
            b'{"command":"restore-room","room":"#a","id":"x"}',
            b'{"command":"restore-room","room":"#a","id":"12345678901234567890"}',
        ):
            self.assertRaises(BadRequest, c.decode_request, line)
