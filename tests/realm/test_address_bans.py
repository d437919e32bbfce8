"""Address bans: what they match, when they end, and what they end."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.core.errors import AddressBanned, BadRequest, LimitReached, NotBanned
from chatd.realm import permissions
from chatd.realm.address_bans import AddressBan, AddressBanInfo, AddressBans
from tests.doubles.realm import AckRecorder, RealmHarness
from tests.realm.case import AckRealmCase


class FromAddress(AckRecorder):
    """A peer at an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.at = address

    @property
    def address(self) -> str:
        """See `Peer`."""
        return self.at


class Bans(AckRealmCase):
    """Bans of operators."""

    def setUp(self) -> None:
        super().setUp()
        self.bans = self.realm.address_bans

    def ban(self, network: str, seconds: int | None = None, *, force: bool = False) -> Any:
        """Ban a network for spam."""
        return self.run_now(self.bans.ban(network, seconds, "spam\nand worse", force))

    def found(self, *addresses: str) -> list[str]:
        """Those of the addresses that are banned."""
        return [address for address in addresses if self.bans.find(address) is not None]

    def test_what_is_in_force_is_what_is_stored(self) -> None:
        """Also if an address is banned and unbanned at the same moment."""
        for ban_first in (True, False):
            for steps in range(4):
                self.setUp()
                self.ban("192.0.2.7")
                self.store.eager = False
                requests = [self.bans.ban("192.0.2.7", None, "again"), self.bans.unban("192.0.2.7")]
                answers = []
                for request in requests if ban_first else reversed(requests):
                    answers.append(self.begin(request))
                    for _ in range(steps):
                        self.store.release()
                self.harness.settle()
                with self.subTest(ban_first=ban_first, steps=steps):
                    for answer in answers:
                        self.successResultOf(answer)
                    stored = self.result(self.realm.documents.get(AddressBan, "192.0.2.7"))
                    self.assertEqual(self.found("192.0.2.7"), ["192.0.2.7"] * (stored is not None))

    def test_addresses_in_a_banned_network_are_found(self) -> None:
        """In any spelling; of several networks, one is enough."""
        for network in ("192.0.2.0/24", "192.0.2.7", "2001:db8::/64", "::ffff:198.51.100.1"):
            self.ban(network)
        inside = (
            "192.0.2.7",
            "192.0.2.255",
            "::ffff:192.0.2.1",
            "2001:db8::1",
            "2001:DB8:0:0:ffff::",
            "198.51.100.1",
        )
        outside = ("192.0.3.0", "2001:db8:0:1::", "198.51.100.2", "127.0.0.1", "::1", "local", "")
        self.assertEqual(self.found(*inside, *outside), list(inside))
        self.run_now(self.bans.unban("192.0.2.0/24"))
        self.assertEqual(self.found("192.0.2.7", "192.0.2.8"), ["192.0.2.7"])

    def test_refusal_has_the_reason(self) -> None:
        """As one line."""
        self.ban("192.0.2.7")
        error = self.assertRaises(AddressBanned, self.bans.check, "192.0.2.7")
        self.assertEqual(str(error), "An operator has banned your address: spam and worse")
        self.bans.check("192.0.2.8")

    def test_ban_ends_by_date(self) -> None:
        """It is removed from the store with the next change. A later ban replaces an earlier
        one."""
        self.ban("192.0.2.7", 60)
        self.ban("192.0.2.8", 60)
        self.ban("192.0.2.8", 90)
        self.harness.now += 60_000
        self.assertEqual(self.found("192.0.2.7", "192.0.2.8"), ["192.0.2.8"])
        self.refuse(NotBanned, self.bans.unban("192.0.2.7"))
        self.assertEqual(self.run_now(_count(self.harness)), 2)
        self.ban("192.0.2.9")
        self.assertEqual([ban.network for ban in self.bans.listing()], ["192.0.2.8", "192.0.2.9"])
        self.assertEqual(self.run_now(_count(self.harness)), 2)

    def test_bans_outlast_a_restart(self) -> None:
        """Those that have expired meanwhile are removed."""
        for number in range(3):
            self.ban(f"192.0.2.{number}", 60 * number or None)
        restarted = RealmHarness(self.store, self.harness.now + 60_000)
        restarted.run(restarted.realm.start())
        bans = restarted.realm.address_bans
        self.assertEqual(
            bans.listing(),
            [
                AddressBanInfo("192.0.2.0", 1, None, "spam and worse"),
                AddressBanInfo("192.0.2.2", 1, 120_001, "spam and worse"),
            ],
        )
        self.assertEqual(restarted.run(_count(restarted)), 2)

    def test_sessions_from_the_network_are_ended_with_the_reason(self) -> None:
        """Others stay. What other connections are closed is added."""
        peers = [FromAddress(each) for each in ("192.0.2.7", "2001:db8::1", "192.0.2.200")]
        for peer in peers:
            self.harness.open("Ann", peer)
        asked: list[bool] = []

        def close(banned: Any) -> int:
            asked.extend(map(banned, ("192.0.2.1", "192.0.3.1", "local")))
            return 5

        self.bans.on_banned.append(close)
        _, sessions, connections = self.ban("192.0.2.0/24")
        self.assertEqual((sessions, connections), (2, 5))
        self.assertEqual(asked, [True, False, False])
        self.assertEqual(
            [peer.ended_with for peer in (*peers, self.ann_peer)],
            ["address-banned", "", "address-banned", ""],
        )

    def test_this_machine_is_banned_by_force_only(self) -> None:
        """Also as a part of a larger network. Clients of a unix socket are never banned."""
        for network in ("127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::1", "::/0", "::ffff:127.0.0.1"):
            self.assertIn("--force", self.refuse(BadRequest, self.bans.ban(network, None, "")))
        self.assertEqual(self.bans.listing(), [])
        self.ban("0.0.0.0/0", force=True)
        self.assertEqual(
            self.found("127.0.0.1", "192.0.2.1", "local", "::1"), ["127.0.0.1", "192.0.2.1"]
        )

    def test_part_of_a_banned_network_has_no_ban_of_its_own(self) -> None:
        """The refusal names the network that keeps it out."""
        self.ban("192.0.2.0/24", 60)
        self.ban("192.0.0.0/16", 1)
        self.harness.now += 1_000
        for part in ("192.0.2.5", "192.0.2.0/25"):
            self.assertEqual(
                self.refuse(NotBanned, self.bans.unban(part)),
                f"{part} is not banned; it is part of 192.0.2.0/24, which is.",
            )
        for other in ("192.0.3.5", "192.0.2.0/23", "::c000:205"):
            self.assertTrue(
                self.refuse(NotBanned, self.bans.unban(other)).endswith(" is not banned.")
            )

    def test_what_cannot_be_banned(self) -> None:
        """Texts that are no network, and more than a number of networks."""
        for text in ("", "ann", "192.0.2", "192.0.2.0/33", "local", "1"):
            self.refuse(BadRequest, self.bans.ban(text, None, ""))
            self.refuse(BadRequest, self.bans.unban(text))
        self.refuse(NotBanned, self.bans.unban("192.0.2.1"))
        self.patch(permissions, "_BANS", 2)
        self.ban("192.0.2.1", 1)
        self.ban("192.0.2.2")
        self.refuse(LimitReached, self.bans.ban("192.0.2.3", None, ""))
        self.harness.now += 1000
        self.ban("192.0.2.3")

    @given(
        st.lists(st.tuples(st.ip_addresses(v=4), st.integers(8, 32)), max_size=5),
        st.integers(0, 2**32 - 1),
        st.integers(0, 4),
    )
    def test_look_up_is_that_of_the_standard_library(
        self, networks: list[tuple[Any, int]], random: int, near: int
    ) -> None:
        """An address is found if one of the networks contains it."""
        harness = RealmHarness()
        bans = AddressBans(harness.realm)
        named = [ip_network(f"{address}/{length}", strict=False) for address, length in networks]
        for network in named:
            harness.run(bans.ban(str(network), None, "", force=True))
        if near < len(named):
            random = int(named[near].network_address) ^ (random & 0x3FF)
        address = ip_address(random)
        self.assertEqual(
            bans.find(str(address)) is not None, any(address in network for network in named)
        )


async def _count(harness: RealmHarness) -> int:
    return await harness.realm.documents.count(AddressBan)
