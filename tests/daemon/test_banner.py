"""What the daemon prints when it has started."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, cast

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon import service
from chatd.daemon.banner import Banner
from chatd.daemon.listeners import Listener
from chatd.realm.permissions import CLOSED, INVITE_ONLY, OPEN, Policy


class _Listener:
    """A port that is listening."""

    def __init__(self, address: str, title: str = "all protocols", local: bool = True) -> None:
        self.address = address
        self.title = title
        self.local = local


def _listeners(*listeners: _Listener) -> list[Listener]:
    return cast("list[Listener]", list(listeners))


class Lines(SynchronousTestCase):
    """Each line, for several daemons."""

    def setUp(self) -> None:
        self.banner = Banner(
            listeners=_listeners(_Listener("127.0.0.1:65432")),
            store_path=None,
            accounts=0,
            policy=Policy(OPEN, True),
            admin_path=None,
            has_certificate=False,
            tls_only=False,
            python="python",
            folder="/home/ann",
        )

    def line(self, heading: str, **changes: Any) -> str:
        """The line with this heading, when the daemon differs in these fields."""
        lines = [line for _, line in replace(self.banner, **changes).lines()]
        (line,) = (line for line in lines if line.startswith(heading))
        return line.removeprefix(heading)

    def test_commands_can_be_typed_as_they_are(self) -> None:
        """The commands begin with the Python that runs the daemon; paths are quoted."""
        self.assertEqual(
            self.line("Connect: ", python=".venv/bin/python"),
            ".venv/bin/python -m chatd.client NAME chat://localhost:65432",
        )
        self.assertEqual(
            self.line("Administer: ", python=".venv/bin/python", admin_path="/a b/chatd.db.admin"),
            ".venv/bin/python -m chatd.admin --admin '/a b/chatd.db.admin' --help",
        )
        self.assertEqual(self.line("Stop: "), f"Ctrl-C, or kill {os.getpid()}")

    def test_commands_of_operators_find_the_daemon(self) -> None:
        """Without an option only the default socket in the current folder is found."""
        policy = Policy(INVITE_ONLY, False)
        for path, command in (
            ("/home/ann/chatd.db.admin", "chatd.admin invite)"),
            ("/home/ann/a b.admin", "chatd.admin --admin '/home/ann/a b.admin' invite)"),
        ):
            self.assertIn(command, self.line("Reach: ", policy=policy, admin_path=path))

    def test_client_is_told_to_trust_the_certificate(self) -> None:
        """If the certificate is its own issuer, and TLS is required."""
        for tls_only, trusted, words in (
            (True, "a b.pem", "chats://localhost:65432 --tls-ca 'a b.pem'"),
            (True, None, "chats://localhost:65432"),
            (False, "a b.pem", "chat://localhost:65432"),
        ):
            line = self.line("Connect: ", tls_only=tls_only, trusted=trusted)
            self.assertTrue(line.endswith(f" NAME {words}"), line)

    def test_address_to_connect_to_is_one_of_the_certificate(self) -> None:
        """If TLS is required; the first name of a host that is not the daemon's address."""
        for address, certified, host in (
            ("0.0.0.0:1", ["chat.example.org", "localhost"], "localhost"),
            ("0.0.0.0:1", ["192.0.2.1", "*.example.org", "chat.example.org"], "chat.example.org"),
            ("192.0.2.1:1", ["chat.example.org", "192.0.2.1"], "192.0.2.1"),
            ("[2001:db8::1]:1", ["a.example", "2001:db8::1"], "[2001:db8::1]"),
            ("192.0.2.1:1", [], "192.0.2.1"),
        ):
            listeners = _listeners(_Listener(address))
            line = self.line("Connect: ", listeners=listeners, tls_only=True, certified=certified)
            self.assertTrue(line.endswith(f" NAME chats://{host}:1"), line)

    def test_address_to_connect_to_is_one_that_clients_can_use(self) -> None:
        """A port on every address is reached as localhost; with TLS only, by chats."""
        for address, tls_only, url in (
            ("0.0.0.0:1", False, "chat://localhost:1"),
            ("[::]:1", False, "chat://localhost:1"),
            ("192.0.2.1:1", False, "chat://192.0.2.1:1"),
            ("[2001:db8::1]:1", True, "chats://[2001:db8::1]:1"),
        ):
            listeners = _listeners(_Listener(address))
            line = self.line("Connect: ", listeners=listeners, tls_only=tls_only)
            self.assertTrue(line.endswith(f" NAME {url}"), line)

    def test_protocols_are_explained(self) -> None:
        """A reader who knows none of the protocols sees which one is which."""
        titles = (
            "version 1 (chatd's own client), classic (binary), CHAT/1.0 (text), "
            "ops (text with op codes)"
        )
        self.assertEqual(self.line("Protocols: "), titles)
        self.assertEqual(
            self.line("Protocols: ", has_certificate=True),
            f"{titles}; each of them also inside TLS",
        )
        self.assertEqual(
            self.line("Protocols: ", has_certificate=True, tls_only=True),
            f"TLS only, and inside it {titles}",
        )

    def test_other_ports_have_a_line_each(self) -> None:
        """Each port besides the main one has a line of its own."""
        listeners = _listeners(
            _Listener("127.0.0.1:65432"), _Listener("127.0.0.1:2023", title="ops")
        )
        self.assertEqual(
            self.line("Also listening: ", listeners=listeners), "ops on 127.0.0.1:2023"
        )

    def test_policy_is_described_in_words(self) -> None:
        """The policy in words."""
        for policy, admin_path, sentence in (
            (Policy(OPEN, False), None, "Anyone can create an account"),
            (
                Policy(OPEN, True),
                None,
                "Anyone can create an account, and anyone can use an account that has no password",
            ),
            (Policy(CLOSED, False), None, "No account can be created"),
            (
                Policy(INVITE_ONLY, False),
                "/home/ann/chatd.db.admin",
                "Creating an account requires an invite token (python -m chatd.admin invite)",
            ),
            (
                Policy(INVITE_ONLY, False),
                None,
                "Creating an account requires an invite token; making one requires --admin PATH",
            ),
        ):
            line = self.line("Reach: ", policy=policy, admin_path=admin_path)
            self.assertEqual(line, f"this machine only (--host 0.0.0.0 for others). {sentence}")

    def test_port_that_others_can_reach_is_a_warning(self) -> None:
        """It names the address, and whether connections are encrypted."""
        listeners = _listeners(_Listener("0.0.0.0:1", local=False))
        for certificate, tls_only, words in (
            (False, False, "nothing is encrypted"),
            (True, False, "TLS is optional"),
            (True, True, "the main port requires TLS"),
        ):
            banner = replace(
                self.banner, listeners=listeners, has_certificate=certificate, tls_only=tls_only
            )
            (warning,) = (line for level, line in banner.lines() if level is LogLevel.warn)
            self.assertTrue(warning.startswith("Reach: anyone who can reach 0.0.0.0:1. "), warning)
            self.assertTrue(warning.endswith("; " + words), warning)

    def test_namespace_of_log_lines_is_chatd(self) -> None:
        """Operators' log lines do not change with the names of modules."""
        events: list[LogEvent] = []
        observer = cast("ILogObserver", events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.banner.log(service.logger)
        self.assertEqual({event["log_namespace"] for event in events}, {"chatd"})
