"""Invitations for a class: ``invite --names``, an invite token for each name in a file, with a link
and a text that can be sent to each person."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from twisted.python import usage

from chatd.admin.connection import Daemon, RequestRefused
from chatd.admin.output import Item, Output, moment
from chatd.codecs import admin as c

_URL = re.compile(r"chats?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
MOST_NAMES = 1_000
"""names in a file"""
_MOST_CHARACTERS = 100_000
_LONGEST = 100
"""characters of a line that are sent to the daemon, which refuses names that are too long"""
_AT_ONCE = 50
"""names in a request, which must fit into a line"""


def check_server(url: str) -> None:
    """Raise `usage.UsageError` unless this is the URL of a server."""
    if not _URL.fullmatch(url):
        raise usage.UsageError(
            f"--server: chat://HOST[:PORT] or chats://HOST[:PORT] is expected, not {url!r}"
        )


def read_names(path: str) -> list[str]:
    """The names in a file, one a line, without empty lines; ``-`` is standard input. Raises
    `usage.UsageError`."""
    try:
        if path == "-":
            text = sys.stdin.read(_MOST_CHARACTERS + 1)
        else:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(_MOST_CHARACTERS + 1)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise usage.UsageError(f"cannot read the names in {path}: {reason}") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(text) > _MOST_CHARACTERS or len(names) > MOST_NAMES:
        raise usage.UsageError(f"--names: a file has at most {MOST_NAMES} names")
    if not names:
        raise usage.UsageError(f"--names: there are no names in {path}")
    return names


def invite_all(
    names: Sequence[str],
    server: str,
    seconds: int | None,
    note: str,
    daemon: Daemon,
    output: Output,
) -> None:
    """Create a token for each name, valid for so many seconds (None: for ever), and show the texts.

    Raises `RequestRefused` at the end if a name got no token: it is given twice, cannot be a name,
    or is that of an account.
    """
    first: dict[str, str] = {}
    twice = [name for name in names if first.setdefault(name.lower(), name) is not name]
    refused = [
        {"name": name, "refused": "given-twice", "sentence": "The name is given twice."}
        for name in twice
    ]
    output.paragraphs(refused, _paragraph)
    for page in _pages(list(first.values())):
        answer = daemon.ask(c.CreateInviteTokens(page, seconds, note))
        items = [_with_text(item, server) for item in answer["items"]]
        refused += [item for item in items if "refused" in item]
        output.paragraphs(items, _paragraph)
    if refused:
        raise RequestRefused(f"names that got no token: {len(refused)} of {len(names)}")


def _pages(names: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield [name[:_LONGEST] for name in names[start : start + _AT_ONCE]]


def _with_text(item: Item, server: str) -> Item:
    """An item of the answer with the link and the text for the person."""
    if "refused" in item:
        return item
    scheme, _, host = server.rstrip("/").partition("://")
    link = f"{scheme}://{item['name']}@{host}/{item['token']}"
    end = "" if item["expires"] is None else f" until {moment(item['expires'])}"
    text = (
        f"You are invited to chat as {item['name']}. Type, once{end}:\n"
        f"python -m chatd.client {link}"
    )
    return {**item, "link": link, "text": text}


def _paragraph(item: Item) -> Sequence[str]:
    if "refused" in item:
        return (f"{item['name']}: not invited: {item['sentence']}",)
    return (f"{item['name']}:", *item["text"].splitlines())
