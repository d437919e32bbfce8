"""The commands about TLS certificates."""

from __future__ import annotations

import chatd.admin.selfsigned as selfsigned
from chatd.admin.commands import Command
from chatd.admin.connection import Daemon, RequestRefused
from chatd.admin.output import Output
from chatd.codecs import admin as c


class SetCertificates(
    Command, name="certificate", help="Let TLS certificates log in to an account."
):
    """Choose the certificates of an account."""

    synopsis = "NAME SHA256[,SHA256...]|none [--json]"
    takes = {"name": None, "fingerprints": None}

    def run(self, daemon: Daemon, output: Output) -> None:
        """See `Command`."""
        words = self["fingerprints"]
        found = [] if words == "none" else words.split(",")
        answer = daemon.ask(c.SetCertificates(self["name"], found))
        now = "can log in by certificate" if found else "cannot log in by certificate any more"
        output.answer(answer, f"{answer['name']} {now}")


class Alone(Command, name="", help=""):
    """A command that needs no daemon."""

    def run_alone(self, output: Output) -> None:
        """Do it. Raises `RequestRefused`."""
        raise NotImplementedError


class MakeCert(
    Alone, name="make-cert", help="Make a TLS certificate to try it out; no daemon is needed."
):
    """Make a certificate."""

    synopsis = "[--host NAME ...] [--out FOLDER] [--json]"
    optParameters = [["out", "o", ".", "Write chatd.pem and chatd.key to this folder."]]

    def __init__(self) -> None:
        self.hosts: list[str] = []
        super().__init__()

    def opt_host(self, host: str) -> None:
        """A name or an address of the daemon, besides this machine's own. Can be given several
        times."""
        self.hosts.append(host)

    def run_alone(self, output: Output) -> None:
        """See `Alone`."""
        try:
            certificate, key, pin = selfsigned.make(self["out"], self.hosts)
        except (OSError, ValueError) as error:
            raise RequestRefused(f"no certificate was made: {error}") from None
        output.answer(
            {"certificate": str(certificate), "key": str(key), "pin": pin},
            f"Certificate: {certificate}",
            f"Key:         {key}  (keep it to yourself)",
            f"Pin:         {pin}",
            f"The daemon:  twistd -n chatd --tls-cert {certificate} --tls-key {key}",
            f"A client:    python -m chatd.client YOUR_NAME chats://localhost --tls-ca {certificate}",
            f"or           python -m chatd.client YOUR_NAME chats://localhost --tls-pin {pin}",
        )
