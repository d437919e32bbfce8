"""Codecs: bytes to messages and back, one module per wire protocol.

Imports `chatd.core` only; no transport, clock or log, so that server, client, tests and benchmark
use the same codec. To add a protocol: a module named as its door (`chatd.protocols.doors`) with a
decoder (`feed(bytes)` gives messages, `unfinished` tells whether one has begun) and encoders. A
message of version 1 is added to the catalogue in `v1_messages`.
"""
