"""The output for programs: one JSON object a line. And their input: requests of the catalogue as
JSON.

    {"send": {"recipient": "bob", "text": "hi", "ref": 7}}          <- a program writes
    {"type": "accepted", "request": "send", "ref": 7, "log": "@bob", "seq": 3, ...}     it reads

All of it is described in docs/client.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from chatd.client.cli.screen import Screen
from chatd.client.library.events import Event
from chatd.codecs import v1_messages as c
from chatd.core.errors import Refused

_UPPER = re.compile(r"(?<!^)(?=[A-Z])")


def snake_case(kind: type) -> str:
    """``FindRooms`` as ``find_rooms``."""
    return _UPPER.sub("_", kind.__name__).lower()


_OWN = (c.Hello, c.Register, c.LogIn, c.Ack, c.Pong)
REQUESTS: dict[str, type[c.Message]] = {
    snake_case(kind): kind for kind in c.REQUESTS.values() if kind not in _OWN
}
"""what a program can ask for, by name; the rest is the client's own business"""


class Unreadable(Refused):
    """This is no request: {"NAME": {"FIELD": VALUE, ...}}, with the names of the catalogue."""

    code = "malformed"


def read(line: str) -> tuple[c.Message, int]:
    """The request that a line of JSON is, and the `ref` given in it, 0: none. Raises
    `Unreadable`."""
    try:
        given = msgspec.json.decode(line, type=dict[str, dict[str, msgspec.Raw]])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unreadable() from None
    if len(given) != 1:
        raise Unreadable()
    ((name, values),) = given.items()
    kind = REQUESTS.get(name)
    if kind is None:
        raise Unreadable(f"There is no request {name!r}. There are: {', '.join(sorted(REQUESTS))}.")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    unknown = ", ".join(repr(field) for field in values if field not in fields)
    if unknown:
        raise Unreadable(f"{name} has no field {unknown}; its fields are: {', '.join(fields)}.")
    missing = ", ".join(
        field.name
        for field in fields.values()
        if field.required and field.name not in {*values, "ref"}
    )
    if missing:
        raise Unreadable(f"{name} needs: {missing}.")
    try:
        found = {
            field: msgspec.json.decode(value, type=fields[field].type)
            for field, value in values.items()
        }
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"{name}: {error}") from None
    ref = found.setdefault("ref", 0)
    return kind(**found), ref


def write(message: Mapping[str, Any]) -> str:
    """A line of JSON; characters that are not for printing are escaped."""
    text = json.dumps(message, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    return (
        char
        if char.isprintable()
        else json.dumps(char)[1:-1]
        if char > "\x7f"
        else f"\\u{ord(char):04x}"
    )


def told(value: Any) -> Any:
    """A message, or a part of one, with the names of its fields."""
    if isinstance(value, msgspec.Struct):
        return {field: told(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [told(each) for each in value]
    return value


class JsonLines:
    """All there is to tell, by way of `show`, which writes a line."""

    programmatic = True

    def __init__(self, screen: Screen) -> None:
        self._write: Callable[[str], None] = screen.show

    def _tell(self, type: str, message: Any = None, ref: int = 0, **more: Any) -> None:
        fields = told(message) if message is not None else {}
        fields.pop("ref", None)
        self._write(write({"type": type, **more, **({"ref": ref} if ref else {}), **fields}))

    def entered(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """Logged in."""
        self._tell("welcome", welcome)
        self._tell("logged_in", name=name, logs=list(logs))

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """An entry came."""
        self._tell(snake_case(type(entry)), entry)

    def event(self, event: Event) -> None:
        """Anything else happened."""
        self._tell(snake_case(type(event)), event)

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """A message of ours is durable."""
        self.answer(request, answer, ref=ref)

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """A request was answered."""
        self._tell(snake_case(type(answer)), answer, ref, request=snake_case(type(request)))

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """What was said earlier."""
        self._tell("history", entries=told(entries), more=more)

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Who is in a room."""
        known = [people[each.name.lower()] for each in members if each.name.lower() in people]
        self._tell("members", room=room, members=told(members), people=told(known))

    def states(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """What became of messages."""
        self._tell("receipts", states=[{**told(state), "text": text} for state, text in texts])

    def line(self, text: str) -> None:
        """What was asked for."""
        self._tell("line", text=text)

    def note(self, sentence: str) -> None:
        """Programs need no hints."""

    def refuse(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """What went wrong."""
        more = {"request": snake_case(type(request))} if request is not None else {}
        self._tell("refusal", None, ref, **more, code=code, sentence=sentence)
