"""Which command runs this Python."""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from chatd.config.python_command import python_command, twistd_command
from tests.doubles.folders import folder


class PythonCommand(SynchronousTestCase):
    """`python_command`, with several search paths and current folders."""

    def setUp(self) -> None:
        """Two environments whose executables are links to one file, as is usual."""
        self.folder = os.path.realpath(folder(self))
        for environment in ("one", "another one"):
            bin_folder = os.path.join(self.folder, environment, "bin")
            os.makedirs(bin_folder)
            for name in ("python", "python3"):
                os.symlink(os.path.realpath(sys.executable), os.path.join(bin_folder, name))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def command(self, executable: str, search_path: str) -> str:
        """The command for an executable, with a folder on the search path."""
        self.patch(sys, "executable", os.path.join(self.folder, executable))
        self.patch(os, "environ", {"PATH": os.path.join(self.folder, search_path)})
        return python_command()

    def test_command_is_python_if_the_search_path_leads_to_it(self) -> None:
        """The name of the executable may differ."""
        self.assertEqual(self.command("one/bin/python", "one/bin"), "python")
        self.assertEqual(self.command("one/bin/python3", "one/bin"), "python")

    def test_path_below_the_current_folder_is_relative(self) -> None:
        """Another environment on the search path does not count, though its Python is the same."""
        self.assertEqual(self.command("one/bin/python", "another one/bin"), "one/bin/python")
        self.assertEqual(self.command("one/bin/python", "none"), "one/bin/python")

    def test_the_short_name_is_preferred(self) -> None:
        """The scripts of an environment run an executable with a version in its name."""
        self.assertEqual(self.command("one/bin/python3", "none"), "one/bin/python")
        os.unlink("one/bin/python")
        self.assertEqual(self.command("one/bin/python3", "none"), "one/bin/python3")

    def test_paths_are_quoted(self) -> None:
        """The command can be typed as it is."""
        command = self.command("another one/bin/python", "one/bin")
        self.assertEqual(command, "'another one/bin/python'")

    def test_twistd_is_that_beside_the_python(self) -> None:
        """Its name is enough if the search path leads to it, or if it is not beside the Python."""
        self.assertEqual(self.command("one/bin/python", "none"), "one/bin/python")
        self.assertEqual(twistd_command(), "twistd")
        for environment in ("one", "another one"):
            path = os.path.join(self.folder, environment, "bin", "twistd")
            with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o755)):
                pass
        self.assertEqual(twistd_command(), "one/bin/twistd")
        self.command("one/bin/python", "one/bin")
        self.assertEqual(twistd_command(), "twistd")
        self.command("another one/bin/python", "one/bin")
        self.assertEqual(twistd_command(), "'another one/bin/twistd'")

    def test_path_elsewhere_is_absolute(self) -> None:
        """Nothing is relative to a folder above."""
        os.chdir(os.path.join(self.folder, "another one"))
        command = self.command("one/bin/python", "none")
        self.assertEqual(command, os.path.join(self.folder, "one/bin/python"))
