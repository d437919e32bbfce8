"""Claims: how a session whose peer cannot acknowledge saves what its peer has received.

A message must not cost a write of its own to record that it was received. So while such a session
is live, the store has a claim for its mailbox (the document kind ``claim``): "every entry after seq
`after` is handed to the peer as soon as it is committed".

An entry is handed over before its sender is answered. So when a daemon was killed, every entry
whose sender was answered has been written to the peer's connection or is in the log, and
`resolved` may count the entries after `after` as received. For the same reason, the senders of
entries that are committed after a session has ended are not answered before its claim is deleted
(`chatd.realm.delivery`). If the whole machine stopped, what was written to the connection may be
lost. Then these entries wait again: the recipient may receive them twice, but does not miss them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from chatd.core.entries import Cursor


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """The claim on a mailbox, under the name of its log. `boot` identifies one run of the
    machine."""

    document_kind: ClassVar[str] = "claim"

    after: int
    boot: str

    def resolved(self, cursor: Cursor, head: int, boot: str) -> Cursor:
        """Return the cursor of the mailbox as the killed daemon's session left it.

        `cursor` is the saved one, `head` the last seq of the log, `boot` this run of the machine.
        """
        return cursor.acknowledge(self.after + 1, head) if self.boot == boot else cursor
