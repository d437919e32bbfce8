"""The MessagePack of examples/client.js, against the table of docs/protocols/v1.md."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1_messages import REQUESTS
from tests.codecs.v1_examples import EXAMPLES, SAME
from tests.examples.node import evaluate


class MessagePack(SynchronousTestCase):
    """The client's own reader and writer, as a module."""

    def test_read(self) -> None:
        """All examples, numbers above 2^53 without loss; and every form that a value can have."""
        data = [example.data[6:] for example in (*EXAMPLES, *SAME) if b"\xc4" not in example.data]
        values = [msgspec.msgpack.decode(each) for each in data]
        script = """
            const big = (key, value) => typeof value === "bigint" ? `big ${value}` : value;
            const read = (hex) => client.decode(Buffer.from(hex, "hex"));
            return argument.map((hex) => JSON.parse(JSON.stringify(read(hex), big)));
        """
        self.assertEqual(
            evaluate(script, [each.hex() for each in data]), [_big(value) for value in values]
        )

    def test_written(self) -> None:
        """What a client sends has the bytes of the examples."""
        requests = [example for example in EXAMPLES if example.message.command in REQUESTS]
        script = "return argument.map((fields) => client.encode(fields).toString('hex'));"
        self.assertEqual(
            evaluate(script, [msgspec.to_builtins(example.message) for example in requests]),
            [example.data[6:].hex() for example in requests],
        )

    def test_lengths(self) -> None:
        """Around every border between forms: numbers, texts, arrays."""
        numbers = [
            border + step for border in (0, 2**7, 2**8, 2**16, 2**32, 2**53 - 2) for step in (0, 1)
        ]
        numbers += [border - 1 for border in (2**7, 2**8, 2**16, 2**32)]
        sizes = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]
        values = [
            *numbers,
            *("x" * size for size in sizes),
            *([None] * size for size in sizes),
            True,
            False,
        ]
        script = """
            return argument.map((value) => {
              const bytes = client.encode(value);
              const same = JSON.stringify(client.decode(bytes)) === JSON.stringify(value);
              return same ? bytes.toString("hex") : "other";
            });
        """
        self.assertEqual(
            evaluate(script, values), [msgspec.msgpack.encode(value).hex() for value in values]
        )

    def test_negative_and_floating(self) -> None:
        """Which a client only reads."""
        values = [
            -1,
            -32,
            -33,
            -128,
            -129,
            -32_768,
            -32_769,
            -(2**31),
            -(2**31) - 1,
            -(2**53) + 1,
            1.5,
            -0.25,
        ]
        data = [msgspec.msgpack.encode(value).hex() for value in values] + [
            "ca3fc00000",
            "d3ffffffffffffffff",
        ]
        script = "return argument.map((hex) => client.decode(Buffer.from(hex, 'hex')));"
        self.assertEqual(evaluate(script, data), [*values, 1.5, -1])


def _big(value: object) -> object:
    if isinstance(value, list):
        return [_big(each) for each in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return f"big {value}"
    return value
