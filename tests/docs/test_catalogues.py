"""The tables of names, defaults, numbers and codes are those of the source."""

from __future__ import annotations

import re
from typing import get_args

import msgspec
from twisted.trial.unittest import SynchronousTestCase

import chatd.client
from chatd.admin.commands import COMMANDS
from chatd.client.cli.output import jsonlines
from chatd.client.library.events import Event
from chatd.client.library.tls import Security
from chatd.codecs import admin, chat10, classic, v1_messages
from chatd.config.options import _VALUES, Options
from chatd.protocols.doors import DOORS, GRPC
from tests.docs.pages import ROOT, blocks, spans, table

OPERATIONS = "docs/operations.md"
V1 = "docs/protocols/v1.md"


def source(*folders: str) -> str:
    """The text of all modules in these folders."""
    return "".join(
        file.read_text() for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))
    )


class OptionTests(SynchronousTestCase):
    """The options of the daemon, of its clients, and of the admin commands."""

    def test_defaults_are_those_of_the_daemon(self) -> None:
        """An option whose default depends on others has a sentence instead."""
        rows = {
            spans(row[0])[0].split()[0].lstrip("-"): row for row in table(OPERATIONS, "Options")
        }
        self.assertEqual(sorted(rows), sorted({*_VALUES, "listen", "config"}))
        for name, (default, _) in _VALUES.items():
            if default is not None:
                self.assertEqual(rows[name][2].strip("`"), default, name)
        options = Options({})
        options.parseOptions([])
        self.assertIn(f"`{options['registration']}` on a loopback", rows["registration"][2])
        for name in ("allow-open-accounts", "list-before-login"):
            self.assertIn("`yes` on a loopback", rows[name][2])
            self.assertTrue(options[name])
        others, local = options["address-accounts"]
        self.assertEqual(rows["address-accounts"][2].partition(";")[0], str(others))
        self.assertIsNone(local)
        options = Options({})
        options.parseOptions(["--host", "0.0.0.0"])
        self.assertIn(f"else `{options['registration']}`", rows["registration"][2])
        for name in ("allow-open-accounts", "list-before-login"):
            self.assertIn("else `no`", rows[name][2])
            self.assertFalse(options[name])

    def test_legacy_ports_are_those_of_the_protocols(self) -> None:
        """Each protocol that had a port of its own is named with it."""
        row = next(row for row in table(OPERATIONS, "Options") if "legacy-ports" in row[0])
        for door in (*DOORS, GRPC):
            if door.legacy_port is not None:
                self.assertIn(f"{door.title} {door.legacy_port}", row[3])

    def test_admin_commands_have_their_arguments_and_options(self) -> None:
        """The table has every command, with each of its options, and no other option."""
        rows = {
            spans(row[0])[0].split()[0]: " ".join(row)
            for row in table(OPERATIONS, "Administration")
        }
        self.assertEqual(sorted(rows), sorted(command.name for command in COMMANDS))
        for command in COMMANDS:
            known = {parameter[0] for parameter in getattr(command, "optParameters", [])}
            known |= {flag[0] for flag in getattr(command, "optFlags", [])}
            known |= {name[4:] for name in dir(command) if name.startswith("opt_")}
            named = set(re.findall(r"--([a-z-]+)", rows[command.name]))
            self.assertLessEqual(named, known, command.name)
            everywhere = {"admin", "json", "config", "yes", "help", "version"}
            self.assertLessEqual(known - everywhere, named, command.name)

    def test_defaults_of_admin_requests_are_those_of_the_codec(self) -> None:
        """The value in parentheses behind a field; null is the default null."""
        requests = {
            str(kind.__struct_config__.tag): kind for kind in admin.Request.__subclasses__()
        }
        for row in table(OPERATIONS, "The admin socket"):
            kind = requests[spans(row[0])[0]]
            for field in msgspec.structs.fields(kind):
                shown = re.search(rf"`{field.name}` \(([^):]*)", row[1])
                if field.default is not msgspec.NODEFAULT:
                    assert shown is not None, (kind, field.name)
                    self.assertEqual(msgspec.json.decode(shown[1]), field.default)

    def test_options_of_tls_are_those_of_clients_and_library(self) -> None:
        """Each option has the field of `Security` that it sets."""
        fields = [name for row in table("docs/tls.md", "The clients") for name in spans(row[1])]
        self.assertEqual(sorted(fields), sorted(Security.__dataclass_fields__))
        options = " ".join(row[0] for row in table("docs/tls.md", "The clients"))
        text = source("chatd/client/cli")
        for option in re.findall(r"--([a-z-]+)", options):
            self.assertIn(f'"{option}"', text)


class ProtocolTests(SynchronousTestCase):
    """The tables of docs/protocols/."""

    def test_first_bytes_are_those_that_are_recognised(self) -> None:
        """The table of docs/protocols/overview.md has all protocols and their first bytes."""
        rows = {row[0]: row for row in table("docs/protocols/overview.md", "Protocols")}
        self.assertEqual(set(rows), {door.title for door in (*DOORS, GRPC)} | {"TLS"})
        examples = {
            "version 1": b"\x01",
            "classic": b"\x00",
            "CHAT/1.0": b"REGISTER ",
            "ops": b"0|",
        }
        for door in DOORS:
            self.assertTrue(door.signature.matches(examples[door.title]), door.title)
            self.assertFalse(
                any(
                    other.signature.matches(examples[door.title])
                    for other in DOORS[: DOORS.index(door)]
                )
            )
            first = examples[door.title]
            shown = f"0x{first[0]:02x}" if first[0] < 32 else first.decode().rstrip("|")
            self.assertIn(shown, rows[door.title][3].replace("`", ""))

    def test_first_bytes_of_messagepack(self) -> None:
        """A value that begins with a byte in the table of docs/protocols/v1.md is of the kind that
        its row names, and has the length that it names; other first bytes are not in the table."""
        kinds: dict[str, type] = {
            "floating": float,
            "number": int,
            "nil": type(None),
            "false": bool,
            "text": str,
            "array": list,
        }
        listed = set()
        for row in table(V1, "MessagePack"):
            shown = [int(span, 16) for span in spans(row[0])]
            firsts = range(shown[0], shown[1] + 1) if " to " in row[0] else shown
            kind = next(kinds[word] for word in kinds if word in row[2])
            lengths = [int(word) for word in re.findall(r"\d+", row[1])] or [0]
            for index, first in enumerate(firsts):
                listed.add(first)
                inside = first & (0x1F if kind is str else 0x0F)
                rest = b"\x00" * (
                    inside if "*n*" in row[1] and len(firsts) > 4 else lengths[index % len(lengths)]
                )
                self.assertIsInstance(msgspec.msgpack.decode(bytes([first]) + rest), kind)
        unused = {*range(0x80, 0x90), *range(0xC4, 0xCA), 0xC1, *range(0xD4, 0xD9), 0xDE, 0xDF}
        self.assertEqual(listed, set(range(256)) - unused)

    def test_commands_of_the_classic_protocol_have_their_numbers(self) -> None:
        """The table of docs/protocols/classic.md."""
        rows = table("docs/protocols/classic.md", "Frames", "command")
        self.assertEqual([row[0] for row in rows], list(classic._NAMES))
        for name, number, *_ in rows:
            self.assertEqual(int(number), getattr(classic, name))

    def test_replies_of_chat10_are_those_of_the_codec(self) -> None:
        """The table of docs/protocols/chat10.md has the three replies to a registration."""
        rows = [spans(row[0])[0] for row in table("docs/protocols/chat10.md", "From the server")]
        self.assertLessEqual({chat10.REGISTERED, chat10.INVALID, chat10.TAKEN}, set(rows))

    def test_codes_about_frames_are_those_of_the_source(self) -> None:
        """Codes of refusals and of `Goodbye` that are not `Refused` classes."""
        rows = table(V1, "Refusals", "code")
        text = source("chatd/server", "chatd/codecs", "chatd/protocols", "chatd/realm")
        for row in rows:
            self.assertIn(f'"{spans(row[0])[0]}"', text)

    def test_every_code_of_goodbye_is_named(self) -> None:
        """Those of the realm, which ends sessions, and those of the protocol itself. Only sessions
        of older protocols are ended because the account logs in elsewhere."""
        doors = (ROOT / "chatd" / "protocols" / "doors.py").read_text()
        codes = set(
            re.findall(
                r"(?:session_ended|end_sessions|sessions\.end|Goodbye)\(\s*(?:[\w.]+,)?\s*\"([a-z-]+)\"",
                source("chatd/realm", "chatd/protocols/v1") + doors,
            )
        )
        self.assertLessEqual(
            {"stopping", "tls-only", "kicked", "account-deleted", "password-changed"}, codes
        )
        rows = table(V1, "Refusals", "code of `Goodbye`")
        self.assertEqual({spans(row[0])[0] for row in rows}, codes - {"logged-in-elsewhere"})

    def test_what_requests_cost_names_requests(self) -> None:
        """Each name in the table is a request of version 1."""
        names = {kind.__name__ for kind in v1_messages.MESSAGES.values()}
        for row in table(V1, "What requests cost"):
            self.assertLessEqual(set(spans(row[0])), names)

    def test_calls_of_grpc_are_those_of_the_service(self) -> None:
        """The first table of docs/protocols/grpc.md, with the fields of each request; the example
        below it compiles and calls them."""
        proto = (ROOT / "chatd" / "codecs" / "chat.proto").read_text()
        calls = dict(re.findall(r"rpc (\w+) ?\((\w+)\)", proto))
        rows = table("docs/protocols/grpc.md", "Calls", "call")
        shown = {row[0].partition("(")[0]: row[0] for row in rows}
        self.assertEqual(set(shown), set(calls))
        for call, row in shown.items():
            body = re.search(rf"message {calls[call]} {{(.*?)}}", proto, re.S)
            assert body is not None
            fields = re.findall(r"\w+ (\w+) = ", body[1])
            self.assertEqual(set(re.findall(r"\w+", row.partition("(")[2])), set(fields))
        (example,) = (
            "\n".join(block.lines)
            for block in blocks("docs/protocols/grpc.md")
            if block.kind == "code" and block.heading == "Example"
        )
        compile(example, "docs/protocols/grpc.md", "exec")
        self.assertLessEqual(set(re.findall(r"/ChatService/(\w+)", example)), set(calls))

    def test_statuses_of_grpc_are_those_of_the_source(self) -> None:
        """The second table of docs/protocols/grpc.md has every status that a call can end with."""
        shown = {
            word.strip("` ")
            for row in table("docs/protocols/grpc.md", "Calls", "status")
            for word in row[0].split(",")
        }
        used = set(re.findall(r"StatusCode\.([A-Z_]+)", source("chatd/protocols/grpc")))
        self.assertEqual(shown, used)


class ClientTests(SynchronousTestCase):
    """The tables about the client and the library."""

    def test_errors_of_the_library_are_exported(self) -> None:
        """Each error of the table can be imported from `chatd.client`."""
        for row in table("docs/library.md", "Errors"):
            kind = getattr(chatd.client, spans(row[0])[0])
            self.assertTrue(issubclass(kind, Exception), row[0])

    def test_types_of_json_lines_are_those_of_the_messages(self) -> None:
        """Answers and events have their names; the rest are types of the client."""
        rows = table("docs/client.md", "For programs: `--json`")
        shown = {name for row in rows for name in spans(row[0])}
        own = {"logged_in", "history", "line"}
        own |= {jsonlines.snake_case(kind) for kind in set(get_args(Event)) - {v1_messages.Message}}
        self.assertLessEqual(own, shown)
        kinds = v1_messages.MESSAGES.items()
        names = {jsonlines.snake_case(kind) for number, kind in kinds if number >= 64}
        self.assertLessEqual(shown - own, names)
        hidden = {"log_state", "logged_in", "token"}
        self.assertLessEqual(names - hidden, shown)
