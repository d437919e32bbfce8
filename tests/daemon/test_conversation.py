"""The whole daemon and the client library in one process, over real sockets and a real store."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatd.client import Client, Connected, Disconnected, Pushed, Refused, connect
from chatd.config.options import Options
from chatd.daemon.service import Daemon, makeService
from tests.doubles.passwords import CheapSystem

PATIENCE = 30.0
"""seconds that one event may take on a busy machine"""

Join = Callable[..., Awaitable[Client]]


class RestartableDaemon:
    """A daemon on a SQLite file, at the same port after each start."""

    def __init__(self, folder: Path) -> None:
        self._store = f"sqlite:{folder}/chatd.db"
        self.port = 0
        self._service: Daemon

    def start(self) -> None:
        """Start the service; connections wait in the kernel until it accepts them."""
        options = Options({})
        options.parseOptions(["--port", str(self.port), "--store", self._store])
        service = makeService(options, system=CheapSystem())
        assert isinstance(service, Daemon)
        self._service = service
        service.privilegedStartService()
        service.startService()
        self.port = service.listener.port.getHost().port

    async def stop(self) -> None:
        """Stop the service; everything is stored and closed when this returns."""
        await self._service.stopService()


@pytest_twisted.async_yield_fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RestartableDaemon]:
    """A running daemon. It sets signal handlers, which are restored."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    running = RestartableDaemon(tmp_path)
    running.start()
    yield running
    await running.stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest_twisted.async_yield_fixture
async def join(daemon: RestartableDaemon) -> AsyncIterator[Join]:
    """A function that connects an account, registered if necessary, and closes it at the end."""
    clients: list[Client] = []

    async def join(name: str, **options: Any) -> Client:
        address = f"chat://127.0.0.1:{daemon.port}"
        client = await connect(address, name, register=True, reactor=reactor, **options)
        clients.append(client)
        return client

    yield join
    for client in clients:
        await client.close()


async def event(client: Client, kind: type[Any]) -> Any:
    """The next event of a kind."""

    async def search() -> Any:
        async for event in client.events():
            if isinstance(event, kind):
                client.mark_handled()
                return event
        raise AssertionError(f"the client ended without {kind.__name__}")

    return await Deferred.fromCoroutine(search()).addTimeout(PATIENCE, reactor)


async def text(client: Client) -> tuple[str, str, str]:
    """Log, sender and text of the next message."""
    while (entry := await event(client, Pushed)).kind != "text":
        pass
    return entry.log, entry.sender, entry.body


@pytest_twisted.ensureDeferred
async def test_message_reaches_a_recipient_who_is_online(join: Join) -> None:
    ann, bob = await join("ann"), await join("bob")
    await ann.send("bob", "hello")
    assert await text(bob) == ("@bob", "ann", "hello")


@pytest_twisted.ensureDeferred
async def test_message_waits_for_a_recipient_who_is_offline(join: Join) -> None:
    ann, bob = await join("ann"), await join("bob")
    await bob.close()
    await ann.send("bob", "later")
    assert await text(await join("bob")) == ("@bob", "ann", "later")


@pytest_twisted.ensureDeferred
async def test_message_to_a_room_reaches_every_member(join: Join) -> None:
    members = [await join(name) for name in ("ann", "bob", "cid")]
    for member in members:
        await member.join("#lobby")
    await members[0].send("#lobby", "hello")
    for member in members[1:]:
        assert await text(member) == ("#lobby", "ann", "hello")


@pytest_twisted.ensureDeferred
async def test_send_to_unknown_recipient_is_refused(join: Join) -> None:
    ann = await join("ann")
    with pytest.raises(Refused) as refusal:
        await ann.send("bob", "hello")
    assert refusal.value.code == "unknown-account"


@pytest_twisted.ensureDeferred
async def test_wrong_password_is_refused(join: Join) -> None:
    await join("ann", password="secret")
    with pytest.raises(Refused) as refusal:
        await join("ann", password="wrong")
    assert refusal.value.code == "wrong-password"


@pytest_twisted.ensureDeferred
async def test_client_continues_after_a_restart(join: Join, daemon: RestartableDaemon) -> None:
    """What was acknowledged is stored, and what was sent meanwhile is sent after the restart."""
    ann, bob = await join("ann"), await join("bob")
    await bob.close()
    await ann.send("bob", "before")
    await daemon.stop()
    await event(ann, Disconnected)
    meanwhile = Deferred.fromCoroutine(ann.send("bob", "meanwhile"))
    daemon.start()
    await event(ann, Connected)
    await meanwhile
    bob = await join("bob")
    assert [await text(bob), await text(bob)] == [
        ("@bob", "ann", "before"),
        ("@bob", "ann", "meanwhile"),
    ]


@pytest_twisted.ensureDeferred
async def test_owner_cannot_become_a_member_without_a_new_owner(join: Join) -> None:
    ann = await join("ann")
    await ann.create_room("#one")
    with pytest.raises(Refused) as refusal:
        await ann.set_role("#one", "ann", "member")
    assert refusal.value.code == "unknown-role"
    assert str(refusal.value) == "ann owns #one: make another member the owner first."
