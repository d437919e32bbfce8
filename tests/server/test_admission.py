"""`Admission`: ports pause before clients take the last open files."""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.realm.counters import Counters
from chatd.server.admission import Admission
from tests.doubles.classic_clients import ClassicServer


class RecordingPort:
    """A port that records whether it is paused."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        """See `AcceptingPort`."""
        self.calls.append("pause")

    def resume(self) -> None:
        """See `AcceptingPort`."""
        self.calls.append("resume")


class Pausing(SynchronousTestCase):
    """Connections of all ports together."""

    def test_ports_pause_and_resume_once(self) -> None:
        """A twentieth of the connections has to be closed before they accept again."""
        counters = Counters()
        admission = Admission(counters)
        admission.most = 100
        ports = [RecordingPort(), RecordingPort()]
        for port in ports:
            admission.add(port)
        with capturedLogs() as logs:
            for count in (99, 100, 101, 100, 95, 96, 95):
                admission.connections_changed(count)
            self.assertEqual([port.calls for port in ports], [["pause"]] * 2)
            for count in (94, 93, 94, 99):
                admission.connections_changed(count)
        self.assertEqual([port.calls for port in ports], [["pause", "resume"]] * 2)
        self.assertEqual(
            [event["log_format"].split(":")[0] for event in logs],
            ["Accepting pauses", "Accepting resumes"],
        )
        self.assertEqual(counters.quotas_met, {"open_files": 1})

    def test_room_is_what_is_left(self) -> None:
        """It is never negative: a connection may be accepted before the others are counted."""
        admission = Admission(Counters())
        admission.most = 3
        for count, room in ((0, 3), (2, 1), (3, 0), (4, 0)):
            admission.connections_changed(count)
            self.assertEqual(admission.room, room)

    def test_connections_of_a_factory_are_counted(self) -> None:
        """Until they are closed; half of them may be without login."""
        server = ClassicServer(address_unauthenticated=None)
        server.factory.set_capacity(4)
        admission = server.factory.admission
        clients = [server.register("ann"), server.register("bob"), server.connect()]
        self.assertEqual((admission.room, admission.paused), (1, False))
        clients.append(server.connect())
        self.assertTrue(admission.paused)
        self.assertFalse(clients[2].transport.disconnecting)
        clients[0].disconnect()
        self.assertFalse(admission.paused)
        server.connect()
        self.assertTrue(clients[2].transport.disconnecting)

    def test_one_address_cannot_have_all_connections(self) -> None:
        """Where few files can be open, its sessions have half of them, and its connections without
        login a quarter; unless the operator has set no limit."""
        server = ClassicServer()
        server.factory.set_capacity(1_000)
        self.assertEqual(server.realm.limits.address_sessions, 500)
        self.assertEqual(server.factory.unauthenticated.share, 200)
        server.factory.set_capacity(100)
        self.assertEqual(server.realm.limits.address_sessions, 50)
        self.assertEqual(server.factory.unauthenticated.share, 25)
        unlimited = ClassicServer(address_sessions=None, address_unauthenticated=None)
        unlimited.factory.set_capacity(100)
        self.assertEqual(unlimited.realm.limits.address_sessions, None)
        self.assertEqual(unlimited.factory.unauthenticated.share, None)
