"""Entries that this account has written to other mailboxes and that are not pushed to it."""

from __future__ import annotations

from chatd.client.cli.message_cache import CachedMessage
from chatd.client.cli.outbox import KeyedRequest
from chatd.codecs import v1_messages as c


def sent_elsewhere(event: c.Sent, account: str) -> c.Pushed:
    """The entry that another session of `account` has written."""
    return c.Pushed(
        event.log, event.seq, event.id, event.time, account, event.kind, event.body, event.about
    )


def accepted_here(
    request: KeyedRequest, answer: c.Accepted, about: CachedMessage | None, account: str
) -> c.Pushed:
    """The entry that `request` has written; `about` is the message that the request refers to."""
    match request:
        case c.Send():
            kind, body = "text", request.text
        case c.Edit():
            kind, body = "edit", request.text
        case c.Retract():
            kind, body = "delete", ""
        case c.React():
            kind, body = "reaction", request.reaction
    about_id = about.id if about is not None else 0
    return c.Pushed(answer.log, answer.seq, answer.id, answer.time, account, kind, body, about_id)
