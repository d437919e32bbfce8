"""A user of each protocol sends to a user of each other one, by one daemon."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemon_process import Daemon
from tests.doubles.folders import folder
from tests.doubles.protocol_clients import (
    Chat10User,
    ClassicUser,
    GrpcUser,
    OpsUser,
    ProtocolUser,
    Version1User,
)

SPECIAL = "50% {a} [b] <c> 'd' \"e\" \\f|g é€\N{GRINNING FACE}."
LONG = "x" * 9_999 + "."


class Together(SynchronousTestCase):
    """A daemon with a file, and a port for gRPC."""

    def setUp(self) -> None:
        self.daemon = Daemon(
            self, f"sqlite:{folder(self)}/chatd.db", more=("--listen", "grpc=tcp:0")
        )
        address = self.daemon.address_of("gRPC")
        self.kinds: dict[str, Callable[[str], ProtocolUser]] = {
            kind.protocol: lambda name, kind=kind: kind(self, self.daemon, name)  # type: ignore[misc]
            for kind in (ClassicUser, Version1User, OpsUser, Chat10User)
        }
        self.kinds["gRPC"] = lambda name: GrpcUser(self, self.daemon, name, address)

    def test_every_pair_of_protocols(self) -> None:
        """Online, offline, special characters, long texts, and deletion."""
        pairs = [(one, other) for one in self.kinds if one != "CHAT/1.0" for other in self.kinds]
        for number, (one, other) in enumerate(pairs):
            ann = self.kinds[one](f"ann{number}")
            bob = self.kinds[other](f"bob{number}")
            for text in ("hi.", SPECIAL, LONG):
                self.assertTrue(ann.send_text(bob.name, text), (one, other))
                self.assertEqual(
                    bob.receive_text(),
                    (ann.name, bob.as_received(ann, text)),
                    (one, other, text[:20]),
                )
            bob.log_out()
            for text in ("one.", SPECIAL, "two."):
                self.assertTrue(ann.send_text(bob.name, text), (one, other))
            bob.log_in()
            self.assertEqual(
                bob.fetch_texts(3),
                [(ann.name, bob.as_received(ann, text)) for text in ("one.", SPECIAL, "two.")],
                (one, other),
            )
            self.assertTrue(ann.send_text(bob.name, "on."), (one, other))
            self.assertEqual(
                bob.receive_text(), (ann.name, bob.as_received(ann, "on.")), (one, other)
            )
            bob.delete_account()
            self.assertFalse(ann.send_text(bob.name, "gone."), (one, other))

    def test_lobby_is_shared_by_the_protocols_with_rooms(self) -> None:
        """Users of the other protocols receive nothing of it."""
        people = [self.kinds[kind](f"in{number}") for number, kind in enumerate(self.kinds)]
        inside = [each for each in people if each.protocol in ("version 1", "CHAT/1.0")]
        for speaker in inside:
            for text in ("hi", "50% é", "y" * 5_000):
                speaker.send_text("#lobby", text)
                for each in inside:
                    if each is not speaker:
                        self.assertEqual(
                            each.receive_text(),
                            (speaker.name, each.as_received(speaker, text).removeprefix(each.mark)),
                        )
        for speaker in people:
            if speaker not in inside:
                self.assertFalse(speaker.send_text("#lobby", "hello?."), speaker.protocol)
        wire, chat = inside
        wire.log_out()
        chat.send_text("#lobby", "while you were away")
        wire.log_in()
        self.assertEqual(wire.receive_text(), (chat.name, "while you were away"))
