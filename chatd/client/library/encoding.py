"""Encoding of requests: what cannot be sent is refused before anything is stored or written."""

from __future__ import annotations

from typing import Any

import msgspec

from chatd.client.library.errors import RefusedByClient
from chatd.codecs import v1_messages as c
from chatd.codecs.v1 import HEADER_SIZE, encode
from chatd.core.errors import PatternTooLong, Refused, TextTooLong, TopicTooLong

FRAME_LIMIT = 98_304
"""bytes of data of a frame to a server that has not named its limit yet"""

_DECODERS = {kind: msgspec.msgpack.Decoder(kind) for kind in c.REQUESTS.values()}


def encode_request(message: Any, limits: c.Limits | None) -> bytes:
    """Return the frame of a request. `limits` are the server's, None if they are not known yet.

    Raises `TextTooLong`, `TopicTooLong`, `PatternTooLong`, and `RefusedByClient` for fields that
    version 1 cannot express and for a frame that the server would not read.
    """
    try:
        data = encode(message)
        _DECODERS[type(message)].decode(data[HEADER_SIZE:])
    except UnicodeEncodeError:
        raise RefusedByClient(
            "malformed",
            "The request cannot be sent: a text in it has half of a surrogate pair, which UTF-8"
            " cannot represent.",
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RefusedByClient("malformed", f"The request cannot be sent: {error}.") from None
    size = len(data) - HEADER_SIZE
    if limits is not None:
        _check_lengths(message, size, limits)
    frame_limit = FRAME_LIMIT if limits is None else limits.frame
    if size > frame_limit:
        raise RefusedByClient(
            "frame-too-long",
            f"The request cannot be sent: it has {size} bytes, the limit is {frame_limit}.",
        )
    return data


def _check_lengths(message: Any, size: int, limits: c.Limits) -> None:
    """Raise the refusal of the field that is too long, if there is one."""
    match message:
        case c.Send() | c.Edit():
            # Most texts need not be encoded once more to be measured.
            if size > limits.text:
                _check(TextTooLong, "text", len(message.text.encode()), limits.text, "bytes")
        case c.CreateRoom() | c.SetTopic():
            _check(TopicTooLong, "topic", len(message.topic), limits.topic, "characters")
        case c.FindAccounts() | c.FindRooms():
            _check(PatternTooLong, "pattern", len(message.pattern), limits.pattern, "characters")


def _check(refusal: type[Refused], field: str, length: int, limit: int, unit: str) -> None:
    if length > limit:
        raise refusal(f"The {field} is too long: this server accepts at most {limit} {unit}.")
