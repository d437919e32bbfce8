"""The MessagePack codec of examples/client.js, with the examples of docs/protocols/v1.md."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs.v1_messages import REQUESTS
from tests.codecs.v1_examples import EXAMPLES, SAME
from tests.doubles.node import evaluate


class MessagePackTests(SynchronousTestCase):
    """`encode` and `decode` of the client, used as a module."""

    def test_decode_examples(self) -> None:
        """All examples, in every form that a value can have; integers above 2^53 without loss."""
        data = [example.data[6:] for example in (*EXAMPLES, *SAME) if b"\xc4" not in example.data]
        values = [msgspec.msgpack.decode(value) for value in data]
        script = """
            const big = (key, value) => typeof value === "bigint" ? `big ${value}` : value;
            const read = (hex) => client.decode(Buffer.from(hex, "hex"));
            return argument.map((hex) => JSON.parse(JSON.stringify(read(hex), big)));
        """
        self.assertEqual(
            evaluate(script, [value.hex() for value in data]), [_big(value) for value in values]
        )

    def test_encode_requests(self) -> None:
        """The data has the bytes of the examples."""
        requests = [example for example in EXAMPLES if example.message.command in REQUESTS]
        script = "return argument.map((fields) => client.encode(fields).toString('hex'));"
        self.assertEqual(
            evaluate(script, [msgspec.to_builtins(example.message) for example in requests]),
            [example.data[6:].hex() for example in requests],
        )

    def test_boundaries_between_forms(self) -> None:
        """Of numbers, texts and arrays."""
        numbers = [
            boundary + step
            for boundary in (0, 2**7, 2**8, 2**16, 2**32, 2**53 - 2)
            for step in (0, 1)
        ]
        numbers += [boundary - 1 for boundary in (2**7, 2**8, 2**16, 2**32)]
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

    def test_decode_negative_and_floating_point_numbers(self) -> None:
        """A client only decodes them."""
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
        return [_big(item) for item in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return f"big {value}"
    return value
