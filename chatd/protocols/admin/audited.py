"""What the audit log has of a request and of its answer: nothing secret, and nothing long."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import asdict, fields

from chatd.codecs import admin as c
from chatd.core.printable import printable
from chatd.realm.audit import Operation, Value

SECRET = frozenset({"password", "token", "invite"})
"""the fields of requests that are left out"""
RESULTS = frozenset(
    {
        "name",
        "network",
        "room",
        "role",
        "key",
        "until",
        "expires",
        "sessions",
        "path",
        "level",
        "seq",
        "names",
    }
)
"""the fields of answers that are in the log; an answer may have secrets"""
LONGEST = 500
"""characters of a value that are in the log"""
_LONGEST_NAMES = 4_000
"""characters of the names of one page, of which all are in the log"""


def operation(
    request: c.Request, answer: Mapping[str, object] | None = None, refused: str = ""
) -> Operation:
    """A request with the fields of its answer, or the code of its refusal."""
    defaults = {field.name: field.default for field in fields(request)}
    secret = SECRET
    if isinstance(request, c.CreateAccessToken | c.RevokeAccessToken) and refused:
        # An operator may have given the token by mistake, and not what it is called.
        secret = SECRET | {"label"}
    given = {
        name: _value(name, value)
        for name, value in asdict(request).items()
        if value != defaults[name] and name not in secret
    }
    result = {
        name: _value(name, value) for name, value in (answer or {}).items() if name in RESULTS
    }
    return Operation(c.command(request), given, result, refused)


def _value(name: str, value: object) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    text = printable(str(value))
    longest = _LONGEST_NAMES if name == "names" else LONGEST
    return text if len(text) <= longest else f"{text[:longest]}..."
