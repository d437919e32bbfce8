"""The generated sections of docs/protocols/v1.md: types, messages, refusals and examples."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterable
from typing import Annotated, get_args, get_origin

import msgspec

from chatd.codecs import v1_messages
from chatd.codecs.v1 import Broken
from chatd.codecs.v1_messages import MESSAGES, Message
from chatd.core.errors import Refused
from tests.codecs.v1_examples import EXAMPLES, SAME, WRONG

_WIDTH = 98


def types() -> str:
    """The table of the types of fields."""
    rows = ["| type | |", "|---|---|"]
    for name, alias in vars(v1_messages).items():
        if get_origin(alias) is Annotated:
            rows.append(f"| `{name}` | {_bounds(*get_args(alias))} |")
    rows += [
        "| `int` | any whole number |",
        "| `float` | a number; a whole number may be encoded as an integer |",
        "| `str` | text, UTF-8 |",
        "| `bool` | true or false |",
        "| `[T]` | an array of `T`, of any length unless one is given |",
        "| `T or nil` | `T`, or nil |",
    ]
    return "\n".join(rows) + "\n"


def _bounds(kind: type, meta: msgspec.Meta) -> str:
    if kind is str:
        return f"text of at most {meta.max_length} characters (code points)"
    most = f"{meta.le}" if meta.le is not None else f"2^{int(meta.lt or 0).bit_length() - 1} - 1"
    return f"a whole number from {meta.ge} to {most}"


def parts() -> str:
    """The structures that are parts of messages."""
    kinds = [
        kind
        for kind in vars(v1_messages).values()
        if inspect.isclass(kind)
        and issubclass(kind, msgspec.Struct)
        and not issubclass(kind, Message)
        and kind.__module__ == v1_messages.__name__
    ]
    return "\n".join(f"{_heading(kind.__name__, kind)}\n\n{meaning(kind)}\n" for kind in kinds)


def messages(numbers: Iterable[int]) -> str:
    """The description of these messages, each with its example."""
    example_of = {type(example.message): example for example in EXAMPLES}
    blocks = []
    for number in numbers:
        kind = MESSAGES[number]
        example = example_of[kind]
        blocks.append(
            f"{_heading(f'{number} {kind.__name__}', kind)}\n\n{meaning(kind)}\n\n"
            + _indented(_values(example.message).split(" "))
            + _indented(shown(example.data, example.shown))
        )
    return "\n".join(blocks)


def _heading(title: str, kind: type[msgspec.Struct]) -> str:
    """A title with the fields of a structure, in lines."""
    lines = [f"**{title}**"]
    for field in signature(kind):
        if len(lines[-1]) + len(field) >= _WIDTH:
            lines.append(field)
        else:
            lines[-1] += f" {field}"
    return "\n".join(lines)


def signature(kind: type[msgspec.Struct]) -> list[str]:
    """The fields with their types and defaults, each with a comma but the last."""
    fields = []
    annotations = inspect.get_annotations(kind)
    for field in msgspec.structs.fields(kind):
        text = re.sub(
            r"Annotated\[(.*), Meta\(max_length=(\d+)\)\]",
            r"\1, at most \2",
            annotations[field.name],
        )
        text = text.replace("list[", "[").replace(" | None", " or nil")
        if field.default is not msgspec.NODEFAULT:
            text += f" = {_literal(field.default)}"
        elif field.default_factory is not msgspec.NODEFAULT:
            text += " = []"
        fields.append(f"`{field.name}: {text}`")
    return [*(f"{field}," for field in fields[:-1]), *fields[-1:]] or ["no fields"]


def _literal(value: object) -> str:
    return "nil" if value is None else json.dumps(value)


def meaning(kind: type) -> str:
    """A docstring as a paragraph or more."""
    text = inspect.getdoc(kind) or ""
    return "\n\n".join(_filled(part) for part in text.replace("``", "`").split("\n\n"))


def _filled(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False
    )


def shown(data: bytes, notation: str) -> list[str]:
    """The words of a frame as the document shows it: the header, then the data in `notation`."""
    return [
        *data[:5].hex(" ").split(),
        f"{data[5]:02x} ",
        *re.findall(r"(?:[^\s']|'[^']*')+", notation),
    ]


def _indented(words: Iterable[str]) -> str:
    """Words as a block of code."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _WIDTH - 6:
            lines.append("  ")
        lines[-1] += (" " if lines[-1].strip() else "") + word
    return "".join(f"    {line}\n" for line in lines)


def variants() -> str:
    """The table of other encodings of the same messages."""
    rows = ["| data | means |", "|---|---|"]
    rows += [
        f"| `{example.shown}` | {type(example.message).__name__} `{_values(example.message)}` |"
        for example in SAME
    ]
    return "\n".join(rows) + "\n"


def _values(message: Message) -> str:
    return json.dumps(msgspec.to_builtins(message), ensure_ascii=False)


def wrong() -> str:
    """The table of invalid frames, with the codes of their refusals."""
    rows = ["| frame | bytes | `ref` | code |", "|---|---|---|---|"]
    for example in WRONG:
        data = example.data.hex(" ")
        short = data if len(data) < 60 else data[:50] + " ..."
        if isinstance(example.answer, Broken):
            rows.append(
                f"| {example.title} | `{short}` | 0 | `broken`, and the connection is closed |"
            )
        else:
            rows.append(
                f"| {example.title} | `{short}` | {example.answer.ref} | `{example.answer.code}` |"
            )
    return "\n".join(rows) + "\n"


def refusals() -> str:
    """The table of the codes of `chatd.core.errors`, with their general sentences."""
    rows = ["| code | sentence |", "|---|---|"]
    rows += [f"| `{code}` | {sentence} |" for code, sentence in sorted(_codes(Refused))]
    return "\n".join(rows) + "\n"


def _codes(parent: type[Refused]) -> Iterable[tuple[str, str]]:
    for kind in parent.__subclasses__():
        if kind.__module__ == Refused.__module__:
            yield kind.code, str(kind())
            yield from _codes(kind)


def requests() -> str:
    """The messages that are requests."""
    return messages(number for number in MESSAGES if number < 64)


def answers() -> str:
    """The messages that are answers."""
    return messages(number for number in MESSAGES if 64 <= number < 80)


def events() -> str:
    """The messages that are events."""
    return messages(number for number in MESSAGES if number >= 80)


GENERATED = {
    "types": types,
    "parts": parts,
    "requests": requests,
    "answers": answers,
    "events": events,
    "same": variants,
    "wrong": wrong,
    "refusals": refusals,
}
"""the function that makes each generated section of the document"""
