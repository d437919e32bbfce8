"""Everybody with everybody, whatever they speak: one daemon, real sockets."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemon_process import Daemon
from tests.doubles.folders import folder
from tests.doubles.protocol_clients import Chat, Classic, Grpc, Ops, Speaker, Version1

SPECIAL = "50% {a} [b] <c> 'd' \"e\" \\f|g é€\N{GRINNING FACE}."
LONG = "x" * 9_999 + "."


class Together(SynchronousTestCase):
    """A daemon with a file, and a port for gRPC."""

    def setUp(self) -> None:
        self.daemon = Daemon(
            self, f"sqlite:{folder(self)}/chatd.db", more=("--listen", "grpc=tcp:0")
        )
        address = self.daemon.other("gRPC")
        self.kinds: dict[str, Callable[[str], Speaker]] = {
            kind.protocol: lambda name, kind=kind: kind(self, self.daemon, name)  # type: ignore[misc]
            for kind in (Classic, Version1, Ops, Chat)
        }
        self.kinds["gRPC"] = lambda name: Grpc(self, self.daemon, name, address)

    def test_every_pair(self) -> None:
        """Online, offline and fetched later, special characters, long texts, and deletion."""
        pairs = [(one, other) for one in self.kinds if one != "CHAT/1.0" for other in self.kinds]
        for number, (one, other) in enumerate(pairs):
            ann = self.kinds[one](f"ann{number}")
            bob = self.kinds[other](f"bob{number}")
            for text in ("hi.", SPECIAL, LONG):
                self.assertTrue(ann.say(bob.name, text), (one, other))
                self.assertEqual(
                    bob.hear(), (ann.name, bob.shown(ann, text)), (one, other, text[:20])
                )
            bob.leave()
            for text in ("one.", SPECIAL, "two."):
                self.assertTrue(ann.say(bob.name, text), (one, other))
            bob.come()
            self.assertEqual(
                bob.waiting(3),
                [(ann.name, bob.shown(ann, text)) for text in ("one.", SPECIAL, "two.")],
                (one, other),
            )
            self.assertTrue(ann.say(bob.name, "on."), (one, other))
            self.assertEqual(bob.hear(), (ann.name, bob.shown(ann, "on.")), (one, other))
            bob.delete()
            self.assertFalse(ann.say(bob.name, "gone."), (one, other))

    def test_the_lobby(self) -> None:
        """Those who have rooms hear each other there, and the others nothing of it."""
        people = [self.kinds[kind](f"in{number}") for number, kind in enumerate(self.kinds)]
        inside = [each for each in people if each.protocol in ("version 1", "CHAT/1.0")]
        for speaker in inside:
            for text in ("hi", "50% é", "y" * 5_000):
                speaker.say("#lobby", text)
                for each in inside:
                    if each is not speaker:
                        self.assertEqual(
                            each.hear(),
                            (speaker.name, each.shown(speaker, text).removeprefix(each.mark)),
                        )
        for speaker in people:
            if speaker not in inside:
                self.assertFalse(speaker.say("#lobby", "hello?."), speaker.protocol)
        wire, chat = inside
        wire.leave()
        chat.say("#lobby", "while you were away")
        wire.come()
        self.assertEqual(wire.hear(), (chat.name, "while you were away"))
