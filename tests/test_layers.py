"""The house table of docs/architecture.md: what comes along when a layer is imported, and what must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

CORE = (
    "chatd.core.entries",
    "chatd.core.errors",
    "chatd.core.limits",
    "chatd.core.glob",
    "chatd.core.simple_regex",
)
REALM = tuple(
    f"chatd.{name}"
    for name in [
        "accounts",
        "chartering",
        "claiming",
        "delivery",
        "directory",
        "feeds",
        "fetching",
        "following",
        "invites",
        "mailboxes",
        "membership",
        "people",
        "permissions",
        "realm",
        "remarks",
        "retention",
        "rooms",
        "sessions",
    ]
)
# What belongs to one wire protocol, besides the protocol and the codec of its name.
PARTS = {
    "wire": ("chatd.protocols.v1.requests", "chatd.codecs.v1_messages"),
    "admin": ("chatd.server.owner_socket",),
    "grpc_service": ("chatd.protocols.grpc.account", "chatd.protocols.grpc.server", "chatd.codecs.chat_pb2"),
}
CONTRACT = "chatd.stores"
OPTIONS = ("chatd.config.options", "chatd.config.option_types")


def modules(package: str) -> tuple[str, ...]:
    """The modules of a package of chatd, but for the one that runs it."""
    files = sorted((ROOT / "chatd" / package).glob("*.py"))
    name = package.replace("/", ".")
    return tuple(f"chatd.{name}.{file.stem}" for file in files if not file.stem.startswith("__"))


@cache
def imported(*names: str) -> frozenset[str]:
    """All modules that a fresh interpreter has imported after these."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", _SCRIPT, *names]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    return frozenset(json.loads(done.stdout))


def ours(*names: str) -> set[str]:
    """The modules of chatd among what came along."""
    return {name for name in imported(*names) if name.partition(".")[0] == "chatd"} - {"chatd"}


def within(names: set[str] | frozenset[str], *packages: str) -> list[str]:
    """Those of the modules that are one of these packages, or inside it."""
    return sorted(name for name in names if any(f"{name}.".startswith(package + ".") for package in packages))


class Layers(SynchronousTestCase):
    """A row of the table each."""

    def test_core(self) -> None:
        """The values can be used by any program: they need the standard library and msgspec, nothing else."""
        # Where there is a typing_extensions, msgspec looks at it.
        roots = {name.partition(".")[0] for name in imported(*CORE)}
        self.assertEqual(roots - sys.stdlib_module_names - {"msgspec", "typing_extensions", "chatd"}, set())
        self.assertEqual(ours(*CORE), set(CORE))

    def test_codecs(self) -> None:
        """Bytes and messages need no network and no daemon."""
        names = modules("codecs")
        self.assertIn("chatd.codecs.classic", names)
        self.assertEqual(within(imported(*names), "twisted"), [])
        self.assertEqual(ours(*names) - set(names) - set(CORE), {"chatd.codecs"})

    def test_realm(self) -> None:
        """Who may do what is decided without Twisted, bytes, sockets, files or a certain store."""
        found = imported(*REALM)
        self.assertEqual(within(found, "twisted", "zope", "sqlite3", "asyncio", "socket", "threading"), [])
        self.assertEqual(ours(*REALM) - {CONTRACT}, set(REALM) | ours(*REALM) & set(CORE))

    def test_stores(self) -> None:
        """A store knows documents and logs, and nobody who uses them."""
        names = modules("stores")
        self.assertIn("chatd.stores.memory", names)
        self.assertEqual(ours(*names) - set(names) - set(CORE), {CONTRACT})
        found = imported(*names)
        self.assertNotIn("twisted.internet.reactor", found)
        self.assertEqual(within(found, "twisted.internet.tcp", "twisted.protocols", "twisted.cred"), [])

    def test_the_contract(self) -> None:
        """What a store must provide is said without a store."""
        self.assertEqual(ours(CONTRACT) - {CONTRACT}, ours(CONTRACT) & set(CORE))
        self.assertEqual(within(imported(CONTRACT), "twisted", "sqlite3"), [])

    def test_protocols(self) -> None:
        """A wire protocol knows its own codec and the realm: no other protocol, no store, no client."""
        wires = {name.rpartition(".")[2] for name in modules("codecs")} - {"catalogue", "chat_pb2"} | {
            "grpc_service"
        }
        belonging = {
            wire: {f"chatd.protocols.{wire}", f"chatd.codecs.{wire}", *PARTS.get(wire, ())} for wire in wires
        }
        shared = sorted(set(modules("protocols")) - set().union(*belonging.values()))
        self.assertIn("chatd.server.connection", shared)
        cases: list[tuple[tuple[str, ...], str | None]] = [(tuple(shared), None)]
        cases += [((f"chatd.protocols.{wire}",), wire) for wire in sorted(wires)]
        for names, own in cases:
            found = ours(*names)
            others = [name for wire in wires - {own} for name in belonging[wire]]
            forbidden = (
                *others,
                *modules("stores"),
                "chatd.client",
                "chatd.daemon.service",
                "chatd.config.options",
            )
            self.assertEqual(within(found, *forbidden), [], names)
            self.assertNotIn("twisted.internet.reactor", imported(*names))

    def test_credentials(self) -> None:
        """Logging in is a matter of the realm, whatever the protocol and the store."""
        found = ours("chatd.auth.credentials")
        self.assertEqual(within(found, *modules("stores"), "chatd.protocols", "chatd.codecs"), [])
        self.assertNotIn("twisted.internet.reactor", imported("chatd.auth.credentials"))

    def test_client(self) -> None:
        """The client is a program of its own, and shares only the language with the daemon."""
        packages = ("client", "client/classic", "client/commands")
        names = (*(name for package in packages for name in modules(package)), "chatd.client.__main__")
        found = ours(*names)
        shared = {"chatd.codecs", *modules("codecs"), *CORE}
        self.assertEqual(
            found - set(names) - shared, {f"chatd.{each.replace('/', '.')}" for each in packages}
        )

    def test_admin(self) -> None:
        """The operator's program needs the language of the socket, and no daemon; nor a reactor."""
        names = (*modules("admin"), "chatd.admin.__main__")
        found = ours(*names) - set(names) - set(CORE)
        self.assertEqual(found, {"chatd.admin", "chatd.codecs", "chatd.codecs.admin", *OPTIONS})
        self.assertEqual(within(imported(*names), "twisted.internet", "twisted.application"), [])

    def test_options(self) -> None:
        """--help is quick, since the options need nothing of the daemon but its bounds."""
        found = imported("chatd.config.options")
        self.assertEqual(ours("chatd.config.options"), {*OPTIONS, "chatd.core.limits"})
        self.assertEqual(within(found, "twisted.internet", "twisted.application"), [])

    def test_service(self) -> None:
        """The wiring can be imported without a reactor being chosen, since twistd's options choose it."""
        self.assertNotIn("twisted.internet.reactor", imported("chatd.daemon.service"))
        self.assertEqual(within(ours("chatd.daemon.service"), "chatd.client"), [])

    def test_plugin(self) -> None:
        """twistd finds the command without importing any of the daemon, so it does not slow down others."""
        self.assertEqual(within(imported("twisted.plugins.chatd_plugin"), "chatd"), [])
        self.assertIn("twisted.plugins.chatd_plugin", imported("twisted.plugins.chatd_plugin"))
        self.assertFalse((ROOT / "twisted" / "__init__.py").exists())
        self.assertFalse((ROOT / "twisted" / "plugins" / "__init__.py").exists())
