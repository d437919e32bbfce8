"""What a client has seen: who is there to be written to, and what was said, by conversation and by
id.

A conversation is named as a log is: ``#room``, or ``@bob`` for what Bob and we said to each other,
which stands in two logs, his inbox and ours.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from chatd.codecs import v1_messages as c

_REMEMBERED = 500


@dataclass
class Said:
    """A text, as it is now; the fields are those of `catalogue.Pushed`."""

    log: str
    seq: int
    id: int
    time: int
    sender: str
    text: str
    edit: int = 0
    """the seq of the latest edit, 0: none"""
    deleted: bool = False

    @property
    def now(self) -> str:
        """What is left of it."""
        return "(deleted)" if self.deleted else self.text + " (edited)" * bool(self.edit)


class Seen:
    """The latest texts of each conversation, and all names."""

    def __init__(self) -> None:
        self.name = ""
        """our own name"""
        self._names: dict[str, str] = {}
        self._said: dict[str, list[Said]] = {}
        self._by_id: dict[int, Said] = {}

    @property
    def inbox(self) -> str:
        """The log of what others send us."""
        return conversation(self.name)

    @property
    def names(self) -> list[str]:
        """Everybody and every room, as they are written."""
        return list(self._names.values())

    def met(self, *names: str) -> None:
        """These exist."""
        for name in names:
            self._names[name.lower()] = name

    def knows(self, name: str) -> bool:
        """Whether it was met."""
        return name.lower() in self._names

    def written(self, name: str) -> str:
        """A name, or that of a log, as whoever made it wrote it."""
        plain = name.removeprefix("@")
        return self._names.get(plain.lower(), plain)

    def entry(self, entry: c.Pushed) -> None:
        """Remember what this entry says, or does to another one."""
        if entry.sender:
            self.met(entry.sender)
        about = self._by_id.get(entry.about)
        if entry.kind == "text":
            self._remember(entry)
        elif entry.kind == "edit" and about is not None and entry.seq > about.edit:
            about.text, about.edit = entry.body, entry.seq
        elif entry.kind == "delete" and about is not None:
            about.deleted = True

    def _remember(self, entry: c.Pushed) -> None:
        if entry.id in self._by_id:
            return
        place = entry.log if entry.log != self.inbox else conversation(entry.sender)
        said = self._said.setdefault(place, [])
        new = Said(entry.log, entry.seq, entry.id, entry.time, entry.sender, entry.body)
        insort(said, new, key=lambda each: (each.time, each.id))
        self._by_id[entry.id] = new
        if len(said) > _REMEMBERED:
            del self._by_id[said.pop(0).id]

    def by_id(self, number: int) -> Said | None:
        """The text whose entry has this id, if it was seen."""
        return self._by_id.get(number)

    def said(self, place: str, *, by: str | None = None) -> list[Said]:
        """What was said in a conversation, by anybody or one of them, oldest first; not what is
        deleted."""
        return [
            each
            for each in self._said.get(place, ())
            if not each.deleted and (by is None or each.sender.lower() == by.lower())
        ]


def conversation(target: str) -> str:
    """The conversation with an account, or in a room."""
    return target.lower() if target.startswith("#") else "@" + target.lower()
