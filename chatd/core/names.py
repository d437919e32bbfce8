"""Names: the rules for account and room names, and the names of the logs that belong to them.

The only module that knows that the log of an account begins with ``@`` and that of a room with
``#``.
"""

from __future__ import annotations

import re

from chatd.core.errors import IllegalName, IllegalRoom

LOBBY = "#lobby"
"""the room that always exists and that everyone may join"""

# Letters and digits of ASCII only: every protocol must be able to spell every name. One character
# class without alternatives, so matching is linear; `Server` speaks for the daemon itself.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
_RESERVED = frozenset({"server"})


def check_word(word: str) -> bool:
    """Whether this has the letters and the length that a name may have."""
    return _NAME.fullmatch(word) is not None


def check_name(name: str) -> None:
    """Accept the name of an account, or raise `IllegalName` saying which rule it breaks."""
    if not name:
        raise IllegalName("Empty string is not a valid username.")
    if len(name) > 32:
        raise IllegalName(f"username has {len(name)} characters, the limit is 32")
    if _NAME.fullmatch(name) is None:
        wrong = next(char for char in name if _NAME.fullmatch(char) is None)
        raise IllegalName(
            f"Illegal username character: {wrong!r} (letters, digits and . _ - are legal)"
        )
    if name.lower() in _RESERVED:
        raise IllegalName(f"the username {name} is reserved")


def mailbox_log(name: str) -> str:
    """The name of the log that is this account's inbox; the same for every spelling of the name."""
    return "@" + name.lower()


def room_log(name: str) -> str:
    """The name of the log that is this room's; the same for every spelling of the name."""
    return name.lower()


def check_room_name(name: str) -> None:
    """Accept the name of a room, or raise `IllegalRoom`."""
    if not name.startswith("#") or not check_word(name[1:]):
        raise IllegalRoom()


def is_room(name: str) -> bool:
    """Whether a name given as a recipient, or the name of a log, is that of a room."""
    return name.startswith("#")


def is_mailbox(log: str) -> bool:
    """Whether a log is the mailbox of an account."""
    return log.startswith("@")


def mailbox_owner(log: str) -> str:
    """The key (the name in lower case) of the account whose mailbox `log` is."""
    return log.removeprefix("@")
