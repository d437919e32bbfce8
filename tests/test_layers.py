"""Imports go one way: which package may import which, and which third-party modules each one loads.

The same table is in `docs/architecture.md`.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "codecs": {"core"},
    "stores": {"core"},
    "realm": {"core", "stores"},
    "auth": {"core", "realm"},
    "server": {"core", "stores", "realm", "auth"},
    "protocols": {"core", "codecs", "stores", "realm", "auth", "server"},
    "config": {"core"},
    "daemon": {"core", "stores", "realm", "auth", "server", "protocols", "config"},
    "admin": {"core", "codecs", "config"},
    "client": {"core", "codecs"},
}
"""the packages of chatd that each package may import, besides itself and the version"""

CODECS = {"v1": {"v1", "v1_messages"}, "grpc": {"chat_pb2"}}
"""the codecs of each protocol that is not named as its only codec"""
ALL_CODECS = {
    file.stem for file in (ROOT / "chatd" / "codecs").glob("*.py") if file.stem != "__init__"
}

CONTRACT_ONLY = ("realm", "server", "protocols")
"""packages that may use the contract of the stores (`chatd.stores`), and no back end"""

_SCRIPT = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def sources(package: str) -> Iterator[tuple[str, Path]]:
    """(module name, file) of every module of a package of chatd, but for those that run it."""
    for file in sorted((ROOT / "chatd" / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts[-1] != "__main__":
            yield ".".join(parts), file


def imports(file: Path) -> set[str]:
    """The modules of chatd that a file imports anywhere in it, for type checking as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute"
            found.add(node.module or "")
            if node.module == "chatd.codecs":
                found.update(f"chatd.codecs.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] == "chatd"}


@cache
def loaded(*names: str) -> frozenset[str]:
    """All modules that a fresh interpreter has loaded after importing these."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", _SCRIPT, *names]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return frozenset(json.loads(done.stdout))


def loaded_by(package: str) -> frozenset[str]:
    """All modules that are loaded by importing every module of a package."""
    return loaded(*(name for name, _ in sources(package)))


def within(names: frozenset[str], *packages: str) -> list[str]:
    """Those of `names` that are one of these modules or packages, or are inside one."""
    return sorted(
        name for name in names if any(f"{name}.".startswith(f"{package}.") for package in packages)
    )


class Layers(SynchronousTestCase):
    """The direction of imports."""

    def test_every_package_has_a_row(self) -> None:
        """A new package needs a place in the table."""
        found = {file.parent.name for file in (ROOT / "chatd").glob("*/__init__.py")}
        self.assertEqual(found, set(ALLOWED))

    def test_packages_import_only_what_they_may(self) -> None:
        """Every import statement of every module stays within its package's row."""
        for package, allowed in ALLOWED.items():
            for name, file in sources(package):
                for target in imports(file) - {"chatd"}:
                    self.assertIn(target.split(".")[1], allowed | {package}, f"{name}: {target}")

    def test_the_table_has_no_circle(self) -> None:
        """No package reaches itself by the packages it may import."""
        for package in ALLOWED:
            reached: set[str] = set()
            waiting = set(ALLOWED[package])
            while waiting:
                each = waiting.pop()
                reached.add(each)
                waiting |= ALLOWED[each] - reached
            self.assertNotIn(package, reached)

    def test_only_the_daemon_chooses_a_store(self) -> None:
        """Realm and protocols know the contract of a store, and no back end."""
        for package in CONTRACT_ONLY:
            for name, file in sources(package):
                backends = {each for each in imports(file) if each.startswith("chatd.stores.")}
                self.assertEqual(backends, set(), name)

    def test_protocols_do_not_know_each_other(self) -> None:
        """A protocol imports its own codec and no other protocol; only the table of doors imports
        several."""
        for name, file in sources("protocols"):
            own = name.split(".")[2] if name.count(".") > 1 else ""
            if own in ("", "doors"):
                continue
            others = {
                each
                for each in imports(file)
                if each.startswith("chatd.protocols.") and each.split(".")[2] != own
            }
            self.assertEqual(others, set(), name)
            codecs = {each.removeprefix("chatd.codecs.") for each in imports(file)} & ALL_CODECS
            self.assertEqual(codecs - CODECS.get(own, {own}), set(), name)


class Loaded(SynchronousTestCase):
    """What is loaded with a package, beside chatd."""

    def test_core_needs_msgspec_and_re2_only(self) -> None:
        """Any program can use the core; clients do not load what only patterns need."""
        roots = {name.partition(".")[0] for name in loaded_by("core")}
        # Where there is a typing_extensions, msgspec looks at it.
        known = sys.stdlib_module_names | {"msgspec", "re2", "typing_extensions", "chatd"}
        self.assertEqual(roots - known, set())
        self.assertEqual(within(loaded_by("client"), "re2"), [])

    def test_codecs_need_no_network(self) -> None:
        """Bytes and messages are converted without Twisted."""
        self.assertEqual(within(loaded_by("codecs"), "twisted"), [])

    def test_the_realm_needs_no_input_or_output(self) -> None:
        """Permissions and delivery are decided without Twisted, sockets, files or threads."""
        found = loaded_by("realm")
        self.assertEqual(
            within(found, "twisted", "zope", "sqlite3", "asyncio", "socket", "threading"), []
        )

    def test_the_store_contract_needs_no_back_end(self) -> None:
        """What a store must provide is declared without a store."""
        self.assertEqual(within(loaded("chatd.stores"), "twisted", "sqlite3"), [])

    def test_nothing_installs_a_reactor(self) -> None:
        """The process that starts the daemon chooses the reactor."""
        packages = ("stores", "auth", "server", "protocols", "daemon")
        names = [name for package in packages for name, _ in sources(package)]
        self.assertNotIn("twisted.internet.reactor", loaded(*names))

    def test_stores_need_no_network(self) -> None:
        """A store uses Deferreds, and nothing of Twisted that opens connections."""
        found = loaded_by("stores")
        self.assertEqual(
            within(found, "twisted.internet.tcp", "twisted.protocols", "twisted.cred"), []
        )

    def test_operators_commands_need_no_reactor(self) -> None:
        """The admin command line and the options load nothing that makes them slow to start."""
        for package in ("admin", "config"):
            found = loaded_by(package)
            self.assertEqual(within(found, "twisted.internet", "twisted.application"), [])
        self.assertEqual(within(loaded_by("config"), "sqlite3", "grpc", "google"), [])


class Plugin(SynchronousTestCase):
    """The plugin is found."""

    def test_twistd_finds_the_command_without_loading_the_daemon(self) -> None:
        """The plugin does not slow down other commands of twistd."""
        found = loaded("twisted.plugins.chatd_plugin")
        self.assertIn("twisted.plugins.chatd_plugin", found)
        self.assertEqual(within(found, "chatd"), [])

    def test_the_plugin_folder_is_no_package(self) -> None:
        """Twisted's own packages must stay visible beside the plugin."""
        self.assertFalse((ROOT / "twisted" / "__init__.py").exists())
        self.assertFalse((ROOT / "twisted" / "plugins" / "__init__.py").exists())
