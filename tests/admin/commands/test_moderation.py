"""The commands against misuse, and to all."""

from __future__ import annotations

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from tests.doubles.admin import CommandCase


class Suspensions(CommandCase):
    """``suspend``, ``unsuspend`` and ``users --suspended``."""

    def test_suspended_account_is_listed_with_its_reason(self) -> None:
        """The list of all accounts shows that it cannot log in."""
        self.harness.login("Ann")
        self.assertEqual(
            self.output("suspend", "ann", "--for", "2d", "--reason", "two days of spam"),
            "Ann is suspended until 1970-01-03 00:00; sessions that were ended: 1\n",
        )
        self.assertEqual(
            self.json("suspend", "bob"), [{"name": "bob", "until": None, "sessions": 0}]
        )
        heading, ann, bob = self.output("users", "--suspended").splitlines()
        self.assertEqual(heading.split(), ["NAME", "SUSPENDED", "ENDS", "REASON"])
        self.assertIn("1970-01-03 00:00  two days of spam", ann)
        self.assertIn("never", bob)
        self.assertIn("suspended", self.output("users").splitlines()[1])
        items = self.json("users", "--suspended")
        self.assertEqual(items[0]["suspended"]["reason"], "two days of spam")
        self.assertEqual(items[1]["suspended"], {"since": 0, "until": None, "reason": ""})

    def test_suspension_is_ended(self) -> None:
        """A second time is refused."""
        self.output("suspend", "bob")
        self.assertEqual(self.output("unsuspend", "BOB"), "bob is not suspended any more\n")
        self.assertEqual(self.output("users", "--suspended"), "")
        self.assertIn("bob is not suspended", self.failed(REFUSED, "unsuspend", "bob"))

    def test_wrong_times_are_refused(self) -> None:
        """Nothing is changed."""
        for words in (["--for", "soon"], ["--for", "0s"], ["--for", "-1d"]):
            self.assertIn("--for", self.failed(WRONG_USAGE, "suspend", "ann", *words))
        self.failed(WRONG_USAGE, "suspend")
        self.assertEqual(self.output("users", "--suspended"), "")


class Announce(CommandCase):
    """``announce``."""

    def test_text_need_not_be_quoted(self) -> None:
        """The number of sessions is shown."""
        peer = self.harness.login("Ann")
        texts: list[str] = []
        self.patch(peer, "announcement", lambda time, text: texts.append(text))
        self.assertEqual(
            self.output("announce", "we", "restart", "at noon"), "Shown to sessions: 1\n"
        )
        self.assertEqual(texts, ["we restart at noon"])
        self.assertIn("TEXT is missing", self.failed(WRONG_USAGE, "announce"))
        self.assertIn("has a text", self.failed(REFUSED, "announce", " "))


class Bans(CommandCase):
    """``ban``, ``unban`` and ``bans``."""

    def test_bans_are_listed_until_they_end(self) -> None:
        """A network is shown without the bits after its prefix."""
        self.assertEqual(
            self.output("ban", "192.0.2.7/24", "--for", "2d", "--reason", "spam for days"),
            "192.0.2.0/24 is banned until 1970-01-03 00:00; sessions that were ended: 0, other "
            "connections: 0\n",
        )
        self.assertEqual(self.json("ban", "2001:DB8::1")[0]["network"], "2001:db8::1")
        heading, first, second = self.output("bans").splitlines()
        self.assertEqual(heading.split(), ["NETWORK", "SINCE", "ENDS", "REASON"])
        self.assertIn("1970-01-03 00:00  spam for days", first)
        self.assertIn("never", second)
        items = self.json("bans")
        self.assertEqual(
            items[1], {"network": "2001:db8::1", "since": 0, "until": None, "reason": ""}
        )
        self.assertEqual(
            self.output("unban", "192.0.2.0/24"), "192.0.2.0/24 is not banned any more\n"
        )
        self.assertEqual(len(self.json("bans")), 1)
        self.assertIn("is not banned", self.failed(REFUSED, "unban", "192.0.2.0/24"))

    def test_this_machine_is_banned_by_force_only(self) -> None:
        """The sentence says how."""
        self.assertIn("--force", self.failed(REFUSED, "ban", "127.0.0.1"))
        self.output("ban", "127.0.0.1", "--force", "--for", "1s")
        self.failed(WRONG_USAGE, "ban", "192.0.2.1", "--for", "soon")
        self.assertIn("neither an address nor a network", self.failed(REFUSED, "ban", "ann"))
