"""The types of options: valid texts with their values, and the errors for the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.config import option_types
from chatd.config.option_types import LEGACY, LEGACY_PORTS, Listen, on_loopback
from chatd.core.limits import Retention
from tests.config.option_values import INVALID, VALID

TYPES: Mapping[str, Callable[[str], Any]] = {
    "port": option_types.port,
    "host": option_types.host,
    "store": option_types.store,
    "rate": option_types.rate,
    "registration": option_types.registration,
    "allow-open-accounts": option_types.switch,
    "list-before-login": option_types.switch,
    "retain": option_types.retain,
    "admin": option_types.admin,
    "legacy-ports": option_types.switch,
    "tls-only": option_types.switch,
    "log-level": option_types.log_level,
    "address-accounts": option_types.accounts_quota,
    "tls-cert": option_types.path,
    "listen": option_types.listen,
    "account-sessions": option_types.count,
    "address-sessions": option_types.count_or_none,
    "address-connections": option_types.count_or_none,
    "mailbox-size": option_types.size,
    "sender-size": option_types.size,
    "keep-deleted-rooms": option_types.seconds_or_none,
    "account-rooms": option_types.count_or_none,
}
"""the type of each option in the tables of values"""


class TypeTests(SynchronousTestCase):
    """Each function."""

    def test_valid_texts_have_their_values(self) -> None:
        """A text of `listen` may contain several ports, and the host is added to them."""
        for name, values in VALID.items():
            for text, value in values:
                if name == "listen":
                    ports = [option_types.listen(word).at("127.0.0.1") for word in text.split()]
                    self.assertEqual(tuple(ports), value)
                else:
                    self.assertEqual(TYPES[name](text), value, (name, text))

    def test_invalid_texts_are_refused_with_a_sentence(self) -> None:
        """It repeats the text, or the part of it that is invalid, and says what is valid."""
        for name, texts in INVALID.items():
            for text in texts:
                sentence = str(self.assertRaises(ValueError, TYPES[name], text))
                self.assertNotIn("\n", sentence)
                parts = {text}
                if name == "listen":
                    _, _, endpoint = text.partition("=")
                    parts |= {endpoint, endpoint.removeprefix("tcp:")}
                self.assertTrue(any(repr(part) in sentence for part in parts), sentence)

    def test_limits_of_numbers_are_valid(self) -> None:
        """The next number beyond each is refused."""
        self.assertEqual([option_types.port(text) for text in ("0", "65535")], [0, 65535])
        self.assertEqual([option_types.rate(text) for text in ("0.01", "1e9")], [0.01, 1e9])

    def test_times_have_a_unit(self) -> None:
        """The value is in seconds."""
        for text, seconds in (
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("4w", 2_419_200),
        ):
            self.assertEqual(option_types.seconds(text), seconds)
        for text in ("", "30", "0s", "d", "1.5h", "1 d", "30D"):
            self.assertRaises(ValueError, option_types.seconds, text)

    def test_retention_is_an_age_a_number_or_both(self) -> None:
        """The order does not matter; ``none`` keeps everything."""
        for text, value in (
            ("none", Retention()),
            ("1d", Retention(86_400)),
            ("9", Retention(None, 9)),
            ("1d,9", Retention(86_400, 9)),
            ("9,1d", Retention(86_400, 9)),
        ):
            self.assertEqual(option_types.retain(text), value)

    def test_nul_is_not_part_of_a_path(self) -> None:
        """This holds for files, stores and sockets."""
        for convert, text in (
            (option_types.path, "a\0b"),
            (option_types.store, "sqlite:a\0b"),
            (option_types.admin, "a\0b"),
        ):
            self.assertRaises(ValueError, convert, text)

    def test_loopback_is_an_address_of_this_machine(self) -> None:
        """Of host names only localhost is known to be one."""
        for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1"):
            self.assertTrue(on_loopback(host), host)
        for host in ("", "0.0.0.0", "::", "192.0.2.1", "chat.example.org", "localhost.example.org"):
            self.assertFalse(on_loopback(host), host)


class ListenTests(SynchronousTestCase):
    """`Listen`: a port besides the main one."""

    def test_parts_are_separated_by_colons(self) -> None:
        """A colon after a backslash belongs to its part."""
        listen = Listen("ops", r"tcp:1:interface=\:\:1")
        self.assertEqual(listen.parts, ["tcp", "1", r"interface=\:\:1"])

    def test_interface_is_an_address(self) -> None:
        """Only TCP and TLS endpoints have one."""
        for endpoint, interface in (
            ("tcp:1", None),
            ("tcp:1:backlog=5", None),
            ("tcp:1:interface=192.0.2.1", "192.0.2.1"),
            (r"ssl:1:privateKey=a:interface=\:\:1", "::1"),
            ("unix:/run/chat:interface=x", None),
        ):
            self.assertEqual(Listen("any", endpoint).interface, interface, endpoint)

    def test_host_is_added_to_an_endpoint_without_interface(self) -> None:
        """Colons and backslashes of the host are quoted."""
        for endpoint, host, result in (
            ("tcp:1", "127.0.0.1", "tcp:1:interface=127.0.0.1"),
            ("ssl:1", "::1", r"ssl:1:interface=\:\:1"),
            ("tcp:1:interface=192.0.2.1", "127.0.0.1", "tcp:1:interface=192.0.2.1"),
            ("unix:/run/chat", "127.0.0.1", "unix:/run/chat"),
        ):
            listen = Listen("any", endpoint).at(host)
            self.assertEqual(listen, Listen("any", result))
        self.assertEqual(Listen("any", "ssl:1").at("::1").interface, "::1")

    def test_port_is_local_if_only_this_machine_can_connect(self) -> None:
        """An endpoint that names no address is not."""
        for endpoint, local in (
            ("unix:/run/chat", True),
            ("tcp:1:interface=127.0.0.1", True),
            (r"tcp:1:interface=\:\:1", True),
            ("tcp:1:interface=0.0.0.0", False),
            ("tcp:1", False),
            ("tcp6:1", False),
            ("systemd:domain=INET:index=0", False),
        ):
            self.assertIs(Listen("any", endpoint).local, local, endpoint)

    def test_legacy_ports_are_local(self) -> None:
        """Each protocol that had a server of its own has one."""
        self.assertEqual([listen.name for listen in LEGACY], list(LEGACY_PORTS))
        self.assertTrue(all(listen.local for listen in LEGACY))

    def test_path_of_a_unix_socket_becomes_absolute(self) -> None:
        """What follows it is kept; other endpoints have no path."""
        here = os.getcwd()
        for endpoint, path, result in (
            ("unix:chat:mode=660", "chat", f"unix:{here}/chat:mode=660"),
            ("unix:address=/run/../chat", "/run/../chat", "unix:/chat"),
            (r"unix:a\:b", "a:b", rf"unix:{here}/a\:b"),
            ("tcp:2023", None, "tcp:2023"),
        ):
            listen = Listen("any", endpoint)
            self.assertEqual((listen.path, listen.absolute().endpoint), (path, result))
            self.assertEqual(listen.absolute().absolute(), listen.absolute())

    def test_grpc_listens_on_tcp_tls_and_unix_sockets_only(self) -> None:
        """Its own server knows no other endpoints."""
        for kind in ("tcp:1", "ssl:1", "unix:/run/chat"):
            self.assertEqual(option_types.listen(f"grpc={kind}"), Listen("grpc", kind))
        sentence = str(self.assertRaises(ValueError, option_types.listen, "grpc=tcp6:1"))
        self.assertIn("gRPC listens on tcp:PORT, ssl:PORT or unix:PATH", sentence)
