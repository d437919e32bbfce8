"""The commands that run this Python and its twistd, as the reader of a hint can type them."""

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
    return _quoted_path(executable)


def twistd_command() -> str:
    """Return what runs the twistd of this Python in a shell in the current folder.

    That is ``twistd`` if the search path leads to it or if it is not beside this Python, else its
    path, quoted, and relative if it is below the current folder (``.venv/bin/twistd``).
    """
    folder = os.path.dirname(os.path.abspath(sys.executable))
    path = os.path.join(folder, "twistd")
    on_path = shutil.which("twistd")
    found = on_path is not None and _in_same_folder(os.path.abspath(on_path), path)
    return "twistd" if found or not os.path.exists(path) else _quoted_path(path)


def _quoted_path(path: str) -> str:
    relative = os.path.relpath(path)
    return shlex.quote(path if relative.startswith(os.pardir) else relative)


def _is_same_python(one: str, other: str) -> bool:
    """Whether two executables are one Python, with the same installed packages.

    The executables of all virtual environments are links to the same file: the folder that they
    are found in tells one environment from another.
    """
    return _in_same_folder(one, other) and os.path.realpath(one) == os.path.realpath(other)


def _in_same_folder(one: str, other: str) -> bool:
    return os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))
