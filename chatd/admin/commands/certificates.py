"""The command that makes a TLS certificate."""

from __future__ import annotations

from chatd.admin.commands.command import LocalCommand
from chatd.admin.connection import RequestRefused
from chatd.admin.output import Output
from chatd.config.python_command import python_command


class MakeCertificate(LocalCommand):
    """``make-cert``: make a self-signed certificate, without a daemon."""

    name = "make-cert"
    longdesc = "Make a self-signed TLS certificate for testing. Needs no daemon."
    synopsis = "[--host NAME ...] [--out FOLDER] [--json]"
    optParameters = [["out", "o", ".", "Write chatd.pem and chatd.key to this folder."]]

    def __init__(self) -> None:
        self.hosts: list[str] = []
        super().__init__()

    def opt_host(self, host: str) -> None:
        """A name or address of the daemon besides localhost (repeatable)."""
        self.hosts.append(host)

    def run(self, output: Output) -> None:
        """See `LocalCommand.run`."""
        # Imported here because it takes a fifth of the start-up time of every command.
        from chatd.admin import selfsigned

        try:
            certificate, key, pin = selfsigned.make(self["out"], self.hosts)
        except (OSError, ValueError) as error:
            raise RequestRefused(f"no certificate was made: {error}") from None
        client = f"{python_command()} -m chatd.client NAME chats://localhost"
        output.answer(
            {"certificate": str(certificate), "key": str(key), "pin": pin},
            f"Certificate: {certificate}",
            f"Key:         {key}  (keep it secret)",
            f"Pin:         {pin}",
            f"Daemon:      twistd -n chatd --tls-cert {certificate} --tls-key {key}",
            f"Client:      {client} --tls-ca {certificate}",
            f"or           {client} --tls-pin {pin}",
        )
