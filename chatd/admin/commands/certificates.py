"""The command that makes a TLS certificate."""

from __future__ import annotations

import shlex

from chatd.admin.commands.command import LocalCommand
from chatd.admin.connection import RequestRefused
from chatd.admin.output import Output
from chatd.config.python_command import python_command, twistd_command
from chatd.core.addresses import is_address


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
        daemon = f"{twistd_command()} -n chatd{self._listen_option()}"
        client = f"{python_command()} -m chatd.client NAME {self._url()}"
        files = shlex.quote(str(certificate)), shlex.quote(str(key))
        output.answer(
            {"certificate": str(certificate), "key": str(key), "pin": pin},
            f"Certificate: {certificate}",
            f"Key:         {key}  (keep it secret)",
            f"Pin:         {pin}",
            f"Daemon:      {daemon} --tls-cert {files[0]} --tls-key {files[1]}",
            f"Client:      {client} --tls-ca {files[0]}",
            f"or           {client} --tls-pin {pin}",
        )

    def _listen_option(self) -> str:
        """The daemon's option for the first host: its address, or all addresses if it is a name."""
        if not self.hosts:
            return ""
        return f" --host {self.hosts[0] if is_address(self.hosts[0]) else '0.0.0.0'}"

    def _url(self) -> str:
        """The URL of the first host, or of this machine."""
        host = self.hosts[0] if self.hosts else "localhost"
        return f"chats://[{host}]" if ":" in host else f"chats://{host}"
