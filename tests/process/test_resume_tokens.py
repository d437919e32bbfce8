"""A daemon killed while clients with passwords are logged in: they are back by resume tokens."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chatd.client import Client, Connected, Pushed, Refused, connect
from tests.doubles.daemon_process import Daemon
from tests.doubles.folders import folder


class Restarted(TestCase):
    """One client that reconnects, and one program that stores its token."""

    timeout = 60

    def setUp(self) -> None:
        """Start a daemon on a file."""
        self.store = f"sqlite:{folder(self)}/chatd.db"
        self.daemon = Daemon(self, self.store)
        self.tokens: list[str | None] = []

    def kill(self) -> None:
        """Kill the daemon, and start another on the same file and port."""
        port = self.daemon.port
        self.daemon.kill()
        options = ["--port", str(port), "--store", self.store]
        self.daemon = Daemon(
            self, self.store, command=["twistd", "-n", "--pidfile=", "chatd", *options]
        )

    async def connect(self, name: str, password: str | None, **options: Any) -> Client:
        """A client, which is closed at the end."""
        address = f"chat://127.0.0.1:{self.daemon.port}"
        client = await connect(address, name, password, reactor=reactor, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return client

    async def registered(self, name: str) -> Client:
        """A client of a new account with a password, which has got its token."""
        issued: Deferred[str | None] = Deferred()

        def save(token: str | None) -> None:
            self.tokens.append(token)
            if not issued.called:
                issued.callback(token)

        client = await self.connect(name, "s3cret", register=True, save_token=save)
        self.assertIsNotNone(await issued)
        return client

    async def test_client_is_back_without_its_password(self) -> None:
        """With a log that is complete; it needs no new token, as it would after a log-in."""
        ann = await self.registered("ann")
        await ann.send("ann", "before")
        self.kill()
        texts, connected = [], 0
        async for event in ann.events():
            if isinstance(event, Connected):
                connected += 1
                await ann.send("ann", "after")
            if isinstance(event, Pushed):
                texts.append(event.body)
            if "after" in texts:
                break
        self.assertEqual((texts, connected), (["before", "after"], 1))
        self.assertEqual(len(self.tokens), 1)

    async def test_stored_token_logs_in_to_the_restarted_daemon(self) -> None:
        """Until the session logs out."""
        bob = await self.registered("bob")
        token = self.tokens[-1]
        await bob.close(keep_token=True)
        self.kill()
        again = await self.connect("bob", None, token=token)
        self.assertEqual(again.name, "bob")
        await again.close()
        with self.assertRaises(Refused) as raised:
            await self.connect("bob", None, token=token)
        self.assertEqual(raised.exception.code, "password-required")
