"""JSON lines: requests of version 1 as the input of programs, one JSON object a line as output.

    {"send": {"recipient": "bob", "text": "hi", "ref": 7}}                              input
    {"type": "accepted", "request": "send", "ref": 7, "log": "@bob", "seq": 3, ...}     output

The format is described in docs/client.md.
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
    """The name of a message in JSON: ``find_rooms`` for `FindRooms`."""
    return _UPPER.sub("_", kind.__name__).lower()


_MADE_BY_CLIENT = (c.Hello, c.Register, c.LogIn, c.Resume, c.Ack, c.Pong)
REQUESTS: dict[str, type[c.Message]] = {
    snake_case(kind): kind for kind in c.REQUESTS.values() if kind not in _MADE_BY_CLIENT
}
"""the requests that a program can make, by name; the client makes the others itself"""


class InvalidRequest(Refused):
    """The line is not a request: write {"NAME": {"FIELD": VALUE, ...}}, with the names in
    docs/protocols/v1.md."""

    code = "malformed"


def read(line: str) -> tuple[c.Message, int]:
    """Decode a request from a line of JSON; also returns its `ref`, or 0. Raises
    `InvalidRequest`."""
    try:
        document = msgspec.json.decode(line, type=dict[str, dict[str, msgspec.Raw]])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InvalidRequest() from None
    if len(document) != 1:
        raise InvalidRequest()
    ((name, values),) = document.items()
    kind = REQUESTS.get(name)
    if kind is None:
        raise InvalidRequest(
            f"There is no request {name!r}. The requests are: {', '.join(sorted(REQUESTS))}."
        )
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    unknown = ", ".join(repr(field) for field in values if field not in fields)
    if unknown:
        raise InvalidRequest(f"{name} has no field {unknown}; its fields are: {', '.join(fields)}.")
    missing = ", ".join(
        field.name
        for field in fields.values()
        if field.required and field.name not in {*values, "ref"}
    )
    if missing:
        raise InvalidRequest(f"{name} requires: {missing}.")
    try:
        arguments = {
            field: msgspec.json.decode(value, type=fields[field].type)
            for field, value in values.items()
        }
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name}: {error}") from None
    ref = arguments.setdefault("ref", 0)
    return kind(**arguments), ref


def write(message: Mapping[str, Any]) -> str:
    """Encode an object as a line of JSON; characters that are not printable are escaped."""
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


def plain_value(value: Any) -> Any:
    """A message, or a part of one, as dicts and lists; the keys are the names of its fields."""
    if isinstance(value, msgspec.Struct):
        return {field: plain_value(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return value


class JsonLines:
    """The output for programs: prints each event, answer and error as a line of JSON."""

    accepts_requests = True

    def __init__(self, screen: Screen) -> None:
        self._write: Callable[[str], None] = screen.show

    def _print(self, type: str, message: Any = None, ref: int = 0, **more: Any) -> None:
        fields = plain_value(message) if message is not None else {}
        fields.pop("ref", None)
        self._write(write({"type": type, **more, **({"ref": ref} if ref else {}), **fields}))

    def logged_in(self, welcome: c.Welcome, name: str, logs: Sequence[str]) -> None:
        """Print ``welcome`` and ``logged_in``."""
        self._print("welcome", welcome)
        self._print("logged_in", name=name, logs=list(logs))

    def entry(self, entry: c.Pushed | c.Sent) -> None:
        """Print ``pushed`` or ``sent``."""
        self._print(snake_case(type(entry)), entry)

    def event(self, event: Event) -> None:
        """Print the event by its name."""
        self._print(snake_case(type(event)), event)

    def accepted(
        self, request: c.Message, answer: c.Accepted, entry: c.Pushed | None, ref: int
    ) -> None:
        """Print ``accepted``."""
        self.answer(request, answer, ref=ref)

    def answer(
        self, request: c.Message, answer: c.Message, sentence: str = "", ref: int = 0
    ) -> None:
        """Print the answer by its name, with the name of the request."""
        self._print(snake_case(type(answer)), answer, ref, request=snake_case(type(request)))

    def history(self, entries: Sequence[c.Pushed], more: bool) -> None:
        """Print ``history``."""
        self._print("history", entries=plain_value(entries), more=more)

    def members(
        self, room: str, members: Sequence[c.Member], people: Mapping[str, c.Person]
    ) -> None:
        """Print ``members``, with the presence of those for whom it is known."""
        names = [member.name.lower() for member in members]
        present = [people[name] for name in names if name in people]
        self._print("members", room=room, members=plain_value(members), people=plain_value(present))

    def receipts(self, texts: Sequence[tuple[c.ReceiptState, str]]) -> None:
        """Print ``receipts``."""
        states = [{**plain_value(state), "text": text} for state, text in texts]
        self._print("receipts", states=states)

    def line(self, text: str) -> None:
        """Print ``line``."""
        self._print("line", text=text)

    def note(self, sentence: str) -> None:
        """Do nothing: hints are for people."""

    def error(self, code: str, sentence: str, request: Any = None, ref: int = 0) -> None:
        """Print ``refusal``."""
        more = {"request": snake_case(type(request))} if request is not None else {}
        self._print("refusal", None, ref, **more, code=code, sentence=sentence)
