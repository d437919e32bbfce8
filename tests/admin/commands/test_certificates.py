"""The command that makes a certificate."""

from __future__ import annotations

import json
import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from chatd.admin.command_line import REFUSED
from chatd.config.python_command import twistd_command
from tests.doubles.admin import run_command
from tests.doubles.folders import folder


class MakeCertificate(SynchronousTestCase):
    """``make-cert``."""

    def test_files_are_written_and_their_use_is_explained(self) -> None:
        """Both files are in the current folder; a second run replaces nothing."""
        place = folder(self)
        words = ["make-cert", "--host", "chat.example.org", "--host", "192.0.2.1"]
        completed = run_command(*words, cwd=place)
        self.assertEqual((completed.status, completed.stderr), (0, ""))
        self.assertIn(
            f"{twistd_command()} -n chatd --host 0.0.0.0 --tls-cert chatd.pem --tls-key chatd.key",
            completed.stdout,
        )
        self.assertIn("chats://chat.example.org --tls-ca chatd.pem", completed.stdout)
        self.assertEqual(sorted(os.listdir(place)), ["chatd.key", "chatd.pem"])
        self.assertEqual(stat.S_IMODE(os.stat(f"{place}/chatd.key").st_mode), 0o600)
        completed = run_command(*words, cwd=place)
        self.assertEqual((completed.status, completed.stdout), (REFUSED, ""))
        self.assertIn("exists already", completed.stderr)

    def test_files_are_written_to_the_chosen_folder(self) -> None:
        """The paths in the output are relative if that of the folder is."""
        for option in ("--out", "-o"):
            place = folder(self)
            os.mkdir(f"{place}/tls")
            completed = run_command("make-cert", option, "tls", "--json", cwd=place)
            answer = json.loads(completed.stdout)
            self.assertEqual(
                (answer["certificate"], answer["key"]), ("tls/chatd.pem", "tls/chatd.key")
            )
            self.assertEqual(len(answer["pin"]), 64)
            self.assertEqual(sorted(os.listdir(f"{place}/tls")), ["chatd.key", "chatd.pem"])
        os.mkdir(f"{place}/a b")
        output = run_command("make-cert", "-oa b", cwd=place).stdout
        self.assertIn(" --tls-cert 'a b/chatd.pem' --tls-key 'a b/chatd.key'\n", output)
        self.assertIn(" --tls-ca 'a b/chatd.pem'\n", output)

    def test_hints_name_the_first_host(self) -> None:
        """The daemon listens on an address, on all addresses for a name, or on its default."""
        for words, option, url in (
            (["--host", "192.0.2.1", "--host", "a.example"], "--host 192.0.2.1 ", "192.0.2.1"),
            (["--host", "2001:db8::1"], "--host 2001:db8::1 ", "[2001:db8::1]"),
            (["--host", "a.example"], "--host 0.0.0.0 ", "a.example"),
            ([], "", "localhost"),
        ):
            output = run_command("make-cert", *words, cwd=folder(self)).stdout
            self.assertIn(f" -n chatd {option}--tls-cert", output)
            self.assertEqual(output.count(f" NAME chats://{url} --tls-"), 2)

    def test_missing_folder_and_invalid_host_are_refused(self) -> None:
        """No file is written."""
        place = folder(self)
        for words in (["--out", "none"], ["--host", "chät"]):
            completed = run_command("make-cert", *words, cwd=place)
            self.assertEqual((completed.status, completed.stdout), (REFUSED, ""))
            self.assertTrue(completed.stderr.startswith("chatd.admin: no certificate was made: "))
        self.assertEqual(os.listdir(place), [])
        self.assertEqual(
            run_command("make-cert", "--out", "mine", cwd=place).stderr,
            "chatd.admin: no certificate was made: there is no folder mine\n",
        )
