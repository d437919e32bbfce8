"""examples/client.js and a real daemon, that is killed under it."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.classic import SEND, encode
from tests.doubles.daemon_process import Daemon, SocketClient, sent
from tests.doubles.folders import folder
from tests.examples.node import PATIENCE, Program

ROUNDS = 3
SAID = 400
"""messages of each in each direction and round"""
SPECIAL = "Grüße, 世界 🌱👩‍👩‍👧 \u202eabc\u202c ||| \\n {} 'x' \"y\" \ufeff \U0010ffff \ufffd"


class WithDaemon(SynchronousTestCase):
    """A daemon on a file, that can be started again at the same port."""

    def setUp(self) -> None:
        self.store = f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, self.store)

    def restart(self) -> None:
        """After it was killed."""
        options = ["--port", str(self.daemon.port), "--store", self.store, "--rate", "none"]
        self.daemon = Daemon(
            self, self.store, command=["twistd", "-n", "--pidfile=", "chatd", *options]
        )

    def come(self, name: str, *password: str) -> Program:
        """A client that is in the lobby."""
        program = Program(self, self.daemon.port, name, *password)
        program.types(f"#lobby {name} is here")
        self.assertEqual(program.prints(), f"#lobby {name}: {name} is here")
        return program

    def leave(self, *programs: Program) -> None:
        """They end in an orderly way."""
        for program in programs:
            program.ends_input()
        for program in programs:
            self.assertEqual(program.ends(), 0)


class Talk(WithDaemon):
    """What people write."""

    def test_both_ways(self) -> None:
        """Two of them, one with a password: mail and the lobby, whatever the characters."""
        ann = self.come("Ann", "s3cret")
        bob = self.come("Bob")
        self.assertEqual(ann.prints(), "#lobby Bob: Bob is here")
        ann.types(f"@BOB {SPECIAL}")
        self.assertEqual(bob.prints(), f"Ann: {SPECIAL}")
        bob.types(f"@ann {SPECIAL}{SPECIAL}")
        self.assertEqual(ann.prints(), f"Bob: {SPECIAL}{SPECIAL}")
        ann.types("@bob " + "🌱" * 16_384, "#Lobby " + SPECIAL, "@bob " + "🌱" * 16_385, "@bob end")
        self.assertEqual(bob.prints(), "Ann: " + "🌱" * 16_384)
        self.assertEqual(bob.prints(), f"#lobby Ann: {SPECIAL}")
        self.assertEqual(bob.prints(), "Ann: end")
        self.assertIn("not sent to bob: text too long", ann.complains())
        self.leave(ann, bob)

    def test_with_a_classic_client(self) -> None:
        """The other protocol, both ways; what a classic client cannot read is replaced."""
        ann = self.come("Ann")
        old = SocketClient(self, self.daemon).create("Old")
        old.say("Old", "Ann", "Hello from long ago")
        self.assertEqual(ann.prints(), "Old: Hello from long ago")
        ann.types("@old Hi! Tschüß")
        self.assertEqual(old.next(), sent("Ann", "Old", "Hi! Tsch??"))
        self.leave(ann)
        old.send(encode(SEND, "Old", "Ann", "for later"))
        old.next()
        again = Program(self, self.daemon.port, "Ann")
        self.assertEqual(again.prints(), "Old: for later")
        self.leave(again)

    def test_mail_waits(self) -> None:
        """What was printed once does not come again; what was not, does."""
        ann, bob = self.come("Ann"), self.come("Bob")
        ann.types("@bob 1", "@bob 2")
        self.assertEqual([bob.prints(), bob.prints()], ["Ann: 1", "Ann: 2"])
        self.leave(bob)
        ann.types("@bob 3", "#lobby 4")
        self.leave(ann)
        again = Program(self, self.daemon.port, "bob")
        self.assertEqual([again.prints(), again.prints()], ["Ann: 3", "#lobby Ann: 4"])
        self.leave(again)
        self.assertEqual(len(again.printed), 2)

    def test_who_may_not_come_in(self) -> None:
        """The account has another password."""
        self.leave(self.come("Ann", "s3cret"))
        for wrong in (["guess"], []):
            program = Program(self, self.daemon.port, "ann", *wrong)
            self.assertEqual(program.ends(), 1)
            self.assertIn("password", program.complains())


class Killed(WithDaemon):
    """The daemon is killed while both write to each other and to the lobby."""

    def test_exactly_once(self) -> None:
        """Round after round nobody misses a word, nor reads one twice; nor does who comes after."""
        names = ("ann", "bob")
        programs = [self.come(name) for name in names]
        self.assertEqual(programs[0].prints(), "#lobby bob: bob is here")
        other = {"ann": "bob", "bob": "ann"}
        got: dict[str, list[str]] = {name: [] for name in names}
        for turn in range(ROUNDS):
            writers = [
                threading.Thread(target=self.write, args=(program, other[name], turn), daemon=True)
                for name, program in zip(names, programs, strict=True)
            ]
            for writer in writers:
                writer.start()
            for name, program in zip(names, programs, strict=True):
                got[name] += [program.prints() for _ in range(SAID // 2 + 100 * turn)]
            self.daemon.kill()
            self.restart()
            for name, program in zip(names, programs, strict=True):
                got[name] += [
                    program.prints() for _ in range(3 * SAID * (turn + 1) - len(got[name]))
                ]
            for writer in writers:
                writer.join(PATIENCE)
                self.assertFalse(writer.is_alive())
        self.leave(*programs)
        expected = [str(number) for number in range(ROUNDS * SAID)]
        for name, program in zip(names, programs, strict=True):
            lines = got[name]
            for _ in range(ROUNDS):
                self.assertIn("; connecting again", program.complains())
            self.assertEqual(len(program.printed), 2 - (name == "bob") + len(lines))
            for prefix in (f"{other[name]}: ", f"#lobby {name}: ", f"#lobby {other[name]}: "):
                self.assertEqual(
                    [line[len(prefix) :] for line in lines if line.startswith(prefix)], expected
                )
        self.leave_again(names)

    def write(self, program: Program, to: str, turn: int) -> None:
        """Numbers to the other one, and to the room."""
        for number in range(turn * SAID, (turn + 1) * SAID):
            program.types(f"@{to} {number}", f"#lobby {number}")

    def leave_again(self, names: tuple[str, ...]) -> None:
        """Everything has been acknowledged, so nothing waits for another client of theirs."""
        for name in names:
            program = Program(self, self.daemon.port, name)
            program.types(f"@{name} last")
            self.assertEqual(program.prints(), f"{name}: last")
            self.leave(program)
            self.assertEqual(len(program.printed), 1)
