"""Invitations for a class: ``invite --names``."""

from __future__ import annotations

import json
from pathlib import Path

from chatd.admin.command_line import REFUSED, WRONG_USAGE
from chatd.client.cli.options import Options
from chatd.realm.permissions import Policy
from tests.doubles.admin import CommandCase, Completed
from tests.doubles.folders import folder


class ForAClass(CommandCase):
    """There are accounts called Ann and bob."""

    def invite(self, names: str, *words: str) -> Completed:
        """Invite the names in a file."""
        path = Path(folder(self), "names")
        path.write_text(names)
        return self.command(
            "invite", "--names", str(path), "--server", "chats://chat.example.org:7000", *words
        )

    def test_link_is_what_the_client_takes(self) -> None:
        """It has the name, the server, and a token with which the account is created."""
        completed = self.invite("zoe\n\n yan \n", "--json", "--note", "4b")
        self.assertEqual((completed.status, completed.stderr), (0, ""))
        items = [json.loads(line) for line in completed.stdout.splitlines()]
        self.assertEqual([item["name"] for item in items], ["zoe", "yan"])
        options = Options()
        options.parseOptions([items[0]["link"]])
        self.assertEqual(
            (options.name, options.address, options.invite, options.security is None),
            ("zoe", ("chat.example.org", 7000), items[0]["token"], False),
        )
        self.harness.realm.policy = Policy("invite")
        self.harness.run(self.harness.realm.register("zoe", None, items[0]["token"]))
        listed = {token["note"]: token["uses"] for token in self.json("invites")}
        self.assertEqual(listed, {"zoe 4b": 0, "yan 4b": 1})

    def test_text_for_each_person_can_be_sent(self) -> None:
        """The line to type stands by itself."""
        heading, text, typed = self.invite("zoe", "--expires", "never").stdout.splitlines()
        self.assertEqual(heading, "zoe:")
        self.assertEqual(text, "    You are invited to chat as zoe. Type, once:")
        self.assertRegex(
            typed,
            r"^    python -m chatd\.client chats://zoe@chat\.example\.org:7000/[a-z2-7-]{29}$",
        )
        self.assertIn("Type, once until 1970-01-0", self.invite("yan").stdout)

    def test_names_without_a_token_are_reported(self) -> None:
        """The others get theirs."""
        completed = self.invite("ann\nzoe\nZoe\ntwo words\nserver\n" + "x" * 200)
        self.assertEqual(completed.status, REFUSED)
        self.assertIn("names that got no token: 5 of 6", completed.stderr)
        refused = [line for line in completed.stdout.splitlines() if "not invited" in line]
        self.assertEqual(
            [line.split(": ")[0][:9] for line in refused],
            ["Zoe", "ann", "two words", "server", "xxxxxxxxx"],
        )
        self.assertEqual([token["note"] for token in self.json("invites")], ["zoe"])

    def test_many_names_are_several_requests(self) -> None:
        """Each within a line of the admin socket; a file has a bounded number of names."""
        names = [f"pupil-with-a-long-name-{number:06}" for number in range(1000)]
        completed = self.invite("\n".join(names), "--json")
        made = [json.loads(line)["name"] for line in completed.stdout.splitlines()]
        self.assertEqual((completed.status, made), (0, names))
        self.assertEqual(self.invite("\n".join([*names, "x"])).status, WRONG_USAGE)

    def test_wrong_usage_creates_nothing(self) -> None:
        """Without a server there is no link."""
        for words in (
            ("invite", "--names", "/nonexistent/file", "--server", "chat://h"),
            ("invite", "--names", "x"),
            ("invite", "--server", "chat://h"),
            ("invite", "--names", "x", "--server", "chat://h", "--uses", "2"),
            ("invite", "--names", "x", "--server", "h:7000"),
            ("invite", "--names", "x", "--server", "chat://h/path"),
        ):
            self.failed(WRONG_USAGE, *words)
        self.assertEqual(self.invite("\n \n").status, WRONG_USAGE)
        words = ("invite", "--names", "/nowhere/names", "--server", "chat://h")
        self.assertIn("/nowhere/names: no such file or dir", self.failed(WRONG_USAGE, *words))
        self.assertEqual(self.json("invites"), [])
