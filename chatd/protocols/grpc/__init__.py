"""The gRPC ChatService. Nothing here is imported unless a gRPC port is open.

`server` is the port, `service` has the calls, `caller` the client of a call, `account` the session
of one account and what it receives, `stream` one open ReceiveMessages call.
"""
