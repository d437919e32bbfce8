"""Codecs: bytes to messages and back, one module per wire protocol.

`v1` frames the messages of version 1, whose catalogue is `v1_messages`; `classic`, `chat10` and
`ops` are the older protocols, `admin` that of the admin socket; `chat_pb2` is generated from
``chat.proto``, for gRPC.

Imports `chatd.core` only; no transport, clock or log, so that server, client, tests and benchmark
use the same codec. To add a protocol: a module named as its door (`chatd.protocols.doors`) with a
decoder (`feed(bytes)` gives messages, `unfinished` tells whether one has begun) and encoders. A
message of version 1 is added to the catalogue in `v1_messages`.
"""
