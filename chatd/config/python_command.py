"""The command that runs this Python, as the reader of a hint can type it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys


def python_command() -> str:
    """Return what runs this Python in a shell in the current folder.

    That is ``python`` if the search path leads to this Python, else the path of the executable,
    quoted, and relative if it is below the current folder (``.venv/bin/python``).
    """
    executable = os.path.abspath(sys.executable)
    on_path = shutil.which("python")
    if on_path is not None and _is_same_python(os.path.abspath(on_path), executable):
        return "python"
    # The scripts of an environment run python3.11, say; its name without a version is shorter.
    short = os.path.join(os.path.dirname(executable), "python")
    if _is_same_python(short, executable):
        executable = short
    relative = os.path.relpath(executable)
    return shlex.quote(executable if relative.startswith(os.pardir) else relative)


def _is_same_python(one: str, other: str) -> bool:
    """Whether two executables are one Python, with the same installed packages.

    The executables of all virtual environments are links to the same file: the folder that they
    are found in tells one environment from another.
    """
    same_folder = os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))
    return same_folder and os.path.realpath(one) == os.path.realpath(other)
