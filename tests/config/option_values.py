"""Valid and invalid texts of options, for the tests of option types and of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatd.config.option_types import Listen
from chatd.core.limits import Retention

VALID: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "port": (("1", 1), ("2", 2), ("3", 3)),
    "host": (("::1", "::1"), ("example.org", "example.org"), ("0.0.0.0", "0.0.0.0")),
    "store": (("memory", "memory"), ("sqlite:a.db", "sqlite:a.db"), ("sqlite:/b:c", "sqlite:/b:c")),
    "rate": (("5", 5.0), ("0.01", 0.01), ("none", None)),
    "registration": (("closed", "closed"), ("invite", "invite"), ("open", "open")),
    "allow-open-accounts": (("no", False), ("yes", True), ("no", False)),
    "list-before-login": (("no", False), ("yes", True), ("no", False)),
    "retain": (
        ("30d", Retention(30 * 86400)),
        ("10000", Retention(None, 10_000)),
        ("100000,2w", Retention(14 * 86400, 100_000)),
    ),
    "admin": (("a.sock", "a.sock"), ("/run/chatd admin", "/run/chatd admin"), ("none", None)),
    "legacy-ports": (("yes", True), ("no", False), ("yes", True)),
    "address-accounts": (("1", (1, 1)), ("100", (100, 100)), ("none", (None, None))),
    "log-level": (("debug", "debug"), ("warn", "warn"), ("critical", "critical")),
    "tls-cert": (("a.pem", "a.pem"), ("/b c", "/b c"), ("c", "c")),
    "listen": (
        ("ops=tcp:2023", (Listen("ops", "tcp:2023:interface=127.0.0.1"),)),
        (
            "chat10=unix:/run/chat  any=tcp6:1",
            (Listen("chat10", "unix:/run/chat"), Listen("any", "tcp6:1")),
        ),
        ("grpc=ssl:5:interface=192.0.2.1", (Listen("grpc", "ssl:5:interface=192.0.2.1"),)),
    ),
    "account-sessions": (("1", 1), ("64", 64), ("999999999", 999_999_999)),
    "address-sessions": (("1", 1), ("1000", 1000), ("none", None)),
    "address-connections": (("1", 1), ("200", 200), ("none", None)),
    "mailbox-size": (("1000", 1000), ("2K", 2048), ("none", None)),
    "account-rooms": (("1", 1), ("1000", 1000), ("none", None)),
    "sender-size": (("3G", 3 << 30), ("64M", 64 << 20), ("none", None)),
    "keep-deleted-rooms": (("1d", 86_400), ("90s", 90), ("none", 0)),
}
"""for each option, three texts and their values"""

INVALID: Mapping[str, tuple[str, ...]] = {
    "port": ("", "65536", "-1", "+1", "1.0", "٣", " 1", "telnet", "9" * 5000),
    "host": ("", "a b", "\t", "127.0.0.1\n"),
    "store": ("", "sqlite", "sqlite:", "memory:", "Memory", "postgres:x", "/var/lib/chatd.db"),
    "rate": ("", "0", "-1", "nan", "inf", "1e10", "fast", "None", "0.009"),
    "registration": ("", "Open", "yes", "none"),
    "allow-open-accounts": ("", "Yes", "1", "maybe"),
    "list-before-login": ("", "No", "0", "loopback"),
    "retain": (
        "",
        "0",
        "0d",
        "d",
        "30y",
        "-1d",
        "1.5d",
        "30d,",
        "1d,2d",
        "1,2",
        "1d,2,3w",
        "٣d",
        "all",
    ),
    "admin": ("",),
    "legacy-ports": ("", "Yes", "1", "maybe"),
    "tls-only": ("", "on"),
    "address-accounts": ("", "0", "None", "many"),
    "log-level": ("", "Info", "warning", "none"),
    "tls-cert": ("",),
    "listen": (
        "ops",
        "=",
        "ops=",
        "ops=2023",
        "ops=tcp:x",
        "ops=tcp:",
        "irc=tcp:1",
        "grpc=fd:3",
        "ops=:1",
    ),
    "account-sessions": ("", "0", "-1", "none", "1.0", "٣", "1000000000"),
    "address-sessions": ("", "0", "None", "many"),
    "address-connections": ("", "0", "no", "+1"),
    "keep-deleted-rooms": ("", "0", "0s", "1", "day", "None"),
    "mailbox-size": ("", "0", "0M", "-1", "1.5G", "1T", "None", "1000000000000000G"),
}
"""for each option, texts that are refused"""
