"""Fuzz targets: the codecs. They raise nothing, whatever they are given, and do not depend on how
the input is split into reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from chatd.codecs import admin, chat10, classic, ops, v1
from chatd.codecs.v1_messages import Message
from chatd.core.errors import BadRequest

_FRAME = 65_792


def _pieces(data: bytes) -> Iterator[bytes]:
    """The input in reads: its first byte tells their size."""
    size = data[0] % 50 + 1
    for start in range(1, len(data), size):
        yield data[start : start + size]


def _check_framed(make: Callable[[int], Any], data: bytes) -> list[Any]:
    """Decode in pieces and as a whole; returns the messages."""
    if not data:
        return []
    whole: list[Any] = make(_FRAME).feed(data[1:])
    decoder = make(_FRAME)
    parts = [message for piece in _pieces(data) for message in decoder.feed(piece)]
    # By their text: NaN is not equal to itself.
    assert repr(parts) == repr(whole), (parts, whole)
    return whole


def check_classic(data: bytes) -> None:
    """Both ends of the classic protocol."""
    _check_framed(classic.server_decoder, data)
    _check_framed(classic.client_decoder, data)


def check_v1(data: bytes) -> None:
    """Both ends of version 1. A message that was read is read again as it was."""
    for make in (v1.server_decoder, v1.client_decoder):
        for message in _check_framed(make, data):
            if isinstance(message, Message):
                (again,) = make(1 << 24).feed(v1.encode(message))
                assert repr(again) == repr(message), (again, message)


def check_chat10(data: bytes) -> None:
    """CHAT/1.0, in lines and bare: a pause follows the first read, if the first byte is odd."""
    if not data:
        return
    decoder = chat10.Decoder()
    for number, piece in enumerate(_pieces(data)):
        decoder.feed(piece)
        if number == 0 and data[0] % 2:
            decoder.pause()
    chat10.opens(data)
    chat10.opens_at_pause(data)


def check_ops(data: bytes) -> None:
    """ops: each read is a message, or some."""
    if not data:
        return
    decoder = ops.Decoder()
    for piece in _pieces(data):
        decoder.feed(piece)
    ops.opens(data)


def check_admin(data: bytes) -> None:
    """The requests and the answers of the admin socket."""
    for decode in (admin.decode_request, admin.decode_answer):
        with suppress(BadRequest):
            decode(data)
