"""Names: the rules for account and room names, their logs, and what clients call these.

A log is named by the id of its account or room, which is never given twice: ``@17``, ``#23``.
Clients know it by the name of the account or room in lower case: ``@alice``, ``#lobby``. No other
module of the daemon knows that logs begin with ``@`` and ``#``.
"""

from __future__ import annotations

import re

from chatd.core.errors import IllegalName, IllegalRoom

LOBBY = "#lobby"
"""the room that always exists and that every account can join"""

REPORTS = "@server"
"""the log of all reports"""
AUDIT = "@operators"
"""the log of what operators have done"""
OPERATOR_LOGS = frozenset({REPORTS, AUDIT})
"""the logs for operators, which are no mailboxes of accounts"""

NOTICE_SENDER = "Server"
"""the sender of the daemon's notices in older protocols, a name that no account can have"""

# ASCII only: every protocol must be able to represent every name. One character class without
# alternatives is matched in linear time.
NAME_LENGTH = 32
"""characters that a name may have"""
_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME_LENGTH}}}")
SERVER = "server"
"""the sender of what operators do, a name that no account can have"""
_RESERVED = frozenset({SERVER})
"""names of the daemon itself, in lower case"""


def check_word(word: str) -> bool:
    """Whether a word has the characters and the length of a name."""
    return _NAME.fullmatch(word) is not None


def check_name(name: str) -> None:
    """Raise `IllegalName`, with the rule that is broken, unless this can be an account's name."""
    if not name:
        raise IllegalName("Empty string is not a valid username.")
    if len(name) > NAME_LENGTH:
        raise IllegalName(f"username has {len(name)} characters, the limit is {NAME_LENGTH}")
    if _NAME.fullmatch(name) is None:
        wrong = next(char for char in name if _NAME.fullmatch(char) is None)
        raise IllegalName(
            f"Illegal username character: {wrong!r} (letters, digits and . _ - are legal)"
        )
    if name.lower() in _RESERVED:
        raise IllegalName(f"the username {name} is reserved")


def mailbox_log(account: int) -> str:
    """The log that is the mailbox of an account, given by its id."""
    return f"@{account}"


def room_log(room: int) -> str:
    """The log of a room, given by its id."""
    return f"#{room}"


def deleted_room_log(room: int) -> str:
    """The log of a deleted room, given by its id, while it can be restored."""
    return f"!{room}"


def mailbox_name(name: str) -> str:
    """The name by which clients know the mailbox of an account, for any spelling of its name."""
    return "@" + name.lower()


def room_name(name: str) -> str:
    """The name by which clients know the log of a room, for any spelling of its name."""
    return name.lower()


def check_room_name(name: str) -> None:
    """Raise `IllegalRoom` unless this can be the name of a room."""
    if not name.startswith("#") or not check_word(name[1:]):
        raise IllegalRoom()


def complete_room_name(word: str) -> str:
    """The name of a room that may be given without its ``#``."""
    return word if is_room(word) else f"#{word}"


def is_room(name: str) -> bool:
    """Whether a recipient is a room, or a log or its name that of a room."""
    return name.startswith("#")


def is_mailbox(log: str) -> bool:
    """Whether a log, or the name of one, is that of a mailbox."""
    return log.startswith("@")


def mailbox_owner(name: str) -> str:
    """The account, in lower case, whose mailbox clients know by `name`."""
    return name.removeprefix("@")


def log_id(log: str) -> int:
    """The id of the account or the room whose log this is, 0 if the name of the log has none.

    An id has at most 63 bits.
    """
    digits = log[1:]
    number = int(digits) if len(digits) < 20 and digits.isascii() and digits.isdecimal() else 0
    return number if number < 1 << 63 else 0
