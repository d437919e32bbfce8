"""Options from four sources, and the errors for invalid ones."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stdout

from twisted.application.app import ServerOptions
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from chatd import __version__
from chatd.config.option_types import LEGACY, Listen, on_loopback
from chatd.config.options import DEFAULT_ADMIN, Options, variable
from chatd.core.limits import Retention
from tests.config.option_values import INVALID, VALID
from tests.doubles.folders import folder

NAMES = (
    "port",
    "host",
    "store",
    "rate",
    "registration",
    "allow-open-accounts",
    "list-before-login",
    "retain",
    "admin",
    "legacy-ports",
    "tls-cert",
    "tls-key",
    "tls-only",
    "account-sessions",
    "address-sessions",
    "address-connections",
    "log-level",
    "address-accounts",
    "mailbox-size",
    "sender-size",
    "keep-deleted-rooms",
    "account-rooms",
    "listen",
)
# The flags of the command line that set a switch.
FLAGS = {
    ("allow-open-accounts", "yes"): "--allow-open-accounts",
    ("allow-open-accounts", "no"): "--forbid-open-accounts",
    ("list-before-login", "yes"): "--list-before-login",
    ("list-before-login", "no"): "--no-list-before-login",
    ("legacy-ports", "yes"): "--legacy-ports",
}


def words(name: str, text: str) -> tuple[str, ...]:
    """An option on the command line, with a value if it takes one there."""
    return (FLAGS[name, text],) if (name, text) in FLAGS else ("--" + name, text)


class OptionsCase(SynchronousTestCase):
    """Parses options from lists of words."""

    def parsed(self, *words: str, environment: Mapping[str, str] | None = None) -> Options:
        """The options after a command line and an environment."""
        options = Options(environment or {})
        options.parseOptions(words)
        return options

    def error(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """The sentence about an invalid option."""
        return str(
            self.assertRaises(usage.UsageError, self.parsed, *words, environment=environment)
        )

    def file(self, text: str | bytes) -> str:
        """A configuration file with that text."""
        path = os.path.join(folder(self), "chatd.toml")
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        return path


class Sources(OptionsCase):
    """Where a value comes from."""

    def test_defaults_are_for_this_machine_only(self) -> None:
        """The store is one file in the current folder, and the rate is generous."""
        options = self.parsed()
        self.assertEqual(
            {name: options[name] for name in NAMES},
            {
                "port": 65432,
                "host": "127.0.0.1",
                "store": "sqlite:chatd.db",
                "rate": 1000.0,
                "registration": "open",
                "allow-open-accounts": True,
                "list-before-login": True,
                "retain": Retention(),
                "admin": DEFAULT_ADMIN,
                "legacy-ports": False,
                "tls-cert": None,
                "tls-key": None,
                "tls-only": False,
                "log-level": "info",
                "address-accounts": (20, None),
                "listen": (),
                "account-sessions": 64,
                "address-sessions": 1000,
                "address-connections": 200,
                "mailbox-size": 256 << 20,
                "sender-size": 64 << 20,
                "keep-deleted-rooms": 86_400,
                "account-rooms": 50,
            },
        )

    def test_defaults_are_strict_if_others_can_connect(self) -> None:
        """Accounts are created by invitation, have passwords, and are listed after login only,
        unless an option says otherwise."""
        for host, registration, open_accounts in (
            ("localhost", "open", True),
            ("::1", "open", True),
            ("127.1.2.3", "open", True),
            ("0.0.0.0", "invite", False),
            ("::", "invite", False),
            ("192.0.2.1", "invite", False),
            ("chat.example.org", "invite", False),
            ("localhost.example.org", "invite", False),
        ):
            options = self.parsed("--host", host)
            self.assertEqual(on_loopback(host), open_accounts, host)
            self.assertEqual(options["registration"], registration, host)
            self.assertIs(options["allow-open-accounts"], open_accounts, host)
            self.assertIs(options["list-before-login"], open_accounts, host)
        path = self.file("allow-open-accounts = true")
        options = self.parsed(
            "--host", "::", "-c", path, environment={"CHATD_REGISTRATION": "open"}
        )
        self.assertEqual((options["registration"], options["allow-open-accounts"]), ("open", True))

    def test_default_path_of_the_admin_socket(self) -> None:
        """Beside the file of the store; a store in memory has none by default."""
        for words, path in (
            (("--store", "sqlite:/a/b.db"), "/a/b.db.admin"),
            (("--store", "memory"), None),
            (("--store", "memory", "--admin", "x"), "x"),
            (("--admin", "none"), None),
        ):
            self.assertEqual(self.parsed(*words)["admin"], path)

    def test_every_option_in_every_source(self) -> None:
        """Command line, environment and file."""
        for name, choices in VALID.items():
            for text, value in choices:
                path = self.file(f"{name} = {text!r}")
                for options in (
                    *(
                        []
                        if (name, text) == ("legacy-ports", "no")
                        else [self.parsed(*words(name, text))]
                    ),
                    self.parsed(environment={variable(name): text}),
                    self.parsed("--config", path),
                    self.parsed(environment={"CHATD_CONFIG": path}),
                ):
                    self.assertEqual(options[name], value)

    def test_listen_can_be_repeated(self) -> None:
        """In a file it is an array; legacy ports come last."""
        asked = (
            Listen("ops", "tcp:1:interface=0.0.0.0"),
            Listen("chat10", r"tcp:2:interface=\:\:1"),
        )
        options = self.parsed(
            "--listen",
            "ops=tcp:1:interface=0.0.0.0",
            "--legacy-ports",
            "-H",
            "::1",
            "--listen",
            "chat10=tcp:2",
        )
        self.assertEqual(options["listen"], asked + LEGACY)
        self.assertEqual(
            [port.local for port in options["listen"]], [False, True, True, True, True]
        )
        path = self.file("listen = ['ops=tcp:1', 'chat10=tcp:2']\nlegacy-ports = true")
        self.assertEqual(len(self.parsed("-c", path)["listen"]), 5)

    def test_loopback_addresses_are_those_in_the_document(self) -> None:
        """127.0.0.0/8, ::1 and localhost, as in the table of docs/operations.md."""
        for host, local in (
            ("127.0.0.2", True),
            ("::1", True),
            ("localhost", True),
            ("0.0.0.0", False),
            ("192.0.2.1", False),
        ):
            options = self.parsed("--host", host)
            self.assertEqual(options["registration"] == "open", local, host)
            self.assertEqual(options["allow-open-accounts"], local, host)

    def test_a_port_that_others_can_reach_makes_defaults_strict(self) -> None:
        """It counts like a host that others can reach."""
        for endpoint, local in (
            ("tcp:1", True),
            ("unix:/x", True),
            ("tcp:1:interface=127.0.0.1", True),
            (r"tcp:1:interface=\:\:1", True),
            (r"tcp:1:interface=\:\:", False),
            ("ssl:1:interface=0.0.0.0", False),
            ("tcp6:1", False),
            ("systemd:domain=INET:index=0", False),
        ):
            options = self.parsed("--listen", "any=" + endpoint)
            self.assertEqual(options["registration"] == "open", local, endpoint)
            self.assertEqual(options["allow-open-accounts"], local, endpoint)
            self.assertEqual(options["list-before-login"], local, endpoint)

    def test_tls_requires_a_certificate(self) -> None:
        """The key may be in the file of the certificate."""
        options = self.parsed("--tls-cert", "a", "--tls-only")
        self.assertEqual((options["tls-key"], options["tls-only"]), ("a", True))
        self.assertEqual(self.parsed("--tls-cert", "a", "--tls-key", "b")["tls-key"], "b")
        for line in (("--tls-only",), ("--tls-key", "b")):
            self.assertEqual(self.error(*line), "TLS requires a certificate: --tls-cert")

    def test_frequent_options_have_short_names(self) -> None:
        """A short name is one letter."""
        options = self.parsed(
            "-p", "0", "-H", "::", "-s", "memory", "-r", "none", "-c", self.file("port = 9")
        )
        self.assertEqual([options[name] for name in NAMES[:4]], [0, "::", "memory", None])

    def test_the_command_line_wins_over_the_environment_over_the_file(self) -> None:
        """The nearest of the three sources counts, for each option by itself."""
        for name, ((line, first), (near, second), (text, third)) in VALID.items():
            path = self.file(f"{name} = {text!r}")
            environment = {variable(name): near, "CHATD_CONFIG": path}
            self.assertEqual(self.parsed(*words(name, line), environment=environment)[name], first)
            self.assertEqual(self.parsed(environment=environment)[name], second)
            self.assertEqual(self.parsed("--config", path)[name], third)

    def test_a_default_on_the_command_line_overrides_the_environment(self) -> None:
        """It is given, although it is the default."""
        environment = {"CHATD_PORT": "1", "CHATD_HOST": "::"}
        options = self.parsed("--port", "65432", "--host", "127.0.0.1", environment=environment)
        self.assertEqual((options["port"], options["host"]), (65432, "127.0.0.1"))

    def test_the_command_line_chooses_the_file(self) -> None:
        """The file that the environment names is not read then."""
        other = self.file("port = 2\nrate = 3")
        environment = {"CHATD_CONFIG": other}
        options = self.parsed("--config", self.file("port = 1"), environment=environment)
        self.assertEqual((options["port"], options["rate"]), (1, 1000.0))
        self.assertEqual(self.parsed("--config", "", environment=environment)["port"], 65432)

    def test_numbers_in_the_file_need_no_quotes(self) -> None:
        """TOML numbers are accepted."""
        options = self.parsed("--config", self.file("port = 80\nrate = 2.5\nretain = 5"))
        self.assertEqual(
            (options["port"], options["rate"], options["retain"]), (80, 2.5, Retention(count=5))
        )

    def test_variables_of_the_process_are_read(self) -> None:
        """Tests can pass other variables."""
        self.patch(os, "environ", {"CHATD_PORT": "7"})
        options = Options()
        options.parseOptions([])
        self.assertEqual(options["port"], 7)


class Errors(OptionsCase):
    """What an operator reads about an invalid option."""

    def test_invalid_values_are_refused(self) -> None:
        """The sentence names the source of the value."""
        for name, values in INVALID.items():
            for value in values:
                quoted = value.replace("\n", "\\n").replace("\t", "\\t")
                path = self.file(f'{name} = "{quoted}"')
                if name not in (
                    "allow-open-accounts",
                    "list-before-login",
                    "legacy-ports",
                    "tls-only",
                ):
                    sentence = self.error("--" + name, value)
                    self.assertTrue(sentence.startswith(f"--{name}: "), sentence)
                for source, sentence in (
                    (variable(name), self.error(environment={variable(name): value})),
                    (f"{name} in {path}", self.error("--config", path)),
                ):
                    self.assertTrue(sentence.startswith(source + ": "), sentence)
                    self.assertNotIn("\n", sentence)

    def test_the_sentence_repeats_the_value(self) -> None:
        """It also says which values are valid."""
        self.assertEqual(
            self.error("--port", "telnet"),
            "--port: a port is a number from 0 to 65535 (0: any free one), not 'telnet'",
        )
        self.assertEqual(
            self.error(environment={"CHATD_STORE": "disk"}),
            "CHATD_STORE: a store is memory or sqlite:PATH, not 'disk'",
        )

    def test_an_overridden_value_is_not_checked(self) -> None:
        """Only the value that is used matters."""
        self.assertEqual(self.parsed("-p", "1", environment={"CHATD_PORT": "x"})["port"], 1)

    def test_files_that_cannot_be_read(self) -> None:
        """A missing file, a folder and a file that is not TOML have different errors."""
        missing = os.path.join(folder(self), "none.toml")
        self.assertEqual(
            self.error("-c", missing),
            f"the configuration file {missing} cannot be read: no such file or directory",
        )
        self.assertIn("is a directory", self.error("-c", folder(self)))
        for text in ("port", "port = ", b"\xff = 1", "port = 1\nport = 2"):
            path = self.file(text)
            sentence = self.error("-c", path)
            self.assertTrue(
                sentence.startswith(f"the configuration file {path} is not TOML: "), sentence
            )

    def test_invalid_contents_of_a_file(self) -> None:
        """An unknown name, or a value that is neither string nor number, is an error."""
        path = self.file("prot = 1")
        known = "options are " + ", ".join(NAMES)
        self.assertEqual(self.error("-c", path), f"{path}: there is no option 'prot'; {known}")
        for text in ("port = true", "port = [1]", "rate = 2020-01-01", "[store]\npath = 'x'"):
            path = self.file(text)
            name = "store" if "store" in text else text.split()[0]
            self.assertEqual(
                self.error("-c", path),
                f"{path}: the value of {name} must be a string or a number",
            )

    def test_arguments_are_refused(self) -> None:
        """There are only options."""
        self.assertEqual(self.error("start"), "only options are expected, not 'start'")
        self.assertIn("--prot", self.error("--prot", "1"))

    def test_below_twistd_an_error_is_one_sentence(self) -> None:
        """There is no help text around it."""
        for words, start in (
            (["--port", "x"], "chatd: --port: a port is"),
            (["--nothing"], "chatd: "),
        ):
            options = Options({})
            options.parent = ServerOptions()
            leaving = self.assertRaises(SystemExit, options.parseOptions, words)
            self.assertTrue(str(leaving).startswith(start), leaving)
            self.assertTrue(str(leaving).endswith("(see: twistd chatd --help)"), leaving)


class Help(OptionsCase):
    """What can be read without a manual."""

    def test_every_option_is_in_the_help(self) -> None:
        """--help has each option, its letter, its default and its variable, and the order of the
        sources."""
        text = str(Options({}))
        for name in (*NAMES, "config"):
            self.assertIn(f"--{name}", text)
            self.assertIn(variable(name), text)
        for default in ("65432", "127.0.0.1", "sqlite:chatd.db", "1000"):
            self.assertIn(default, text.partition("Options:")[2].partition("A chat daemon")[0])
        for option in ("--help", "--version"):
            self.assertIn(option, text)

    def test_version_is_printed(self) -> None:
        """`--version` ends the program with status 0."""
        output = io.StringIO()
        with redirect_stdout(output):
            leaving = self.assertRaises(SystemExit, self.parsed, "--version")
        self.assertEqual((leaving.code, output.getvalue()), (0, f"chatd {__version__}\n"))
